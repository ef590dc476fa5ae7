"""A vocoder small enough for tests: rt-wavenet with a few channels and random weights."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from rtaudio.dsp.pqmf import pqmf_filters
from rtaudio.models.rt_wavenet import RtWaveNet, rt_wavenet
from rtaudio.runtime.model import Model

tiny_config = partial(
    RtWaveNet,
    channels=6,
    gate_channels=5,
    skip_channels=7,
    dilations=(1, 2),
    input_kernel_size=2,
    condition_hidden=8,
    predictors=3,
    predictor_kernel_size=4,
    head_channels=6,
)


def tiny_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    tensors = rt_wavenet(tiny_config()).initial_tensors(seed)
    (power,) = (name for name in tensors if name.endswith("levels.power.weight"))
    (floor,) = (name for name in tensors if name.endswith("levels.power.bias"))
    tensors[power] = np.full_like(tensors[power], 1e-4)
    tensors[floor] = np.full_like(tensors[floor], 1e-8)
    (smooth,) = (name for name in tensors if name.endswith("levels.smooth.weight"))
    tensors[smooth] = np.full_like(tensors[smooth], 0.5)
    (bank,) = (name for name in tensors if name.endswith("synthesis.weight"))
    tensors[bank] = pqmf_filters(4)[1][:, None].astype(np.float32)
    return tensors


@lru_cache
def tiny_model() -> Model:
    return Model.from_graph(rt_wavenet(tiny_config()), tiny_tensors(), "tiny")


def speech_like_mel(frames: int, seed: int = 0) -> np.ndarray:
    """[80, frames], between silence and loud."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(-5, 2, (80, frames)), -11.5, 2).astype(np.float32)
