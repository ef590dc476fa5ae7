"""Noise as a signal, and what a network is told of how much of it there is."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import GraphError
from rtaudio.graph.composite import Merge, Serial, Unrolled
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import Kernel, Layer, check_range
from rtaudio.graph.spectral import CentredISTFT, DeepFilter, check_framing

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


@frozen
class NoiseSpectrum(Layer):
    """A spectrum of the noise of a step for each of the input's frames, which say when, and nothing
    else: [re; im] of rfft(w z) / fft_size, w a Hann window of `window` samples whose middle is
    sample n * hop in the n-th frame. Noise is known before its time, so this one looks at none."""

    kind: ClassVar[str] = "noise_spectrum"

    step: int
    fft_size: int
    window: int
    hop: int

    def __post_init__(self) -> None:
        check_framing(self, self.fft_size, self.hop)
        check_range(
            self, step=(self.step, 1, MAX_DRAWS), window=(self.window, self.hop, self.fft_size)
        )

    def out_channels(self, channels: int) -> int:
        return 2 * (self.fft_size // 2 + 1)

    def constant_floats(self, channels: int) -> int:
        return self.window

    def kernel(self, channels: int) -> Kernel:
        window = analysis_window("hann", self.window, self.hop) / self.fft_size
        ints = {"fft": self.fft_size, "window": self.window, "hop": self.hop, "step": self.step}
        return Kernel("noise_spectrum", ints, tensors={"window": window.astype(np.float32)})


@frozen
class FilteredNoise(Unrolled):
    """SpecGrad's noise (2203.16749, equations 9 to 11): y = G+ D G z, z the noise of a step, G the
    STFT and G+ its pseudo-inverse, a channel for each of `steps` steps, the first step's first.

    `filter` makes [re; im] of D's diagonal, fft_size // 2 + 1 each, of a frame; the n-th frame's is
    that of the window around sample n * hop, which lasts half a `window` beyond. Outside the
    signal's frames D is 0.
    """

    kind: ClassVar[str] = "filtered_noise"

    filter: Layer
    steps: int = 1
    fft_size: int = 2048
    window: int = 1200
    hop: int = 300

    def __post_init__(self) -> None:
        check_range(self, steps=(self.steps, 1, MAX_DRAWS))

    def parts(self) -> tuple[Layer, ...]:
        branches = tuple(self._noise(step) for step in range(self.steps, 0, -1))
        return (Serial(layers=(self.filter, Merge(op="cat", name="noise", branches=branches))),)

    def _noise(self, step: int) -> Serial:
        size, window, hop = self.fft_size, self.window, self.hop
        spectrum = NoiseSpectrum(step=step, fft_size=size, window=window, hop=hop)
        both = Merge(op="cat", branches=(Serial(), spectrum))
        product = DeepFilter(taps=1, bins=size // 2 + 1)
        return Serial(layers=(both, product, CentredISTFT(fft_size=size, window=window, hop=hop)))
