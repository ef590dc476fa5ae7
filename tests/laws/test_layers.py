"""Every layer kind under every law, by one call; declared receptive fields are the real ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtaudio import verify_streaming
from rtaudio.graph import ConditionedNet, Feedback, Layer, Refine
from rtaudio.graph.chain import walk
from rtaudio.graph.composite import Fused
from rtaudio.graph.layer import Composite
from rtaudio.graph.serialize import INTERNAL_KINDS
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model

from .catalogue import EXAMPLES
from .random_graphs import random_graph

# The window of an STFT begins with a zero; a deep filter's coefficients come from the newest frame;
# an unpooled value may stand anywhere in its block.
FIELD_NOT_REACHED = {
    "stft and istft",
    "stft",
    "stft of odd length",
    "stft late",
    "stft and late istft",
    "istft",
    "activation clamp",
    "unpool",
    # Only when its input comes matters to it.
    "noise",
    "noise behind a delay",
    "noise spectrum",
    # Windows begin with a zero, and are shorter than the transform.
    "stft padded",
    "centred istft",
    "filtered noise",
    "pool, body and unpool",
    # A condition enters behind the network's first convolution, and little of it reaches the ends.
    *(name for name in EXAMPLES if name.startswith("refine")),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_laws(name: str) -> None:
    layer, channels = EXAMPLES[name]
    report = verify_streaming(layer, channels=channels)
    failed = [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]
    assert not failed, "; ".join(failed)


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n not in FIELD_NOT_REACHED])
def test_declared_receptive_field_is_the_measured_one(name: str) -> None:
    layer, channels = EXAMPLES[name]
    plan = graph_of(layer, channels).plan
    if plan.receptive_past is None:
        pytest.skip("unbounded: a recurrent layer remembers everything")
    report = verify_streaming(layer, channels=channels)
    back, ahead = (math.ceil(v) for v in report.measured_field)
    assert (back, ahead) == (plan.receptive_past, plan.lookahead_samples)


NETS = [
    each
    for layer, _ in EXAMPLES.values()
    for each in walk(layer)
    if isinstance(each, ConditionedNet)
]


@pytest.mark.parametrize("net", NETS, ids=lambda net: str(net.out_channels(3)))
@pytest.mark.parametrize("block", [1, 5, 16, 70])
def test_a_net_of_stacks_has_the_bits_of_its_layers(net: ConditionedNet, block: int) -> None:
    x = np.random.default_rng(1).standard_normal((150, 3)).astype(np.float32)
    answers = []
    for each in (net, net.expansion()):
        graph = graph_of(each, 3)
        stream = Model.from_graph(graph, graph.initial_tensors(0)).stream(
            channels=3, max_ticks=block
        )
        parts = [stream.push(x[at : at + block]) for at in range(0, len(x), block)]
        answers.append(np.concatenate(parts))
    np.testing.assert_array_equal(*answers)


def test_every_kind_has_an_example() -> None:
    seen = {kind for layer, _ in EXAMPLES.values() for kind in kinds(layer)}
    assert seen >= set(Layer.registry) - INTERNAL_KINDS - {"serial"}


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_random_graphs_keep_the_laws_natively(first: int) -> None:
    for seed in range(first, first + 10):
        report = verify_streaming(random_graph(seed, max_channels=20), num_ticks=12, seed=seed)
        failed = [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]
        assert not failed, f"graph {seed}: " + "; ".join(failed)


def kinds(layer: Layer) -> set[str]:
    found = {layer.kind}
    parts: list[Layer] = []
    if isinstance(layer, Composite) and not isinstance(layer, Fused):
        parts += layer.children()
    if isinstance(layer, Feedback):
        parts += [layer.body, layer.head, layer.sampler]
    if isinstance(layer, Refine):
        parts += [layer.network]
    for part in parts:
        found |= kinds(part)
    return found
