"""Autoregressive WaveNets on a GPU: in the strict mode the CPU's bits, in the other near them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rtaudio.graph import Mixture, MuLawSoftmax, Sampler
from rtaudio.models.autoregressive import Array, WaveNet, wavenet_vocoder
from rtaudio.runtime.model import Model

FRAMES, HOP = 5, 32


def config(**changes: Any) -> WaveNet:
    layers: dict[str, Any] = {
        "sample_rate": 16_000,
        "hop": HOP,
        "mel_channels": 4,
        "arrays": (Array(channels=24, hidden=20, dilations=(1, 2, 4, 8, 1, 2, 4, 8, 16)),),
        "skip_channels": 40,
        "head_channels": (48,),
        "head": MuLawSoftmax(),
        "start": 128.0,
    }
    return WaveNet(**{**layers, **changes})


CONFIGS = {
    "codes": config(),
    "logistic": config(head=Mixture(distribution="logistic", components=10), start=0.0),
    "voiced": config(sampler=Sampler(mode="mode")),
    "kernel of 3": config(
        arrays=(Array(channels=40, hidden=33, dilations=(1, 3, 9), kernel_size=3),)
    ),
    "one layer": config(arrays=(Array(channels=8, hidden=8, dilations=(1,)),)),
}


def models(name: str, precision: str, device: str) -> tuple[Model, Model]:
    graph = wavenet_vocoder(CONFIGS[name])
    tensors = graph.initial_tensors(0)
    return (
        Model.from_graph(graph, tensors, name, precision),
        Model.from_graph(graph, tensors, name, precision, device),
    )


def mels(model: Model, lanes: int = 1) -> np.ndarray:
    shape = (FRAMES, model.graph.input.channels * lanes)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("lanes", [1, 3, 40])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_strict_is_the_cpu_in_bits(name, precision, lanes):
    here, there = models(name, precision, "cuda-strict")
    x = mels(here, lanes)
    whole = here.stream(channels=lanes).push(x)
    np.testing.assert_array_equal(there.stream(channels=lanes).push(x), whole)
    stream = there.stream(channels=lanes)
    parts = [stream.push(x[i : i + 1]) for i in range(FRAMES)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_states_move_between_the_two():
    here, there = models("codes", "fp32", "cuda-strict")
    x = mels(here)
    whole = here.stream().push(x)
    first, second, third = there.stream(), here.stream(), there.stream()
    parts = [first.push(x[:2])]
    second.load_state(first.save_state())
    parts.append(second.push(x[2:3]))
    third.load_state(second.save_state())
    parts.append(third.push(x[3:]))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_other_sums_are_near():
    # A Gaussian's samples move with its parameters, and what is fed back with them.
    gaussian = config(head=Mixture(distribution="gaussian", components=1), start=0.0)
    graph = wavenet_vocoder(gaussian)
    tensors = graph.initial_tensors(0)
    here = Model.from_graph(graph, tensors)
    there = Model.from_graph(graph, tensors, device="cuda")
    x = mels(here)
    np.testing.assert_allclose(there.stream().push(x), here.stream().push(x), atol=1e-3)


MEMORY = """
from tests.gpu.test_wavenet import *
for name in CONFIGS:
    here, there = models(name, "bf16", "cuda-strict")
    x = mels(here, 3)
    assert (there.stream(channels=3).push(x) == here.stream(channels=3).push(x)).all(), name
"""


def test_blocks_without_clusters_give_the_same():
    subprocess.run(
        [sys.executable, "-c", MEMORY],
        env=os.environ | {"RTAUDIO_CUDA_LINKS": "memory"},
        check=True,
        timeout=120,
    )
