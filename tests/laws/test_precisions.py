"""Precisions keep every law and stay near fp32 (levels are compared in test_levels.py)."""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio import RtaudioError, load
from rtaudio.graph import GRU, LSTM, Conv1d, GatedStack, Layer, Linear, lower
from rtaudio.graph.file import ModelFile
from rtaudio.graph.layer import FloatArray
from rtaudio.models.importers import IMPORTERS
from rtaudio.runtime.laws import fp32_error_db, graph_of, verify_streaming
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import LEAST_DB

from .catalogue import EXAMPLES, has_matrix

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


@pytest.mark.parametrize("precision", ["bf16", "int8"])
@pytest.mark.parametrize("name", IMPORTERS)
def test_networks_of_others_keep_the_bound(name: str, precision: str) -> None:
    if IMPORTERS[name].installed() is None:
        pytest.skip(f"the package {IMPORTERS[name].package} is not installed")
    assert fp32_error_db(load(name, precision=precision)) >= LEAST_DB[precision]


def test_matrices_that_a_file_names_stay_in_bf16() -> None:
    graph = graph_of(LAYERS["gru"], 24)
    tensors = graph.initial_tensors(1)
    keeps = {"int8_keeps": "weight_ih, weight_hh"}
    file = ModelFile(graph, tensors, *lower(graph, tensors), keeps)
    x = np.random.default_rng(0).standard_normal((50, 24)).astype(np.float32)
    assert (Model(file, "", "int8")(x) == Model(file, "", "bf16")(x)).all()
    plain = model_of("gru", "int8")
    assert (Model(file, "", "int8")(x) != plain(x)).any()


def answer(model: Model, x: FloatArray, splits: list[int], lanes: int = 1) -> FloatArray:
    """x in every lane, through pushes of `splits` frames and the rest, and flush."""
    stream = model.stream(channels=lanes * x.shape[1])
    at = np.cumsum(splits)
    parts = np.split(np.tile(x, lanes), at)
    return np.concatenate([*(stream.push(np.ascontiguousarray(p)) for p in parts), stream.flush()])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", [n for n, example in EXAMPLES.items() if has_matrix(*example)])
def test_no_split_and_no_lane_changes_a_bit(name: str, precision: str) -> None:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    model = Model.from_graph(graph, graph.initial_tensors(1), name, precision)
    block, width = graph.plan.block, graph.output.channels
    x = np.random.default_rng(0).standard_normal((23 * block + 2, channels)).astype(np.float32)
    whole = answer(model, x, [])
    for splits in ([1] * block, [block] * 5, [7, 3 * block + 1, 2 * block]):
        np.testing.assert_array_equal(answer(model, x, splits), whole)
    together = answer(model, x, [block, 2 * block], lanes=3)
    for lane in range(3):
        np.testing.assert_array_equal(together[:, lane * width : (lane + 1) * width], whole)


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
