"""Models of the tests: a chain of gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtaudio.graph import Conv1d, Graph, Serial, StreamPort, save_model


def save_gains(path: Path, *gains: float) -> Path:
    """Writes a model that multiplies by each of them in turn, sample by sample, without a delay."""
    graph = Graph(
        body=Serial(layers=tuple(Conv1d(outputs=1, kernel_size=1, bias=False) for _ in gains)),
        sample_rate=48_000,
        input=StreamPort(name="x", channels=1),
        output=StreamPort(name="y", channels=1),
    )
    names = list(graph.tensor_specs)
    tensors = {n: np.full((1, 1, 1), g, np.float32) for n, g in zip(names, gains, strict=True)}
    save_model(path, graph, tensors)
    return path
