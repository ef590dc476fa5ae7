"""DeepFilterNet3: gains of 32 bands above 4.8 kHz, a complex filter over five frames below.

Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement" (2305.08227):
48 kHz, frames of 960 samples, a hop of 480. Maps are [band, channel] throughout.

The network looks two frames ahead. Its layers count frames as they come, so its coefficients at
frame n are for frame n - 2; the inverse transform puts the answer two hops back (`late_frames`).
"""

from __future__ import annotations

import math

from rtaudio.graph import (
    ISTFT,
    STFT,
    Blend,
    Channels,
    ComplexGain,
    Conv1d,
    DeepFilter,
    Graph,
    Layer,
    Linear,
    Merge,
    Serial,
)
from rtaudio.models.dfn3_network import BANDS, BINS, COEFFICIENTS, FILTER_BINS, TAPS, network
from rtaudio.models.ports import denoiser_graph

SAMPLE_RATE = 48_000
WINDOW, HOP, LOOKAHEAD = 960, 480, 2
HIGH_BINS = BINS - FILTER_BINS


def dfn3() -> Graph:
    """The published network, without its post-filter and its short-cuts by estimated SNR."""
    spectrum = BANDS + COEFFICIENTS
    body = Serial(
        layers=(
            STFT(window=WINDOW, hop=HOP, window_kind="vorbis", extra_frames=LOOKAHEAD),
            Merge(op="cat", name="network", branches=(network(), Serial())),
            # [gains(BANDS) | coefficients | re(BINS) | im(BINS)]
            Merge(
                op="cat",
                name="apply",
                branches=(
                    Channels(begin=0, end=BANDS),
                    _filtered(),
                    Serial(
                        name="late",
                        layers=(Channels(begin=spectrum, end=spectrum + 2 * BINS), _late()),
                    ),
                ),
            ),
            # [gains | filtered re, im (FILTER_BINS) | re, im (BINS), all of two frames ago]
            Merge(op="cat", name="output", branches=(_spliced(), _late_spectrum())),
            Blend(control="attenuation_limit_db"),
            ISTFT(window=WINDOW, hop=HOP, window_kind="vorbis", late_frames=LOOKAHEAD),
        )
    )
    return denoiser_graph(body, SAMPLE_RATE)


def band_widths() -> tuple[int, ...]:
    """Bins of each band: equal steps on the ERB scale (Glasberg and Moore 1990), at least two."""
    highest = 9.265 * math.log1p(SAMPLE_RATE / 2 / (24.7 * 9.265))
    widths, last, borrowed = [], 0, 0
    for band in range(1, BANDS + 1):
        edge_hz = 24.7 * 9.265 * (math.exp(highest * band / BANDS / 9.265) - 1)
        edge = round(edge_hz * WINDOW / SAMPLE_RATE)
        width = edge - last - borrowed
        borrowed = max(0, 2 - width)
        widths.append(max(width, 2))
        last = edge
    widths[-1] += BINS - sum(widths)
    return tuple(widths)


def _late() -> Layer:
    """Every channel LOOKAHEAD frames later; its weights are ones."""
    return Conv1d(
        name="delay",
        outputs=2 * BINS,
        kernel_size=1,
        groups=2 * BINS,
        lookahead_frames=-LOOKAHEAD,
        bias=False,
    )


def _late_spectrum() -> Layer:
    return Channels(begin=BANDS + 2 * FILTER_BINS, end=BANDS + 2 * FILTER_BINS + 2 * BINS)


def _filtered() -> Layer:
    """[gains | coefficients | re | im] to the deep filter's low bins [re; im]."""
    spectrum = BANDS + COEFFICIENTS
    return Serial(
        layers=(
            Merge(
                op="cat",
                branches=(
                    Channels(begin=BANDS, end=spectrum),
                    Channels(begin=spectrum, end=spectrum + FILTER_BINS),
                    Channels(begin=spectrum + BINS, end=spectrum + BINS + FILTER_BINS),
                ),
            ),
            DeepFilter(taps=TAPS, bins=FILTER_BINS),
        )
    )


def _spliced() -> Layer:
    """The filtered low bins and, above them, the gains times the spectrum of two frames ago."""
    low, late = BANDS, BANDS + 2 * FILTER_BINS
    gains = Serial(
        name="gains",
        layers=(
            Channels(begin=0, end=BANDS),
            Linear(name="widen", outputs=HIGH_BINS, bias=False),
        ),
    )
    high = Serial(
        name="high",
        layers=(
            Merge(
                op="cat",
                name="factors",
                branches=(
                    gains,
                    Channels(begin=late + FILTER_BINS, end=late + BINS),
                    Channels(begin=late + BINS + FILTER_BINS, end=late + 2 * BINS),
                ),
            ),
            ComplexGain(),
        ),
    )
    first = 2 * FILTER_BINS
    return Serial(
        name="spliced",
        layers=(
            Merge(op="cat", name="parts", branches=(Channels(begin=low, end=low + first), high)),
            Merge(
                op="cat",
                branches=(
                    Channels(begin=0, end=FILTER_BINS),
                    Channels(begin=first, end=first + HIGH_BINS),
                    Channels(begin=FILTER_BINS, end=first),
                    Channels(begin=first + HIGH_BINS, end=first + 2 * HIGH_BINS),
                ),
            ),
        ),
    )
