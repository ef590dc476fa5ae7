"""What one lane gets hurts no other: NaN, infinities, overflow and denormals, in every layer and
every precision."""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import PRECISIONS

from .catalogue import EXAMPLES

# The largest values that are let in make squares and exponentials of them infinite inside.
POISONS = {"NaN": np.nan, "infinity": -np.inf, "overflow": 9e14, "denormal": 1e-41}


def answer(model: Model, x: FloatArray) -> FloatArray:
    stream = model.stream(channels=x.shape[1])
    return np.concatenate([stream.push(x[:7]), stream.push(x[7:]), stream.flush()])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_poisoned_lane_hurts_only_itself(name: str, precision: str) -> None:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    model = Model.from_graph(graph, graph.initial_tensors(2), precision=precision)
    rng = np.random.default_rng(0)
    frames = 12 * graph.plan.block + 5
    good = (0.3 * rng.standard_normal((frames, channels))).astype(np.float32)
    alone = answer(model, good)
    lanes = [good]
    for poison in POISONS.values():
        bad = good.copy()
        bad[::3] = np.float32(poison)
        lanes += [bad, good]
    y = answer(model, np.concatenate(lanes, axis=1))
    width = graph.output.channels
    for lane in range(0, len(lanes), 2):
        np.testing.assert_array_equal(y[:, lane * width : (lane + 1) * width], alone)


@pytest.mark.parametrize("name", EXAMPLES)
def test_reset_heals(name: str) -> None:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    model = Model.from_graph(graph, graph.initial_tensors(2))
    frames = 6 * graph.plan.block
    x = np.random.default_rng(1).standard_normal((frames, channels)).astype(np.float32)
    stream = model.stream(channels=channels)
    stream.push(x * np.float32(3e14))
    stream.reset()
    healed = np.concatenate([stream.push(x), stream.flush()])
    fresh = model.stream(channels=channels)
    np.testing.assert_array_equal(healed, np.concatenate([fresh.push(x), fresh.flush()]))
