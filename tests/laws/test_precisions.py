"""Precisions keep every law, give the same bits on every level and stay near fp32."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from rtaudio import RtaudioError, _native, load
from rtaudio.graph import GRU, LSTM, Conv1d, GatedStack, Layer, Linear
from rtaudio.runtime.laws import fp32_error_db, graph_of, verify_streaming
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import LEAST_DB

PRECISIONS = ("bf16", "bf16dot", "int8")
LAYERS: dict[str, Layer] = {
    "conv": Conv1d(outputs=40, kernel_size=3, dilation=2),
    "linear": Linear(outputs=33),
    "gru": GRU(hidden=20),
    "lstm": LSTM(hidden=36),
    "stack": GatedStack(
        channels=24, gate_channels=16, skip_channels=20, kernel_size=3, dilations=(1, 2, 4)
    ),
}


def model_of(name: str, precision: str) -> Model:
    graph = graph_of(LAYERS[name], 24)
    return Model.from_graph(graph, graph.initial_tensors(1), name, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_every_law_holds(name: str, precision: str) -> None:
    model = model_of(name, precision)
    report = verify_streaming(model)
    failed = [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]
    assert not failed, "; ".join(failed)
    assert LEAST_DB[precision] < fp32_error_db(model) < 120.0  # rounded, and not too much


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_shipped_model_keeps_the_laws_and_its_bound(precision: str) -> None:
    report = verify_streaming(load("rt-tcn", precision=precision), num_ticks=12)
    failed = [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]
    assert not failed, "; ".join(failed)
    assert f"{precision} near fp32" in {law.name for law in report.laws if law.passed}


DIGESTS = """
from rtaudio import load
from rtaudio.runtime.laws import reference_digest
from tests.laws.test_precisions import LAYERS, PRECISIONS, model_of

for precision in PRECISIONS:
    print(precision, reference_digest(load("rt-tcn", precision=precision)))
    for name in LAYERS:
        print(precision, name, reference_digest(model_of(name, precision)))
"""


def test_all_levels_but_v2_give_the_same_bits() -> None:
    levels = [level for level in _native.supported_cpu_levels() if level != "v2"]
    if len(levels) < 2:
        pytest.skip(f"this processor runs only {', '.join(levels) or 'v2'}")
    outputs = {
        level: subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env={**os.environ, "RTAUDIO_CPU_ISA": level},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for level in levels
    }
    assert len(outputs[levels[0]].splitlines()) == len(PRECISIONS) * (1 + len(LAYERS))
    for level in levels[1:]:
        assert outputs[level] == outputs[levels[0]], f"{level} differs from {levels[0]}"


def test_state_moves_between_precisions() -> None:
    x = np.random.default_rng(0).standard_normal((4_800, 1)).astype(np.float32) * 0.1
    fp32, narrow = load("rt-tcn"), load("rt-tcn", precision="bf16")
    one, other = fp32.stream(), narrow.stream()
    one.push(x)
    other.load_state(one.save_state())
    a, b = one.push(x), other.push(x)
    assert 0 < np.abs(a - b).max() < 1e-2


def test_an_unknown_precision_is_refused_in_a_sentence() -> None:
    with pytest.raises(RtaudioError, match=r"'fp8'.*fp32, bf16, bf16dot, int8"):
        load("rt-tcn", precision="fp8")
