"""What WORLD hears in recordings (Morise et al., 2016): pitch, envelopes of what is periodic and of
what is not; and the phase of the fundamental, which the source follows in training."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError

LOWEST, HIGHEST = 60.0, 500.0  # Hz, of what is looked for
UNKNOWN = 120.0  # Hz, where nothing is voiced
FloatArray = NDArray[np.float32]


def check_world() -> None:
    """Raises RtaudioError where the package is missing."""
    if importlib.util.find_spec("pyworld") is None:
        raise RtaudioError("this needs pyworld: pip install pyworld 'setuptools<81'.")


def harvest(x: FloatArray, sample_rate: int, hop: int) -> FloatArray:
    """Hz at every `hop`-th sample, 0 where unvoiced."""
    import pyworld

    period = 1000 * hop / sample_rate
    f0, _ = pyworld.harvest(x.astype(np.float64), sample_rate, LOWEST, HIGHEST, period)
    return np.asarray(f0, np.float32)


def envelopes(
    x: FloatArray, f0: FloatArray, sample_rate: int, hop: int, hertz: NDArray[np.float64]
) -> FloatArray:
    """Log amplitudes of pulses and of noise of unit power at these frequencies: [2, band, frame].
    Where nothing is voiced, those of the pulses mean nothing."""
    import pyworld

    signal, pitch = x.astype(np.float64), f0.astype(np.float64)
    times = np.arange(len(f0)) * hop / sample_rate
    power = pyworld.cheaptrick(signal, pitch, times, sample_rate)
    aperiodic = pyworld.d4c(signal, pitch, times, sample_rate)
    bins = np.linspace(0, sample_rate / 2, power.shape[1])

    def at_bands(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.interp(hertz, bins, row) for row in values], 1)

    level = 0.5 * np.log(np.maximum(power, 1e-12))
    share = np.clip(aperiodic, 1e-3, 1 - 1e-6)  # of the amplitude
    parts = (at_bands(level + 0.5 * np.log(1 - share**2)), at_bands(level + np.log(share)))
    return np.stack(parts).astype(np.float32)


def without_gaps(f0: FloatArray) -> FloatArray:
    """Straight lines of the logarithm across unvoiced frames."""
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        return np.full_like(f0, UNKNOWN)
    logs = np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced]))
    return np.exp(logs).astype(np.float32)


def phases(x: FloatArray, f0: FloatArray, sample_rate: int, hop: int) -> FloatArray:
    """Turns, in [0, 1), of the fundamental at every `hop`-th sample: cos(2 pi turns) is its shape.

    The integral of F0 drifts from the recording; what it is off is heard by demodulating with it.
    """
    line = without_gaps(f0).astype(np.float64) / sample_rate
    steps = np.arange(hop)
    rise = np.diff(line, append=line[-1])[:, None] / hop
    within = line[:, None] * steps + 0.5 * rise * steps**2
    advance = hop * (line + 0.5 * rise[:, 0] * hop)
    start = np.concatenate([[0.0], np.cumsum(advance)[:-1]])
    turns = (start[:, None] + within).ravel()
    signal = np.zeros(len(turns))
    signal[: min(len(x), len(turns))] = x[: len(turns)]
    base = np.pad(signal * np.exp(-2j * np.pi * turns), 2 * hop)
    frames = np.lib.stride_tricks.sliding_window_view(base, 4 * hop)[::hop][: len(f0)]
    heard = frames @ np.hanning(4 * hop)
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced):
        off = np.unwrap(np.angle(heard[voiced])) / (2 * np.pi)
        start += np.interp(np.arange(len(f0)), voiced, off)
    return np.asarray(start % 1.0, np.float32)
