"""rt-tcn: a causal denoiser of gated dilated convolutions and one recurrent layer.

The STFT runs at the rate of the input (window = rate / 50, hop = rate / 100), so that the core sees
the same 50 Hz bins up to 8 kHz at every rate: 20 ms from input to output, no resampler. The core
gives a gain a bin, a complex filter over three frames for the low bins (a deep filter,
1904.08369), and gains of bands above 8 kHz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtaudio.errors import RateError
from rtaudio.graph import (
    ISTFT,
    LSTM,
    STFT,
    Activation,
    BandFilter,
    Blend,
    Channels,
    ComplexCompress,
    ComplexGain,
    ComplexPower,
    DeepFilter,
    GatedStack,
    Graph,
    Layer,
    Linear,
    MeanSubtract,
    Merge,
    PReLU,
    Serial,
)
from rtaudio.models.ports import denoiser_graph

BIN_HZ = 50.0
LOWEST_RATE, HIGHEST_RATE = 8_000, 384_000


@dataclass(frozen=True, kw_only=True)
class RtTcn:
    """Sizes of the network. `core_bins` of 50 Hz reach to 8 kHz."""

    core_bins: int = 161
    num_bands: int = 48
    complex_bins: int = 50  # low bins whose compressed spectrum is a feature
    filter_bins: int = 50  # low bins that the deep filter corrects
    filter_taps: int = 3
    channels: int = 64
    kernel_size: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 2)
    hidden: int = 96
    compression: float = 0.3
    mean_seconds: float = 1.0
    floor: float = 1e-10  # added to band powers: about -100 dB of full scale
    high_bands: int = 16  # 8 to 24 kHz

    @property
    def mean_start(self) -> float:
        """Where the running mean of the logarithms begins: -60 dB of full scale."""
        return -6.0 * math.log(10.0)


def supports_rate(sample_rate: int) -> bool:
    """True where a 20 ms window and its hop are whole numbers with a fast transform."""
    if sample_rate % 100 or not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        return False
    window = sample_rate // 50
    for radix in (2, 3, 5, 7):
        while window % radix == 0:
            window //= radix
    return window == 1


def rt_tcn(config: RtTcn, sample_rate: int) -> Graph:
    """The network at a sample rate in Hz. Raises RateError where it cannot frame at it."""
    if not supports_rate(sample_rate):
        raise RateError(
            f"rt-tcn does not frame at {sample_rate} Hz; it runs at rates divisible by 100 from "
            f"{LOWEST_RATE} to {HIGHEST_RATE} Hz with small prime factors (8, 16, 24, 32, 44.1, "
            "48, 96 kHz ...): resample, or use a file, which is resampled for you."
        )
    window, hop = sample_rate // 50, sample_rate // 100
    bins = window // 2 + 1
    coefficients = 2 * config.filter_bins * config.filter_taps
    body = Serial(
        layers=(
            STFT(window=window, hop=hop),
            Merge(op="cat", name="denoiser", branches=(_core(config, bins), Serial())),
            # [gains(bins) | filter coefficients | re(bins) | im(bins)]
            Merge(
                op="cat",
                branches=(
                    _denoise(config, bins, coefficients),
                    Channels(begin=bins + coefficients, end=3 * bins + coefficients),
                ),
            ),
            Blend(control="attenuation_limit_db"),
            ISTFT(window=window, hop=hop),
        )
    )
    return denoiser_graph(body, sample_rate)


def _core(config: RtTcn, bins: int) -> Layer:
    """Spectrum to [gains(bins) | filter coefficients]."""
    heads: list[Layer] = [
        Serial(
            name="gain",
            layers=(
                Linear(name="linear", outputs=config.core_bins),
                Activation(function="sigmoid"),
                Channels(begin=0, end=min(bins, config.core_bins)),
            ),
        )
    ]
    if bins > config.core_bins:
        heads.append(_high_gains(config, bins))
    heads.append(
        Serial(
            name="filter",
            layers=(
                Linear(name="linear", outputs=2 * config.filter_bins * config.filter_taps),
                Activation(function="tanh"),
            ),
        )
    )
    return Serial(
        name="core",
        layers=(
            _low_bins(config, bins),
            _features(config),
            Linear(name="input", outputs=config.channels),
            GatedStack(
                name="stack",
                channels=config.channels,
                gate_channels=config.channels,
                skip_channels=config.channels,
                kernel_size=config.kernel_size,
                dilations=config.dilations,
            ),
            PReLU(name="skip"),
            Merge(op="cat", branches=(Serial(), LSTM(name="lstm", hidden=config.hidden))),
            Merge(op="cat", name="heads", branches=tuple(heads)),
        ),
    )


def _high_gains(config: RtTcn, bins: int) -> Layer:
    """Gains of the bins above the core's, from bands of 8 to 24 kHz."""
    first = config.core_bins * BIN_HZ
    return Serial(
        name="high",
        layers=(
            Linear(name="linear", outputs=config.high_bands),
            Activation(function="sigmoid"),
            BandFilter(
                bins=bins - config.core_bins,
                bands=config.high_bands,
                bin_hz=BIN_HZ,
                scale="linear",
                low_hz=first,
                high_hz=24_000.0,
                transpose=True,
            ),
        ),
    )


def _low_bins(config: RtTcn, bins: int) -> Layer:
    """The core's bins of a complex frame; those a low rate lacks are zero."""
    count = min(bins, config.core_bins)
    missing = config.core_bins - count
    return Merge(
        op="cat",
        branches=(
            Channels(begin=0, end=count, pad=missing),
            Channels(begin=bins, end=bins + count, pad=missing),
        ),
    )


def _features(config: RtTcn) -> Layer:
    """[log band powers | the same less their running mean | compressed low spectrum]."""
    n = config.complex_bins
    return Merge(
        op="cat",
        branches=(
            Serial(
                layers=(
                    ComplexPower(),
                    BandFilter(bins=config.core_bins, bands=config.num_bands, bin_hz=BIN_HZ),
                    Activation(function="affine", a=1.0, b=config.floor),
                    Activation(function="log", a=1e-30),
                    Merge(
                        op="cat",
                        branches=(
                            Serial(),
                            MeanSubtract(
                                alpha=math.exp(-0.01 / config.mean_seconds),
                                initial=config.mean_start,
                            ),
                        ),
                    ),
                )
            ),
            Serial(
                layers=(
                    Merge(
                        op="cat",
                        branches=(
                            Channels(begin=0, end=n),
                            Channels(begin=config.core_bins, end=config.core_bins + n),
                        ),
                    ),
                    ComplexCompress(exponent=config.compression),
                )
            ),
        ),
    )


def _denoise(config: RtTcn, bins: int, coefficients: int) -> Layer:
    """[gains | coefficients | re | im] to gains * (spectrum + its deep filter).

    In this order one closed gain silences its bin; were the filter added after the gain, the two
    would have to cancel exactly.
    """
    spectrum = Channels(begin=bins + coefficients, end=3 * bins + coefficients)
    filtered = Merge(op="add", branches=(_apply_filter(config, bins, coefficients), spectrum))
    return Serial(
        layers=(
            Merge(op="cat", branches=(Channels(begin=0, end=bins), filtered)),
            ComplexGain(),
        )
    )


def _apply_filter(config: RtTcn, bins: int, coefficients: int) -> Layer:
    """[gains | coefficients | re | im] to the deep filter's part of the low bins, zero above."""
    n, spectrum = config.filter_bins, bins + coefficients
    return Serial(
        layers=(
            Merge(
                op="cat",
                branches=(
                    Channels(begin=bins, end=bins + coefficients),
                    Channels(begin=spectrum, end=spectrum + n),
                    Channels(begin=spectrum + bins, end=spectrum + bins + n),
                ),
            ),
            DeepFilter(taps=config.filter_taps, bins=n),
            Merge(
                op="cat",
                branches=(
                    Channels(begin=0, end=n, pad=bins - n),
                    Channels(begin=n, end=2 * n, pad=bins - n),
                ),
            ),
        )
    )
