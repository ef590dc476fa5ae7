"""Autoregressive WaveNets on a GPU: in the strict mode the CPU's bits, in the other near them.

One lane and three are alone in their group of blocks, 20 and 40 too on a large GPU; 300 go by
eights. In bf16dot, where tensor cores multiply, all do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rtaudio import Session
from rtaudio.graph import Mixture, MuLawSoftmax, Sampler
from rtaudio.graph.layer import FloatArray
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


def mels(model: Model, lanes: int = 1) -> FloatArray:
    shape = (lanes, FRAMES, model.graph.input.channels)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def answer(model: Model, x: FloatArray, frames: int = FRAMES) -> FloatArray:
    """In calls of so many frames."""
    session = Session(model, lanes=len(x), max_ticks=frames)
    calls = [session.process(x[:, t : t + frames]) for t in range(0, FRAMES, frames)]
    return np.concatenate(calls, axis=1)


@pytest.mark.parametrize("lanes", [1, 3, 40, 300])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_strict_is_the_cpu_in_bits(name: str, precision: str, lanes: int) -> None:
    here, there = models(name, precision, "cuda-strict")
    x = mels(here, lanes)
    whole = answer(here, x)
    np.testing.assert_array_equal(answer(there, x), whole)
    np.testing.assert_array_equal(answer(there, x, 1), whole)


def test_states_move_between_the_two() -> None:
    here, there = models("codes", "fp32", "cuda-strict")
    x = mels(here)[0]
    whole = here.stream(channels=x.shape[1]).push(x)
    first, second, third = (model.stream(channels=x.shape[1]) for model in (there, here, there))
    parts = [first.push(x[:2])]
    second.load_state(first.save_state())
    parts.append(second.push(x[2:3]))
    third.load_state(second.save_state())
    parts.append(third.push(x[3:]))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_other_sums_are_near() -> None:
    # A Gaussian's samples move with its parameters, and what is fed back with them.
    gaussian = config(head=Mixture(distribution="gaussian", components=1), start=0.0)
    graph = wavenet_vocoder(gaussian)
    tensors = graph.initial_tensors(0)
    here = Model.from_graph(graph, tensors)
    there = Model.from_graph(graph, tensors, device="cuda")
    for lanes in (1, 300):
        x = mels(here, lanes)
        np.testing.assert_allclose(answer(there, x), answer(here, x), atol=1e-3)


def wide(**changes: Any) -> WaveNet:
    """Channels that fill tiles, and such as do not."""
    return config(
        arrays=(Array(channels=64, hidden=64, dilations=(1, 2, 4, 8, 16, 32, 64, 128)),),
        skip_channels=250,
        **changes,
    )


@pytest.mark.parametrize("lanes", [1, 8, 20, 300])
@pytest.mark.parametrize("form", ["narrow", "wide"])
def test_tensor_cores_are_near(form: str, lanes: int) -> None:
    # A value that rounds to another bf16 is 2^-8 of itself away, and is fed back.
    head = {"head": Mixture(distribution="gaussian", components=1), "start": 0.0}
    graph = wavenet_vocoder(config(**head) if form == "narrow" else wide(**head))
    tensors = graph.initial_tensors(0)
    here = Model.from_graph(graph, tensors, precision="bf16dot")
    there = Model.from_graph(graph, tensors, precision="bf16dot", device="cuda")
    x = mels(here, lanes)
    near, found = answer(here, x), answer(there, x)
    np.testing.assert_allclose(found, near, atol=5e-2)
    assert (found != near).any()  # or they were done as on the CPU


@pytest.mark.parametrize("precision", ["bf16", "bf16dot"])
def test_a_lane_has_the_same_bits_in_any_company(precision: str) -> None:
    graph = wavenet_vocoder(wide())
    model = Model.from_graph(graph, graph.initial_tensors(0), precision=precision, device="cuda")
    x = mels(model, 300)
    whole = answer(model, x)
    np.testing.assert_array_equal(answer(model, x, 1), whole)
    for lanes in (1, 8, 20):
        np.testing.assert_array_equal(answer(model, x[:lanes]), whole[:lanes])


MEMORY = """
from tests.gpu.test_wavenet import *
for name in CONFIGS:
    for lanes in (3, 300):
        test_strict_is_the_cpu_in_bits(name, "bf16", lanes)
for lanes in (1, 20, 300):
    for form in ("narrow", "wide"):
        test_tensor_cores_are_near(form, lanes)
"""


def test_blocks_without_clusters_give_the_same() -> None:
    subprocess.run(
        [sys.executable, "-c", MEMORY],
        env=os.environ | {"RTAUDIO_CUDA_LINKS": "memory"},
        check=True,
        timeout=300,
    )
