"""The plan pass against the whole-sequence definition, in float64, both ends included."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch", reason="the float64 oracle needs torch")

from rtaudio.nn import Net  # noqa: E402
from rtaudio.nn.stepper import stream  # noqa: E402

from .random_graphs import random_graph  # noqa: E402

GRAPHS = 1000
BATCH = 50


@pytest.mark.parametrize("first", range(0, GRAPHS, BATCH))
def test_streaming_equals_the_definition(first: int) -> None:
    for seed in range(first, first + BATCH):
        graph = random_graph(seed)
        net = Net(graph, graph.initial_tensors(seed)).double()
        rng = random.Random(seed)
        length = rng.choice([1, 2, 3, 7, rng.randint(8, 60), rng.randint(20, 120)])
        torch.manual_seed(seed)
        x = torch.randn(2, graph.input.channels, length, dtype=torch.float64)
        with torch.no_grad():
            wanted = net(x)
        got = stream(net, x, [rng.randint(1, 5) for _ in range(4)], {})
        assert got.shape == wanted.shape, f"graph {seed}: {got.shape} instead of {wanted.shape}"
        error = (got - wanted).abs().max().item() if wanted.numel() else 0.0
        assert error <= 1e-12, f"graph {seed}: streaming differs by {error:.3g}"
