"""Mutated model files: each loads and runs, or is refused in one sentence, within bounds.

`python -m tests.unit.test_model_file_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import rtaudio
from rtaudio.errors import ModelFileError, RtaudioError
from rtaudio.graph import save_model
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.registry import WEIGHTS

from ..laws.catalogue import EXAMPLES
from .model_mutations import Mutator

MEMORY = 6 << 30  # of addresses; a stream may hold 4 GiB
HANG_SECONDS = 60


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


def fuzz(seed: int, cases: int, seconds: float) -> dict[str, int]:
    results = {"runs": 0, "refused": 0, "stopped": 0}
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        files = seeds(Path(name))
        path = Path(name) / "case.safetensors"
        for case in range(seed, seed + cases):
            rng = random.Random(case)
            data = Mutator(rng).mutate(rng.choice(files))
            path.write_bytes(data)
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            try:
                results[try_file(path, rng)] += 1
            except BaseException as error:
                kept = Path(tempfile.gettempdir()) / f"model-fuzz-{case}.safetensors"
                kept.write_bytes(data)
                raise AssertionError(f"case {case}: {error!r:.300}; kept as {kept}") from error
            faulthandler.cancel_dump_traceback_later()
            if time.monotonic() > until:
                break
    return results


def test_mutated_model_files() -> None:
    """In a process of its own, whose memory is limited."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, "--cases", "400"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = dict(part.split(" ") for part in done.stdout.strip().split(", "))
    # A fuzz whose cases all fail at the door, or that changes nothing, tries nothing.
    assert int(results["runs"]) > 40
    assert int(results["refused"]) > 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1 << 40)
    parser.add_argument("--seconds", type=float, default=1e9)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("error")
    results = fuzz(args.seed, args.cases, args.seconds)
    print(", ".join(f"{name} {count}" for name, count in results.items()))


if __name__ == "__main__":
    main()
