"""Tensor cores in bf16dot, on the host in a GPU's place: near the CPU, and a stream as any other.

Sums of the same bf16 products come in another order there: 1e-5 of the peak for a matrix. Where a
sum is rounded to bf16 and goes on, a few fall to the other side, by 2^-8 of themselves: 1e-3 for
networks.
"""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio import Session, _native
from rtaudio.graph import GRU, Conv1d, Layer, Linear, Refine
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model

from .catalogue_refine import network, steps

if _native.cpu_level() != _native.supported_cpu_levels()[-1]:
    pytest.skip("runs at this processor's best level only", allow_module_level=True)

# Matrices whose outputs and rows fill no whole tile, taps that are apart, rings, groups; networks
# narrower and wider than a team's warps.
CASES: dict[str, tuple[Layer, int, float]] = {
    "conv1d": (Conv1d(outputs=70, kernel_size=3, dilation=2, lookahead_frames=2), 32, 1e-5),
    "conv1d grouped": (Conv1d(outputs=40, kernel_size=2, stride=3, groups=2), 32, 1e-5),
    "linear": (Linear(outputs=19), 48, 1e-5),
    "gru": (GRU(hidden=20), 32, 1e-3),
    "refine": (Refine(network=network(condition=20, channels=80), **steps(2)), 20, 1e-3),
    "refine narrow": (Refine(network=network(condition=40, causal=True), **steps(2)), 40, 1e-3),
}
NAMES = list(CASES)
LANES = 5
TICKS = 20


def model_of(name: str, device: str) -> Model:
    layer, channels, _ = CASES[name]
    graph = graph_of(layer, channels)
    initial = graph.initial_tensors(2)
    tensors = {name: 3 * x if "weight" in name else x for name, x in initial.items()}  # to be heard
    return Model.from_graph(graph, tensors, precision="bf16dot", device=device)


def signals(model: Model) -> FloatArray:
    shape = (LANES, TICKS * model.graph.plan.block, model.graph.input.channels)
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def answer(model: Model, x: FloatArray, ticks: int = TICKS) -> FloatArray:
    """In calls of so many ticks."""
    session = Session(model, lanes=len(x), max_ticks=ticks)
    size = ticks * model.graph.plan.block
    calls = [session.process(x[:, t : t + size]) for t in range(0, x.shape[1], size)]
    return np.concatenate(calls, axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_sums_in_another_order_are_near(name: str) -> None:
    cpu, gpu = model_of(name, "cpu"), model_of(name, "emulated-fast")
    x = signals(cpu)
    expected, y = answer(cpu, x), answer(gpu, x)
    assert (y != expected).any()  # or they were done as on the CPU
    assert np.abs(y - expected).max() <= CASES[name][2] * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_has_the_same_bits_wherever_it_is_in_a_tile(name: str) -> None:
    model = model_of(name, "emulated-fast")
    x = signals(model)
    whole = answer(model, x)
    for ticks in (1, 4):
        np.testing.assert_array_equal(answer(model, x, ticks), whole)
    for lane in (0, LANES - 1):
        np.testing.assert_array_equal(answer(model, x[lane : lane + 1])[0], whole[lane])


@pytest.mark.parametrize("name", NAMES)
def test_a_lane_hurts_no_other(name: str) -> None:
    """NaN in one, and one that is held for a while."""
    model = model_of(name, "emulated-fast")
    x = signals(model)
    expected = answer(model, x)
    x[1] = np.nan
    block = model.graph.plan.block
    session = Session(model, lanes=LANES, max_ticks=TICKS)
    parts = [session.process(x[:, : 3 * block])]
    session.hold(np.arange(LANES) == 2)
    parts.append(session.process(x[:, 3 * block : 5 * block]))
    session.hold(np.zeros(LANES, bool))
    x[2, 5 * block : 7 * block] = x[2, 3 * block : 5 * block]
    parts.append(session.process(x[:, 5 * block : 7 * block]))
    y = np.concatenate(parts, axis=1)
    others = [0, 3, 4]
    np.testing.assert_array_equal(y[others], expected[others, : y.shape[1]])
    held = np.concatenate([parts[0][2], parts[2][2]])
    np.testing.assert_array_equal(held, expected[2, : held.shape[0]])


def test_many_rows_have_the_bits_of_few() -> None:
    """A warp has several tiles of outputs there, of which the last ones are not all there."""
    graph = graph_of(Linear(outputs=70), 16)
    model = Model.from_graph(
        graph, graph.initial_tensors(2), precision="bf16dot", device="emulated-fast"
    )
    x = np.random.default_rng(0).standard_normal((1, 15000, 16)).astype(np.float32)
    np.testing.assert_array_equal(answer(model, x, 15000), answer(model, x, 1000))
