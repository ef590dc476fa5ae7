"""A filter bank of cosine-modulated filters (pseudo-QMF: Nguyen, IEEE Trans. SP 42(1), 1994): a
signal as `bands` signals at 1/bands of its rate, and back, almost perfectly."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError

TAPS = 63
# The cutoffs (of half the rate) with the least error of reconstruction for 63 taps and beta 9.
CUTOFFS = {2: 0.267, 4: 0.142, 8: 0.0795}
BETA = 9.0


def pqmf_filters(bands: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Analysis and synthesis filters, each [bands, TAPS], centred on tap TAPS // 2.

    Raises RtaudioError for a number of bands that has no filters here.
    """
    if bands not in CUTOFFS:
        raise RtaudioError(f"there is no filter bank of {bands!r} bands; it must be 2, 4 or 8.")
    n = np.arange(TAPS) - TAPS // 2
    cutoff = CUTOFFS[bands]
    prototype = cutoff * np.sinc(cutoff * n) * np.kaiser(TAPS, BETA)
    k = np.arange(bands)[:, None]
    angle = (2 * k + 1) * math.pi / (2 * bands) * n
    phase = np.where(k % 2 == 0, 1, -1) * math.pi / 4
    analysis = 2 * prototype * np.cos(angle + phase)
    synthesis = 2 * bands * prototype * np.cos(angle - phase)
    return analysis, synthesis


def pqmf_analysis(x: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """A signal (frames,) as [bands, frames // bands]: frame i is centred on sample i * bands."""
    analysis, _ = pqmf_filters(bands)
    half = TAPS // 2
    count = len(x) // bands
    padded = np.pad(x, (half, half))
    windows = np.lib.stride_tricks.sliding_window_view(padded, TAPS)[::bands][:count]
    return np.ascontiguousarray((windows @ analysis[:, ::-1].T.astype(np.float32)).T)


def pqmf_synthesis(subbands: NDArray[np.float32]) -> NDArray[np.float32]:
    """[bands, frames] back to a signal of bands * frames samples."""
    bands, count = subbands.shape
    _, synthesis = pqmf_filters(bands)
    half = TAPS // 2
    y = np.zeros(bands * count + TAPS, np.float64)
    for tap in range(TAPS):
        y[tap : tap + bands * count : bands] += synthesis[:, tap] @ subbands
    return y[half : half + bands * count].astype(np.float32)
