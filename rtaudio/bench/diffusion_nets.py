"""Diffusion networks to time: the published sizes with random weights, which cost as much as
trained ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.models.importers.diffwave import convert_diffwave
from rtaudio.models.importers.importer import Imported
from rtaudio.models.rt_priorgrad import RtPriorGrad, fixed_tensors, rt_priorgrad

OWN = "rt-priorgrad-24k"
SIZES = {"diffwave-base": (30, 64), "diffwave-large": (30, 128)}  # layers, channels
CYCLE = 10


def diffwave_state(
    layers: int, channels: int, seed: int = 0, mels: int = 80
) -> dict[str, NDArray[np.float32]]:
    """Random weights under the names that the package diffwave gives them."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "input_projection": (channels, 1, 1),
        "diffusion_embedding.projection1": (512, 128),
        "diffusion_embedding.projection2": (512, 512),
        "spectrogram_upsampler.conv1": (1, 1, 3, 32),
        "spectrogram_upsampler.conv2": (1, 1, 3, 32),
        "skip_projection": (channels, channels, 1),
        "output_projection": (1, channels, 1),
    }
    for i in range(layers):
        path = f"residual_layers.{i}."
        shapes[path + "dilated_conv"] = (2 * channels, channels, 3)
        shapes[path + "diffusion_projection"] = (channels, 512)
        shapes[path + "conditioner_projection"] = (2 * channels, mels, 1)
        shapes[path + "output_projection"] = (2 * channels, channels, 1)
    found: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        size = math.prod(shape[1:]) ** -0.5
        found[f"{name}.weight"] = size * rng.standard_normal(shape, np.float32)
        found[f"{name}.bias"] = np.float32(0.1) * rng.standard_normal(shape[0], np.float32)
    return {n: np.asarray(v, np.float32) for n, v in found.items()}


def random_diffwave(name: str) -> tuple[Imported, dict[str, NDArray[np.float32]]]:
    """A published size by its name, and its weights as the package has them."""
    layers, channels = SIZES[name]
    state = diffwave_state(layers, channels)
    return convert_diffwave(state, {"dilation_cycle_length": CYCLE}, name), state


def random_priorgrad() -> Imported:
    """Our own network."""
    config = RtPriorGrad()
    graph = rt_priorgrad(config)
    tensors = {**graph.initial_tensors(), **fixed_tensors(config)}
    return Imported(graph, tensors, {"mel_preset": config.mel})
