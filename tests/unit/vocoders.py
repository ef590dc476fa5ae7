"""A vocoder small enough for tests: rt-wavenet with a few channels and random weights."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch

from rtaudio.models.rt_wavenet import RtWaveNet, rt_wavenet
from rtaudio.runtime.model import Model
from rtaudio.training.vocoder_export import graph_tensors
from rtaudio.training.vocoder_network import VocoderNet

tiny_config = partial(
    RtWaveNet,
    pitch_channels=6,
    pitches=5,
    shape_channels=8,
    top_bands=2,
    channels=5,
    dilations=(1, 2),
    input_kernel_size=2,
)


def tiny_network(seed: int = 0) -> VocoderNet:
    """Nothing in it is zero, and nothing loud."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = VocoderNet(tiny_config())
        for name, value in network.named_parameters():
            torch.nn.init.normal_(value, std=0.01 if name.startswith("direct") else 0.2)
        network.shape.bias -= 5
        network.out.weight *= 0.1
    network.level_weight.fill_(1e-4)
    return network


def tiny_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    return graph_tensors(tiny_network(seed))


@lru_cache
def tiny_model() -> Model:
    return Model.from_graph(rt_wavenet(tiny_config()), tiny_tensors(), "tiny")


def speech_like_mel(frames: int, seed: int = 0) -> np.ndarray:
    """[80, frames], between silence and loud."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(-5, 2, (80, frames)), -11.5, 2).astype(np.float32)


HERTZ = 150.0  # what the stand-in for WORLD hears


def hear_harvest(x: np.ndarray, sample_rate: int, hop: int) -> np.ndarray:
    f0 = np.full(len(x) // hop + 1, HERTZ, np.float32)
    f0[::7] = 0
    return f0


def hear_envelopes(
    x: np.ndarray, f0: np.ndarray, sample_rate: int, hop: int, hertz: np.ndarray
) -> np.ndarray:
    return np.full((2, len(hertz), len(f0)), -5, np.float32)
