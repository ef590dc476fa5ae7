"""Noise as a signal, and what a network is told of how much of it there is."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import Kernel, Layer, check_range

MAX_VALUES = 16
MAX_DRAWS = 1000


@frozen
class Noise(Layer):
    """Gaussian noise of variance 1 for each of the input's frames, `values` channels for each of
    `steps` steps of diffusion, the first step's first. The input says when, and nothing else.

    It depends on the frame's place in the signal, and on the seed and the stream that a lane was
    given at its reset: the noise of a step is drawn at the number of steps that follow it.
    """

    kind: ClassVar[str] = "noise"

    steps: int = 1
    values: int = 1

    def __post_init__(self) -> None:
        check_range(self, steps=(self.steps, 1, MAX_DRAWS), values=(self.values, 1, MAX_VALUES))

    def out_channels(self, channels: int) -> int:
        return self.steps * self.values

    def kernel(self, channels: int) -> Kernel:
        return Kernel("noise", {"steps": self.steps, "values": self.values})


@frozen
class NoiseLevel(Layer):
    """Adds the encoding of a noise level, [sin; cos] of level * 10^(-4 i / n) for i < n = half the
    channels (WaveGrad, 2009.00713, figure 3, with the frequencies of LMNT's wavegrad). A Chain sets
    `level` anew for each of its steps."""

    kind: ClassVar[str] = "noise_level"

    level: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, level=(self.level, 0.0, 1e6))

    def out_channels(self, channels: int) -> int:
        if channels % 2:
            raise GraphError(f"noise_level: {channels} channels come in; the number must be even.")
        return channels

    def encoding(self, channels: int) -> NDArray[np.float64]:
        """[channels]"""
        half = channels // 2
        angles = self.level * 10.0 ** (-4.0 * np.arange(half) / half)
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def constant_floats(self, channels: int) -> int:
        return 2 * channels

    def kernel(self, channels: int) -> Kernel:
        bias = self.encoding(channels).astype(np.float32)
        return Kernel("affine", tensors={"scale": np.ones(channels, np.float32), "bias": bias})
