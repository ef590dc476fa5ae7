"""Every layer kind in every precision: the same bits on all CPU levels but v2, which has no fma and
comes near."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from rtaudio import _native
from rtaudio.graph.layer import FloatArray
from rtaudio.models.denoiser import RtTcn, rt_tcn
from rtaudio.runtime.digests import pinned
from rtaudio.runtime.laws import graph_of, reference_digest, reference_input
from rtaudio.runtime.model import Model, load
from rtaudio.runtime.native import PRECISIONS
from rtaudio.runtime.registry import shipped_models

from .catalogue import EXAMPLES, has_matrix

# How far v2 may be from the others, as a part of the larger of 1 and the output's peak. Where
# inputs are rounded, a last bit decides between two neighbours, so what a product and a sum lose is
# a step of that rounding.
V2_TOLERANCE = {"fp32": 2e-5, "bf16": 2e-5, "bf16dot": 2e-2, "int8": 5e-2}

OUTPUTS = """
import sys
import numpy as np
from tests.laws.test_levels import outputs

np.savez(sys.argv[1], **outputs())
"""


def outputs() -> dict[str, FloatArray]:
    """Answers to the reference input at this process's level, by "layer, precision"."""
    models = {
        f"rt-tcn at {rate}, fp32": Model.from_graph(graph, graph.initial_tensors(1))
        for rate in (16_000, 44_100, 48_000)
        for graph in (rt_tcn(RtTcn(), rate),)
    }
    models |= {f"rt-tcn, {p}": load("rt-tcn", precision=p) for p in PRECISIONS}
    for name, (layer, channels) in EXAMPLES.items():
        graph = graph_of(layer, channels)
        tensors = graph.initial_tensors(1)
        for precision in PRECISIONS if has_matrix(layer, channels) else ("fp32",):
            models[f"{name}, {precision}"] = Model.from_graph(graph, tensors, name, precision)
    answers = {}
    for name, model in models.items():
        stream = model.stream(channels=model.graph.input.channels)
        x = reference_input(model.graph)
        answers[name] = np.concatenate([stream.push(x), stream.flush()])
    return answers


@pytest.fixture(scope="module")
def by_level(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, FloatArray]]:
    """The outputs of every level of this processor, each made in a process of its own."""
    levels = _native.supported_cpu_levels()
    if _native.cpu_level() != levels[-1]:
        pytest.skip(f"levels are compared once, at {levels[-1]}")
    if len(levels) < 2:
        pytest.skip(f"this processor runs only {levels[0]}")
    found = {}
    for level in levels:
        file = tmp_path_factory.mktemp("levels") / f"{level}.npz"
        subprocess.run(
            [sys.executable, "-c", OUTPUTS, str(file)],
            env={**os.environ, "RTAUDIO_CPU_ISA": level},
            check=True,
        )
        with np.load(file) as arrays:
            found[level] = dict(arrays)
    return found


def test_all_levels_but_v2_give_the_same_bits(
    by_level: dict[str, dict[str, FloatArray]],
) -> None:
    levels = [level for level in by_level if level != "v2"]
    first = by_level[levels[0]]
    assert len(first) > 200
    for level in levels[1:]:
        differing = [
            name
            for name, y in by_level[level].items()
            if y.view(np.uint32).tobytes() != first[name].view(np.uint32).tobytes()
        ]
        assert not differing, f"{level} differs from {levels[0]}: {differing}"


def test_v2_comes_near(by_level: dict[str, dict[str, FloatArray]]) -> None:
    if not {"v2", "v3"} <= set(by_level):
        pytest.skip(f"this processor runs only {', '.join(by_level)}")
    far = {}
    for name, wanted in by_level["v3"].items():
        error = np.abs(by_level["v2"][name].astype(np.float64) - wanted).max(initial=0.0)
        share = error / max(1.0, np.abs(wanted).max(initial=0.0))
        if not share <= V2_TOLERANCE[name.rpartition(", ")[2]]:
            far[name] = share
    assert not far
    shipped = by_level["v3"]["rt-tcn, fp32"]
    error = by_level["v2"]["rt-tcn, fp32"].astype(np.float64) - shipped
    assert 10 * np.log10(np.mean(error**2) / np.mean(shipped**2)) < -100.0


def test_shipped_models_give_the_pinned_output() -> None:
    """What the digests were pinned from must be what is shipped: no stale or missing entry."""
    for name in shipped_models():
        model = load(name)
        wanted = pinned(model.fingerprint())
        assert wanted, f"{name} has no pinned digest: run python -m rtaudio.runtime.digests"
        if _native.cpu_level() != "v2":
            assert reference_digest(model) == wanted


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
