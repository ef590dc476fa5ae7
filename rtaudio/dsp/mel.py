"""Mel spectrograms, of whole signals and of streams, with the same bits; and their conversion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rtaudio.dsp.presets import COMPRESSIONS, MelPreset, differing_filters, find_preset
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import MelError

Array = NDArray[Any]
FRAMES_AT_ONCE = 32


def mel_spectrogram(x: Array, preset: str | MelPreset, *, dtype: DTypeLike = np.float64) -> Array:
    """The mel of a whole mono signal x (frames,) at the preset's rate: [num_mels, frames].

    Computed in `dtype`, float64 or float32 (within 1e-3 of float64 where no band is empty).
    """
    stream = MelStream(preset, dtype=dtype)
    return np.concatenate([stream.push(x), stream.flush()], axis=1)


class MelStream:
    """The mel of a signal that comes piece by piece.

    push ... flush, joined, have the bits of mel_spectrogram(x), for any split. Frame i comes with
    sample (i + 1) * hop + preset.wait_samples; the first ones also need the pad that they mirror.
    """

    def __init__(self, preset: str | MelPreset, *, dtype: DTypeLike = np.float64) -> None:
        self.preset = find_preset(preset)
        self._analysis = _Analysis.of(self.preset, np.dtype(dtype))
        self.reset()

    def reset(self) -> None:
        """Forgets the signal."""
        self._kept = np.zeros(0, self._analysis.window.dtype)
        self._first = 0  # position in the signal of _kept[0]
        self._started = False
        self._frame = 0  # the next frame to leave

    def push(self, x: Array) -> Array:
        """Takes any number of samples (frames,); returns the frames that are ready,
        [num_mels, k]."""
        x = np.asarray(x)
        if x.ndim != 1:
            raise MelError(f"a mel is made of a mono signal (frames,), not of an array {x.shape}.")
        self._kept = np.concatenate([self._kept, x.astype(self._kept.dtype)])
        pad = self.preset.pad
        if not self._started:
            if len(self._kept) <= pad:
                return self._empty()
            self._start()
        return self._make(self._first + len(self._kept))

    def flush(self) -> Array:
        """The rest, [num_mels, k]; the signal has ended and the stream is as new."""
        pad = self.preset.pad
        received = self._first + len(self._kept)
        if received == 0:
            return self._empty()
        last = self.preset.num_frames(received)
        if self._started:
            self._kept = np.pad(self._kept, (0, pad), "reflect")
        else:
            self._kept = np.pad(self._kept, (pad, pad), "reflect")
            self._first = -pad
        out = self._make(self._first + len(self._kept), last)
        self.reset()
        return out

    def _start(self) -> None:
        pad = self.preset.pad
        self._kept = np.pad(self._kept, (pad, 0), "reflect")
        self._first, self._started = -pad, True

    def _make(self, end: int, last: int | None = None) -> Array:
        """The frames whose samples end by `end`, up to frame `last`."""
        preset, begin = self.preset, self.preset.begin
        ready = max(0, (end - begin - preset.window) // preset.hop + 1)
        stop = max(self._frame, ready if last is None else min(ready, last))
        if stop == self._frame:
            return self._empty()
        start = self._frame * preset.hop + begin - self._first
        windows = np.lib.stride_tricks.sliding_window_view(self._kept[start:], preset.window)
        frames = windows[:: preset.hop][: stop - self._frame]
        parts = [
            self._analysis.values(frames[i : i + FRAMES_AT_ONCE])
            for i in range(0, len(frames), FRAMES_AT_ONCE)
        ]
        self._frame = stop
        # The next frame's samples stay, and those that the end would mirror.
        keep_from = min(stop * preset.hop + begin, end - preset.pad - 1)
        drop = max(0, keep_from - self._first)
        self._kept, self._first = self._kept[drop:].copy(), self._first + drop
        return np.ascontiguousarray(np.concatenate(parts).T)

    def _empty(self) -> Array:
        return np.zeros((self.preset.num_mels, 0), self._kept.dtype)


@dataclass(frozen=True)
class _Analysis:
    """A preset's tables, and windows of samples to values. All sums have one order, whatever the
    number of frames: matrix products of a library do not."""

    preset: MelPreset
    window: Array
    bins: NDArray[np.intp]  # [taps, num_mels]: filter taps, each mel's from its first bin on
    weights: Array
    mean: Array
    std: Array

    @classmethod
    def of(cls, preset: MelPreset, dtype: np.dtype[Any]) -> _Analysis:
        if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise MelError(f"dtype is {dtype}; a mel is computed in float32 or float64.")
        filters = preset.filters
        first = np.argmax(filters > 0, axis=1)
        taps = max(1, int(np.count_nonzero(filters, axis=1).max()))
        bins = np.minimum(first + np.arange(taps)[:, None], filters.shape[1] - 1)
        weights = filters[np.arange(len(filters)), bins]
        # A tap past the last bin repeats it, and counts once.
        weights[first + np.arange(taps)[:, None] >= filters.shape[1]] = 0.0
        return cls(
            preset,
            analysis_window("hann", preset.window, preset.hop).astype(dtype),
            bins,
            weights.astype(dtype),
            np.array(preset.mean, dtype),
            np.array(preset.std, dtype),
        )

    def values(self, windows: Array) -> Array:
        """[frames, window] to [frames, num_mels]."""
        preset = self.preset
        padded = np.zeros((len(windows), preset.fft_size), self.window.dtype)
        left = (preset.fft_size - preset.window) // 2
        padded[:, left : left + preset.window] = windows * self.window
        spectrum = np.fft.rfft(padded)
        power = spectrum.real * spectrum.real + spectrum.imag * spectrum.imag
        magnitude = np.sqrt(power + self.window.dtype.type(preset.power_floor))
        mel = (magnitude[:, self.bins] * self.weights).sum(axis=1)
        return self._compress(mel)

    def _compress(self, mel: Array) -> Array:
        preset, kind = self.preset, self.window.dtype.type
        log = np.log(np.maximum(mel, kind(preset.floor)))
        out = log * kind(COMPRESSIONS[preset.compression] * preset.gain) + kind(preset.offset)
        if preset.clip:
            out = np.clip(out, 0, 1)
        return np.asarray((out - self.mean) / self.std)


def convert_mel(mel: Array, source: str | MelPreset, target: str | MelPreset) -> Array:
    """Values [num_mels, frames] of one preset as those of another with the same filters: an affine
    map of logarithms, then the target's floor and clip.

    Exact but for what `source` had cut off at its floor, and for the power_floor (1e-9) in one of
    them. Frames stay where they are: where the pads differ, frame i is centred
    target.pad - source.pad samples later than the target's own. Raises MelError where the filters
    differ.
    """
    a, b = find_preset(source), find_preset(target)
    differing = differing_filters(a, b)
    if differing:
        raise MelError(
            f"mels of {a.name} do not turn into mels of {b.name}: their filters differ "
            f"({differing}); make them from the audio."
        )
    mel = np.asarray(mel)
    if mel.ndim != 2 or mel.shape[0] != a.num_mels:
        raise MelError(f"a mel of {a.name} is [{a.num_mels}, frames], not {mel.shape}.")
    kind = mel.dtype if mel.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    value = mel.astype(np.float64) * _column(a.std) + _column(a.mean)
    log = (value - a.offset) / (COMPRESSIONS[a.compression] * a.gain)
    if a.unit_energy != b.unit_energy:
        energy = analysis_window("hann", a.window, a.hop) ** 2
        log += (0.5 if a.unit_energy else -0.5) * math.log(energy.sum())
    log = np.maximum(log, math.log(b.floor))
    out = log * (COMPRESSIONS[b.compression] * b.gain) + b.offset
    if b.clip:
        out = np.clip(out, 0, 1)
    return np.asarray((out - _column(b.mean)) / _column(b.std), kind)


def _column(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values)[:, None]
