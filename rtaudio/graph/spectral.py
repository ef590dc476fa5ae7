"""Short-time spectra as layers. A complex frame is [re(0..bins), im(0..bins)]."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.bands import erb_bands, linear_bands, mel_bands
from rtaudio.dsp.windows import analysis_window, synthesis_window
from rtaudio.errors import GraphError
from rtaudio.graph.conv import linear_kernel
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    Kernel,
    Layer,
    Overlap,
    Window,
    check_channels,
    check_range,
)

MAX_WINDOW = 1 << 15
MAX_LATE = 64
MAX_BANDS = 2048
MAX_BAND_WEIGHTS = 1 << 23


def check_framing(layer: Layer, window: int, hop: int) -> None:
    check_range(layer, window=(window, 2, MAX_WINDOW), hop=(hop, 1, window))
    n = window
    for radix in (2, 3, 5, 7):
        while n % radix == 0:
            n //= radix
    if n != 1:
        raise GraphError(f"{layer.kind}: window is {window}; it must be a product of 2, 3, 5, 7.")


@frozen
class STFT(Layer):
    """Real samples to complex frames: X[n] = rfft(w * x[n * hop + hop - window ...]) / window.

    Frame n ends with sample n * hop + hop - 1 - lag (causal). Dividing by the window's length makes
    bins of the same width agree between sample rates. Frames go on until none touches the signal,
    and `extra_frames` longer. `fft_size`, if given, is the transform's length: zeros follow the
    window, so that bins lie closer.
    """

    kind: ClassVar[str] = "stft"

    window: int
    hop: int
    window_kind: str = "sqrt_hann"
    lag: int = 0
    extra_frames: int = 0
    fft_size: int = 0

    def __post_init__(self) -> None:
        check_framing(self, self.length, self.hop)
        check_range(
            self,
            window=(self.window, max(2, self.hop), self.length),
            lag=(self.lag, 0, MAX_WINDOW),
            extra_frames=(self.extra_frames, 0, MAX_LATE),
        )
        analysis_window(self.window_kind, self.window, self.hop)

    @property
    def length(self) -> int:
        """The transform's."""
        return self.fft_size or self.window

    @property
    def bins(self) -> int:
        return self.length // 2 + 1

    def rule(self) -> Window:
        tail = self.window - self.hop + self.lag + self.extra_frames * self.hop
        return Window(self.window, self.hop, -self.lag, tail=tail)

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, 1)
        return 2 * self.bins

    def constant_floats(self, channels: int) -> int:
        return self.window

    def macs_per_frame(self, channels: int) -> float:
        return (2.5 * self.length * math.log2(self.length) + self.window) / self.hop / 2

    def kernel(self, channels: int) -> Kernel:
        window = analysis_window(self.window_kind, self.window, self.hop) / self.window
        padded = {"fft": self.fft_size} if self.fft_size else {}
        return Kernel(
            "stft",
            {"window": self.window, "hop": self.hop, **padded},
            tensors={"window": window.astype(np.float32)},
        )


class InverseSTFT(Layer):
    """Overlap-add of frames, one a hop, each the weighted inverse transform of its [re; im].

    A kind has its frames' `length` and `weights`, and says in `rule` which sums are no samples of
    the signal.
    """

    hop: int

    @property
    def length(self) -> int:
        """Samples of a frame: the transform's."""
        raise NotImplementedError

    def weights(self) -> NDArray[np.float64]:
        """[length], for an inverse transform that is not divided by its length."""
        raise NotImplementedError

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, 2 * (self.length // 2 + 1))
        return 1

    def constant_floats(self, channels: int) -> int:
        return self.length

    def macs_per_frame(self, channels: int) -> float:
        return (2.5 * self.length * math.log2(self.length) + self.length) / 2

    def kernel(self, channels: int) -> Kernel:
        ints = {"window": self.length, "hop": self.hop}
        return Kernel("istft", ints, tensors={"window": self.weights().astype(np.float32)})


class PaddedISTFT(InverseSTFT):
    """Its frames go on after what was transformed, as zeros or as what a filter rings."""

    fft_size: int

    @property
    def length(self) -> int:
        return self.fft_size


@frozen
class ISTFT(InverseSTFT):
    """The inverse of STFT with the same numbers: weighted overlap-add, exact at both ends.

    `late_frames`: frame n is that of time n - late_frames, as a network gives it that looks ahead
    by waiting; the first ones are of no time in the signal and their samples are dropped. The STFT
    makes as many `extra_frames`.
    """

    kind: ClassVar[str] = "istft"

    window: int
    hop: int
    window_kind: str = "sqrt_hann"
    late_frames: int = 0

    def __post_init__(self) -> None:
        check_framing(self, self.window, self.hop)
        check_range(
            self,
            late_frames=(self.late_frames, 0, MAX_LATE),
            late_samples=(self.rule().crop, 0, MAX_WINDOW),
        )
        synthesis_window(self.window_kind, self.window, self.hop)

    @property
    def length(self) -> int:
        return self.window

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    def rule(self) -> Overlap:
        dropped = self.window - self.hop + self.late_frames * self.hop
        return Overlap(self.window, self.hop, crop=dropped, trim=dropped)

    def weights(self) -> NDArray[np.float64]:
        # The STFT divided by the window's length.
        return synthesis_window(self.window_kind, self.window, self.hop)


@frozen
class CentredISTFT(PaddedISTFT):
    """Weighted overlap-add of [re; im] frames, the n-th around sample n * hop: the inverse of
    rfft(w x) / fft_size, w a Hann window of `window` samples, zeros after it. Frames before the
    first and after the last count as zero."""

    kind: ClassVar[str] = "centred_istft"

    fft_size: int
    window: int
    hop: int

    def __post_init__(self) -> None:
        check_framing(self, self.fft_size, self.hop)
        check_range(self, window=(self.window, self.hop, self.fft_size))
        check_range(self, late=(self.window // 2, 0, self.fft_size - self.hop))
        synthesis_window("hann", self.window, self.hop)

    def rule(self) -> Overlap:
        return Overlap(self.fft_size, self.hop, crop=self.window // 2)

    def weights(self) -> NDArray[np.float64]:
        window = np.zeros(self.fft_size)
        window[: self.window] = synthesis_window("hann", self.window, self.hop)
        return window


@frozen
class HopISTFT(PaddedISTFT):
    """Adds up [re; im] of frames of fft_size samples, each beginning with its hop: the inverse of
    an STFT of hops by themselves (a rectangular window of a hop). Between the two, filters of up
    to fft_size - hop samples have no delay."""

    kind: ClassVar[str] = "hop_istft"

    fft_size: int
    hop: int

    def __post_init__(self) -> None:
        check_framing(self, self.fft_size, self.hop)

    def rule(self) -> Overlap:
        return Overlap(self.fft_size, self.hop)

    def weights(self) -> NDArray[np.float64]:
        # The STFT divided by the hop.
        return np.full(self.fft_size, self.hop / self.fft_size)


@frozen
class Cepstrum(Layer):
    """The real cepstrum's coefficients 0 to `order` of a log magnitude, fft_size // 2 + 1 bins."""

    kind: ClassVar[str] = "cepstrum"

    fft_size: int
    order: int

    def __post_init__(self) -> None:
        _check_cepstrum(self, self.fft_size, self.order)

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, self.fft_size // 2 + 1)
        return self.order + 1

    def constant_floats(self, channels: int) -> int:
        return channels * (self.order + 1)

    def macs_per_frame(self, channels: int) -> float:
        return channels * (self.order + 1)

    def matrix(self) -> NDArray[np.float64]:
        """[order + 1, bins]"""
        bins = np.arange(self.fft_size // 2 + 1)
        both = np.where((bins == 0) | (2 * bins == self.fft_size), 1.0, 2.0)  # a bin and its mirror
        turns = np.arange(self.order + 1)[:, None] * bins % self.fft_size / self.fft_size
        return np.asarray(both * np.cos(2 * np.pi * turns) / self.fft_size)

    def kernel(self, channels: int) -> Kernel:
        return linear_kernel({"weight": self.matrix().astype(np.float32)[:, :, None]})


@frozen
class MinimumPhase(Layer):
    """The complex logarithm of the minimum-phase spectrum with these cepstral coefficients, 0 to
    `order`: [re; im], fft_size // 2 + 1 bins each (Oppenheim and Schafer, Discrete-Time Signal
    Processing, section 12.5: c0, 2 c1, 2 c2 ... transformed)."""

    kind: ClassVar[str] = "minimum_phase"

    fft_size: int
    order: int

    def __post_init__(self) -> None:
        _check_cepstrum(self, self.fft_size, self.order)

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, self.order + 1)
        return 2 * (self.fft_size // 2 + 1)

    def constant_floats(self, channels: int) -> int:
        return channels * 2 * (self.fft_size // 2 + 1)

    def macs_per_frame(self, channels: int) -> float:
        return self.constant_floats(channels)

    def matrix(self) -> NDArray[np.float64]:
        """[2 * bins, order + 1]"""
        k = np.arange(self.order + 1)
        folded = np.where((k == 0) | (2 * k == self.fft_size), 1.0, 2.0)
        bins = np.arange(self.fft_size // 2 + 1)[:, None]
        angles = 2 * np.pi * (bins * k % self.fft_size) / self.fft_size
        return np.concatenate([folded * np.cos(angles), -folded * np.sin(angles)])

    def kernel(self, channels: int) -> Kernel:
        return linear_kernel({"weight": self.matrix().astype(np.float32)[:, :, None]})


def _check_cepstrum(layer: Layer, fft_size: int, order: int) -> None:
    check_range(layer, fft_size=(fft_size, 2, MAX_WINDOW), order=(order, 0, fft_size // 2))


@frozen
class BandFilter(Layer):
    """A fixed matrix from `bins` to `bands` (or back, `transpose`), triangles on a scale.

    Bin i lies at low_hz + i * bin_hz. Scales "erb" and "linear" (rtaudio.dsp.bands): triangles
    whose rows sum to one; transposed, each bin is interpolated between its bands. Scale "mel":
    Slaney's triangles.
    """

    kind: ClassVar[str] = "band_filter"

    bins: int
    bands: int
    bin_hz: float
    scale: str = "erb"
    low_hz: float = 0.0
    high_hz: float = 0.0
    transpose: bool = False

    def __post_init__(self) -> None:
        check_range(
            self,
            bins=(self.bins, 1, MAX_CHANNELS),
            bands=(self.bands, 1, MAX_BANDS),
            bin_hz=(self.bin_hz, 1e-3, 1e6),
            low_hz=(self.low_hz, 0.0, 1e6),
            high_hz=(self.high_hz, 0.0, 1e6),
        )
        if self.scale not in ("erb", "linear", "mel"):
            raise GraphError(f"band_filter: scale is {self.scale!r}, not erb, linear or mel.")
        # Bins up to high_hz: the bands are laid out over them, whether the layer has them or not.
        top = self.high_hz or self.low_hz + (self.bins - 1) * self.bin_hz
        count = round((top - self.low_hz) / self.bin_hz) + 1
        if max(count, self.bins) * self.bands > MAX_BAND_WEIGHTS:
            raise GraphError(
                f"band_filter: {self.bands} bands over {max(count, self.bins)} bins are more than "
                f"{MAX_BAND_WEIGHTS} weights; use fewer."
            )
        if self.scale == "mel" and self.low_hz >= (self.bins - 1) * self.bin_hz:
            raise GraphError(f"band_filter: low_hz is {self.low_hz}; it must lie below the bins.")
        if self.scale != "mel" and self.bands > count:
            raise GraphError(f"band_filter: {self.bands} bands leave some without a bin.")

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, self.bands if self.transpose else self.bins)
        return self.bins if self.transpose else self.bands

    def constant_floats(self, channels: int) -> int:
        return self.bins * self.bands

    def matrix(self) -> np.ndarray:
        """[outputs, inputs] in float64."""
        if self.scale == "mel":
            matrix = mel_bands(self.bins, self.bands, self.bin_hz, self.low_hz)
            return np.ascontiguousarray(matrix.T) if self.transpose else matrix
        top = self.high_hz or self.low_hz + (self.bins - 1) * self.bin_hz
        make = erb_bands if self.scale == "erb" else linear_bands
        return make(
            self.bins,
            self.bands,
            self.bin_hz,
            low_hz=self.low_hz,
            high_hz=top,
            transpose=self.transpose,
        )

    def macs_per_frame(self, channels: int) -> float:
        return self.bins * self.bands

    def kernel(self, channels: int) -> Kernel:
        return linear_kernel({"weight": self.matrix().astype(np.float32)[:, :, None]})


@frozen
class ComplexPower(Layer):
    """re^2 + im^2: 2 * bins channels to bins."""

    kind: ClassVar[str] = "complex_power"

    def out_channels(self, channels: int) -> int:
        return _half(self, channels)

    def kernel(self, channels: int) -> Kernel:
        return Kernel("complex_power")


@frozen
class ComplexCompress(Layer):
    """x * (re^2 + im^2 + eps)^((exponent - 1) / 2)."""

    kind: ClassVar[str] = "complex_compress"

    exponent: float
    eps: float = 1e-12

    def __post_init__(self) -> None:
        check_range(self, exponent=(self.exponent, 0.0, 4.0), eps=(self.eps, 1e-30, 1.0))

    def out_channels(self, channels: int) -> int:
        _half(self, channels)
        return channels

    def kernel(self, channels: int) -> Kernel:
        return Kernel("complex_compress", floats={"exponent": self.exponent, "eps": self.eps})


@frozen
class ComplexGain(Layer):
    """Input [gains(bins); re; im]: both parts times the real gain of their bin."""

    kind: ClassVar[str] = "complex_gain"

    def out_channels(self, channels: int) -> int:
        if channels % 3:
            raise GraphError(f"complex_gain: {channels} channels come in; it needs 3 * bins.")
        return channels // 3 * 2

    def kernel(self, channels: int) -> Kernel:
        return Kernel("complex_gain")


@frozen
class DeepFilter(Layer):
    """A complex filter over time, per bin (Mack and Habets, 1904.08369).

    Input [coefficients(taps, 2 * bins); re; im], taps oldest first, the last on the present frame:
    y[n] = sum_i c_i[n] * x[n - taps + 1 + i]. Output [re; im].
    """

    kind: ClassVar[str] = "deep_filter"

    taps: int
    bins: int

    def __post_init__(self) -> None:
        check_range(self, taps=(self.taps, 1, 64), bins=(self.bins, 1, MAX_CHANNELS // 4))

    def rule(self) -> Window:
        return Window(self.taps)

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, 2 * self.bins * (self.taps + 1))
        return 2 * self.bins

    def macs_per_frame(self, channels: int) -> float:
        return 4 * self.bins * self.taps

    def kernel(self, channels: int) -> Kernel:
        return Kernel("deep_filter", {"taps": self.taps, "bins": self.bins})


def _half(layer: Layer, channels: int) -> int:
    if channels % 2:
        raise GraphError(f"{layer.kind}: {channels} channels come in; a complex frame is even.")
    return channels // 2
