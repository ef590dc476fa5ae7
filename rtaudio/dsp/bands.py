"""Filter banks: ERB bands of a few bins each, and mel triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def hz_to_erb(hz: Matrix | float) -> Matrix:
    """Glasberg and Moore (1990): ERB-rate."""
    return np.asarray(21.4 * np.log10(1.0 + 0.00437 * np.asarray(hz, dtype=np.float64)))


def erb_bands(
    bins: int,
    bands: int,
    bin_hz: float,
    *,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
    transpose: bool = False,
) -> Matrix:
    """Triangular bands between `low_hz` and `high_hz` (0: the last bin), [bands, bins].

    Bin i lies at low_hz + i * bin_hz. Centres take equal steps of ERB rate, but never less than
    one bin, so low bands are single bins. Every bin is shared by its two neighbouring bands with
    weights that sum to one: that is the transpose, [bins, bands]; bins above the last centre
    belong to the last band. The forward matrix has rows that sum to one (or to zero, where no bin
    lies in the band).
    """
    count = round((high_hz - low_hz) / bin_hz) + 1 if high_hz else bins
    rate = hz_to_erb(low_hz + np.arange(count, dtype=np.float64) * bin_hz)
    centres = np.zeros(bands)
    for band in range(1, bands):
        here = np.interp(centres[band - 1], np.arange(count), rate)
        target = np.interp(here + (rate[-1] - here) / (bands - band), rate, np.arange(count))
        centres[band] = min(max(target, centres[band - 1] + 1.0), count - 1.0)
    return _spread(bins, centres, transpose)


def linear_bands(
    bins: int, bands: int, bin_hz: float, *, low_hz: float, high_hz: float, transpose: bool = False
) -> Matrix:
    """As erb_bands, with centres in equal steps of frequency."""
    centres = np.linspace(0.0, (high_hz - low_hz) / bin_hz, bands)
    return _spread(bins, centres, transpose)


def _spread(bins: int, centres: Matrix, transpose: bool) -> Matrix:
    spread = straight_lines(np.arange(bins), centres)
    if transpose:
        return np.ascontiguousarray(spread)
    return np.ascontiguousarray(spread.T / np.maximum(spread.sum(axis=0), 1e-9)[:, None])


def straight_lines(at: Matrix | NDArray[np.int64], centres: Matrix) -> Matrix:
    """[at, centres]: values at ascending `centres` to lines between them; level beyond their
    ends."""
    return np.stack([np.interp(at, centres, row) for row in np.eye(len(centres))], axis=1)


def mel_bands(
    bins: int,
    bands: int,
    bin_hz: float,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
    *,
    scale: str = "slaney",
) -> Matrix:
    """Mel triangles between `low_hz` and `high_hz` (0: the last bin), [bands, bins].

    "slaney" has Slaney's scale and area normalisation (librosa's default), "htk" the scale of HTK
    and peaks of one (torchaudio's default).
    """
    frequencies = np.arange(bins) * bin_hz
    points = mel_points(bands, low_hz, high_hz or frequencies[-1], scale)
    lower = (frequencies[None, :] - points[:-2, None]) / np.diff(points)[:-1, None]
    upper = (points[2:, None] - frequencies[None, :]) / np.diff(points)[1:, None]
    triangles = np.maximum(0.0, np.minimum(lower, upper))
    if scale == "htk":
        return np.asarray(triangles)
    return np.asarray(triangles * (2.0 / (points[2:] - points[:-2]))[:, None])


def mel_points(bands: int, low_hz: float, high_hz: float, scale: str = "slaney") -> Matrix:
    """Hz where the triangles begin, peak and end: those of band i are points i, i + 1 and i + 2."""
    ends = np.array([low_hz, high_hz])
    if scale == "htk":
        low, high = 2595.0 * np.log10(1.0 + ends / 700.0)
        return np.asarray(700.0 * (10.0 ** (np.linspace(low, high, bands + 2) / 2595.0) - 1.0))
    low, high = _hz_to_mel(ends)
    return _mel_to_hz(np.linspace(low, high, bands + 2))


def _hz_to_mel(hz: Matrix) -> Matrix:
    linear = hz / (200.0 / 3)
    return np.where(hz < 1000, linear, 15 + np.log(np.maximum(hz, 1) / 1000) / (np.log(6.4) / 27))


def _mel_to_hz(mel: Matrix) -> Matrix:
    return np.where(mel < 15, mel * (200.0 / 3), 1000 * np.exp((mel - 15) * (np.log(6.4) / 27)))
