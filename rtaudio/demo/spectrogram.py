"""A spectrogram of audio of any length, gathered block by block in constant memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_MAX_COLUMNS = 2048
_FLOOR_POWER = 1e-12


class Spectrogram:
    """Power over time and frequency of the mean of all channels.

    When the columns are full, pairs of them are averaged and each covers twice the time.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        # About 32 ms: narrow enough to show a voice's harmonics.
        self._size = 1 << max(6, round(np.log2(sample_rate * 0.032)))
        self._hop = self._size // 8
        window = np.hanning(self._size + 1)[:-1]
        self._window = window / window.sum() * 2.0
        self._pending = np.zeros(self._size // 2, np.float64)
        self._columns = np.zeros((_MAX_COLUMNS, self._size // 2 + 1))
        self._count = 0
        self._frames_per_column = 1
        self._partial = np.zeros(self._size // 2 + 1)
        self._partial_count = 0
        self._num_samples = 0

    def push(self, block: FloatArray) -> None:
        """block: (frames, channels), any number of frames."""
        if len(block) == 0:
            return
        self._num_samples += len(block)
        signal = np.concatenate([self._pending, block.mean(axis=1, dtype=np.float64)])
        count = max(0, (len(signal) - self._size) // self._hop + 1)
        for first in range(0, count, 256):
            starts = np.arange(first, min(count, first + 256)) * self._hop
            frames = signal[starts[:, None] + np.arange(self._size)] * self._window
            self._add(np.abs(np.fft.rfft(frames)) ** 2)
        self._pending = signal[count * self._hop :]

    def _add(self, power: NDArray[np.float64]) -> None:
        for row in power:
            self._partial += row
            self._partial_count += 1
            if self._partial_count < self._frames_per_column:
                continue
            if self._count == _MAX_COLUMNS:
                half = _MAX_COLUMNS // 2
                self._columns[:half] = (self._columns[0::2] + self._columns[1::2]) / 2
                self._count = half
                self._frames_per_column *= 2
                continue  # the column in hand goes on to cover the longer time
            self._columns[self._count] = self._partial / self._partial_count
            self._count += 1
            self._partial[:] = 0
            self._partial_count = 0

    @property
    def seconds(self) -> float:
        return self._num_samples / self.sample_rate

    def decibels(self, num_rows: int = 256) -> FloatArray:
        """dB re full scale, shape (num_rows, columns), lowest frequency first, on a mel axis."""
        columns = self._columns[: self._count]
        if self._partial_count and self._partial_count * 2 >= self._frames_per_column:
            columns = np.concatenate([columns, self._partial[None] / self._partial_count])
        if len(columns) == 0:
            columns = np.zeros((1, self._columns.shape[1]))
        level = 10 * np.log10(columns + _FLOOR_POWER)
        hertz = from_mel(np.linspace(0, to_mel(self.sample_rate / 2), num_rows))
        bins = np.linspace(0, self.sample_rate / 2, columns.shape[1])
        position = np.interp(hertz, bins, np.arange(len(bins)))
        low = np.minimum(position.astype(int), len(bins) - 2)
        part = position - low
        warped = level[:, low] * (1 - part) + level[:, low + 1] * part
        return np.ascontiguousarray(warped.T, np.float32)


def to_mel(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return 2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700)


def from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1), np.float64)


def frequency_ticks(sample_rate: int) -> list[tuple[str, float]]:
    """Labels and their heights in 0..1 on the mel axis."""
    top = float(to_mel(sample_rate / 2))
    marks = ((250, "250"), (500, "500"), (1000, "1k"), (2000, "2k"), (4000, "4k"))
    higher = ((8000, "8k"), (16000, "16k"), (32000, "32k"), (64000, "64k"))
    return [
        (label, float(to_mel(hertz)) / top)
        for hertz, label in marks + higher
        if hertz < sample_rate / 2 * 0.97
    ]


def colour_range(before: FloatArray) -> tuple[float, float]:
    """One range in dB for both pictures, set by the noisy one."""
    top = float(np.percentile(before, 99.9)) + 3
    return max(top, -110.0) - 75.0, max(top, -110.0)
