"""Diffusion networks to time: the published sizes with random weights, which cost as much as
trained ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.models.importers.diffwave import convert_diffwave
from rtaudio.models.importers.importer import Imported
from rtaudio.models.importers.wavegrad import convert_wavegrad
from rtaudio.models.rt_priorgrad import RtPriorGrad, fixed_tensors, rt_priorgrad

OWN = "rt-priorgrad-24k"
SIZES = {"diffwave-base": (30, 64), "diffwave-large": (30, 128)}  # layers, channels
CYCLE = 10
WAVEGRAD = "wavegrad"


def diffwave_state(
    layers: int, channels: int, seed: int = 0, mels: int = 80
) -> dict[str, NDArray[np.float32]]:
    """Random weights under the names that the package diffwave gives them."""
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
    return _random(shapes, seed)


def wavegrad_state(
    down: tuple[int, ...] = (32, 128, 128, 256, 512),
    up: tuple[int, ...] = (512, 512, 256, 128, 128),
    first: int = 768,
    mels: int = 128,
    seed: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Random weights under the names that the package wavegrad gives them; `up` in its order."""
    shapes: dict[str, tuple[int, ...]] = {
        "downsample.0": (down[0], 1, 5),
        "first_conv": (first, mels, 3),
        "last_conv": (1, up[-1], 3),
    }
    for i in range(1, len(down)):
        path, before, after = f"downsample.{i}.", down[i - 1], down[i]
        shapes[path + "residual_dense"] = (after, before, 1)
        for j in range(3):
            shapes[path + f"conv.{j}"] = (after, after if j else before, 3)
    for i, channels in enumerate(down):
        shapes[f"film.{i}.input_conv"] = (channels, channels, 3)
        shapes[f"film.{i}.output_conv"] = (2 * up[len(up) - 1 - i], channels, 3)
    for i, channels in enumerate(up):
        path, before = f"upsample.{i}.", up[i - 1] if i else first
        shapes[path + "block1"] = (channels, before, 1)
        for block in ("block2", "block3"):
            for j in range(2):
                inputs = before if block == "block2" and not j else channels
                shapes[path + f"{block}.{j}"] = (channels, inputs, 3)
    return _random(shapes, seed)


def _random(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        size = math.prod(shape[1:]) ** -0.5
        found[f"{name}.weight"] = size * rng.standard_normal(shape, np.float32)
        found[f"{name}.bias"] = np.float32(0.1) * rng.standard_normal(shape[0], np.float32)
    return {n: np.asarray(v, np.float32) for n, v in found.items()}


def random_wavegrad() -> tuple[Imported, dict[str, NDArray[np.float32]]]:
    """The published size, and its weights as the package has them."""
    state = wavegrad_state()
    return convert_wavegrad(state, {}, WAVEGRAD), state


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
