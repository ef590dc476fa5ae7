"""Mutated model files: each loads and runs, or is refused in one sentence, within bounds.

`python -m tests.unit.test_model_file_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import random
import signal
import warnings
from pathlib import Path

import numpy as np

import rtaudio
from rtaudio.errors import ModelFileError, RtaudioError
from rtaudio.graph import save_model
from rtaudio.runtime.imported import import_any
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.registry import WEIGHTS

from ..laws.catalogue import EXAMPLES
from .fuzzing import Fuzzed, outcomes_of
from .model_mutations import Mutator


def seeds(folder: Path) -> list[bytes]:
    """Model files to begin with: every layer kind, and the shipped denoiser."""
    path = folder / "seed.safetensors"
    files = [each.read_bytes() for each in sorted(WEIGHTS.glob("*.safetensors"))]
    for layer, channels in EXAMPLES.values():
        graph = graph_of(layer, channels)
        save_model(path, graph, graph.initial_tensors(1), {"name": "seed"})
        files.append(path.read_bytes())
    return files


def check_sentence(text: str) -> None:
    assert text and "\n" not in text and len(text) < 700, text
    assert text.isprintable(), text


def run(model: Model, rng: random.Random) -> None:
    """A few blocks of anything through every call; what is refused is refused in a sentence."""
    width = model.graph.input.channels
    stream = model.stream(channels=width * rng.choice([1, 1, 2]), max_ticks=1)
    frames = min(2 * model.graph.plan.block + 1, max(1, (1 << 18) // stream.channels))
    x = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((frames, stream.channels))
    x = x.astype(np.float32)
    x[0] = rng.choice([np.nan, np.inf, 1e-42, 3e38, 0.0])
    for port in model.graph.controls:
        stream.set_control(port.name, rng.choice([port.low, port.high, 1e30]))
    stream.push(x)
    stream.load_state(stream.save_state())
    stream.flush()
    stream.reset()
    if model.graph.plan.output.rate == 1 and model.graph.output.channels == width:
        stream.process(x)


def try_import(paths: list[Path]) -> list[str]:
    """How it went: imported and ready to stream, or refused."""
    try:
        imported = import_any(paths)
        model = Model.from_graph(imported.graph, imported.tensors)
    except ModelFileError as error:
        check_sentence(str(error))
        return ["refused"]
    model.stream(channels=model.graph.input.channels)
    return ["imported"]


def try_file(path: Path, rng: random.Random) -> str:
    """How it went: runs, refused (by the loader), or stopped (by the stream)."""
    try:
        model = rtaudio.load(path)
    except ModelFileError as error:
        check_sentence(str(error))
        return "refused"
    model.summary()
    assert all(port.isprintable() for port in model.ports)
    try:
        run(model, rng)
    except RtaudioError as error:
        check_sentence(str(error))
        return "stopped"
    return "runs"


def attempt(path: Path, rng: random.Random) -> list[str]:
    return [try_file(path, rng)]


MODELS = Fuzzed(
    name="model",
    suffix=".safetensors",
    outcomes=("runs", "refused", "stopped"),
    memory=6 << 30,  # a stream may hold 4 GiB
    resident=6 << 30,
    seeds=seeds,
    mutate=lambda rng, data: Mutator(rng).mutate(data),
    attempt=attempt,
)


def test_mutated_model_files() -> None:
    """In a process of its own, whose memory is limited."""
    results = outcomes_of(__name__, cases=400)
    # A fuzz whose cases all fail at the door, or that changes nothing, tries nothing.
    assert results["runs"] > 40
    assert results["refused"] > 40


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("error")
    MODELS.main()
