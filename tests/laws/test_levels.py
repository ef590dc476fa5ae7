"""fp32 gives the same bits on every CPU level but v2, which has no fma and comes near."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtaudio import _native
from rtaudio.runtime.digests import pinned
from rtaudio.runtime.laws import reference_digest
from rtaudio.runtime.model import load
from rtaudio.runtime.registry import shipped_models

DIGESTS = """
from rtaudio.models.denoiser import RtTcn, rt_tcn
from rtaudio.runtime.model import Model
from rtaudio.runtime.laws import graph_of, reference_digest
from tests.laws.catalogue import EXAMPLES

for name, (layer, channels) in EXAMPLES.items():
    graph = graph_of(layer, channels)
    print(name, reference_digest(Model.from_graph(graph, graph.initial_tensors(1))))
for rate in (16000, 44100, 48000):
    graph = rt_tcn(RtTcn(), rate)
    print(rate, reference_digest(Model.from_graph(graph, graph.initial_tensors(1))))
"""


def digests(level: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "RTAUDIO_CPU_ISA": level},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_all_levels_give_the_same_bits() -> None:
    levels = [level for level in _native.supported_cpu_levels() if level != "v2"]
    if len(levels) < 2:
        pytest.skip(f"this processor runs only {', '.join(levels) or 'no level'}")
    first = digests(levels[0])
    for level in levels[1:]:
        assert digests(level) == first, f"{level} differs from {levels[0]}"


def test_shipped_models_give_the_pinned_output() -> None:
    """What the digests were pinned from must be what is shipped: no stale or missing entry."""
    for name in shipped_models():
        model = load(name)
        wanted = pinned(model.fingerprint())
        assert wanted, f"{name} has no pinned digest: run python -m rtaudio.runtime.digests"
        if _native.cpu_level() != "v2":
            assert reference_digest(model) == wanted


V2_OUTPUT = """
import sys
import numpy as np
from rtaudio.runtime.laws import reference_input
from rtaudio.runtime.model import load

model = load("rt-tcn")
stream = model.stream()
np.save(sys.argv[1], np.concatenate([stream.push(reference_input(model.graph)), stream.flush()]))
"""


def test_v2_comes_near(tmp_path: Path) -> None:
    levels = _native.supported_cpu_levels()
    if not {"v2", "v3"} <= set(levels):
        pytest.skip(f"this processor runs only {', '.join(levels)}")
    outputs = {}
    for level in ("v2", "v3"):
        file = tmp_path / f"{level}.npy"
        subprocess.run(
            [sys.executable, "-c", V2_OUTPUT, str(file)],
            env={**os.environ, "RTAUDIO_CPU_ISA": level},
            check=True,
        )
        outputs[level] = np.load(file).astype(np.float64)
    error = outputs["v2"] - outputs["v3"]
    assert 10 * np.log10(np.mean(error**2) / np.mean(outputs["v3"] ** 2)) < -100.0


def test_an_unknown_level_is_refused_in_a_sentence() -> None:
    code = "import rtaudio._native as n; n.cpu_level()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RTAUDIO_CPU_ISA": "v9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "v9" in done.stderr
