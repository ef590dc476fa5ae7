"""Torch's CUDA graphs, which the engine is timed beside, compute what eager torch does."""

from __future__ import annotations

import numpy as np

import rtaudio
from rtaudio.bench.diffusion_nets import random_priorgrad
from rtaudio.bench.torch_peers import measure_torch_peak, torch_peer
from rtaudio.bench.wavenet_nets import load_network
from rtaudio.bench.wavenet_peers import NumpyQueue, Weights, make_peer
from rtaudio.runtime.model import Model


def test_a_denoiser_as_a_graph_goes_on_as_eager_does():
    model = rtaudio.load("rt-tcn")
    where = {"lanes": 3, "ticks": 1, "sample_rate": 16_000, "device": "cuda"}
    x = 0.1 * np.random.default_rng(0).standard_normal((12, 3, 1, 160)).astype(np.float32)
    eager, graph = (torch_peer(name, model, **where) for name in ("torch", "torch-graph"))
    for block in x:
        np.testing.assert_allclose(graph(block), eager(block), rtol=0, atol=1e-5)


def test_diffusion_as_a_graph_draws_new_noise():
    made = random_priorgrad()
    model = Model.from_graph(made.graph, made.tensors)
    call = torch_peer("torch-graph", model, lanes=2, ticks=1, device="cuda")
    x = np.full((2, 80, 1), -4.0, np.float32)
    first, second = call(x), call(x)
    assert first.shape == (2, 1, 240) and np.isfinite(first).all()
    assert not np.array_equal(first, second)


def test_a_wavenet_as_a_graph():
    network = load_network("small", "fp32", None)
    weights = Weights.of(network.config, dict(network.model.tensors), np.float32)
    peer, reference = make_peer("torch-graph", weights, "cuda"), NumpyQueue(weights)
    for value in (3.0, 0.0, 1.0):
        found, wanted = peer.parameters(value), reference.parameters(value)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_peaks_are_those_of_a_gpu():
    peak = measure_torch_peak("bf16", "cuda")
    assert peak.macs_per_second > 1e12 and peak.bytes_per_second > 1e11
