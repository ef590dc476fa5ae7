"""A small rt-tcn with random weights, so that these tests say nothing about the shipped ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from rtaudio.graph import save_model
from rtaudio.models.denoiser import RtTcn, rt_tcn


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = RtTcn(channels=16, hidden=16, dilations=(1, 2))
    graph = rt_tcn(config, 48_000)
    metadata = {
        "name": "small",
        "family": "rt-tcn",
        "config": json.dumps(dataclasses.asdict(config)),
        "license": "CC0-1.0",
    }
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, graph, graph.initial_tensors(0), metadata=metadata)
    return path
