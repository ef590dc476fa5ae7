"""Recordings with content above 8 kHz, at 48 kHz, each with its own band limit, and mixtures.

The same packages and the same split as the 16 kHz pools; files that end at 8 kHz, whatever their
rate says, are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from . import augment as aug
from .recipe import Source

Signal = NDArray[np.float32]

RATE = 48_000
LOWEST_LIMIT_HZ = 9_000.0
FILE_SECONDS = 20  # of one file: variety matters more than length
GROUP_SECONDS = 600


def band_limit(x: Signal, rate: int) -> float:
    """The frequency in Hz above which a recording holds nothing.

    Its mean spectrum, in steps of 250 Hz from 8 kHz up, first falls more than 45 dB below that of
    4 to 8 kHz there: the edge of a resampler or of a lossy coding, not of the sound.
    """
    size = rate // 50
    frames = x[: x.size // size * size].reshape(-1, size) * np.hanning(size)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(0) + 1e-20
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    reference = power[(frequencies >= 4000) & (frequencies < 8000)].mean()
    edge = 8000.0
    while edge + 250 <= rate / 2:
        band = power[(frequencies >= edge) & (frequencies < edge + 250)]
        if band.mean() < reference * 10**-4.5:
            break
        edge += 250
    return edge


def _read_middle(path: str) -> tuple[Signal, int]:
    """At most FILE_SECONDS from the middle of a file, mono."""
    with soundfile.SoundFile(path) as file:
        rate = int(file.samplerate)
        length = min(file.frames, FILE_SECONDS * rate)
        file.seek((file.frames - length) // 2)
        return file.read(length, dtype="float32", always_2d=True).mean(1), rate


@dataclass(frozen=True, kw_only=True)
class Recording:
    samples: NDArray[np.int16]  # 48 kHz, mapped from disk
    limit_hz: float


def build(folder: Path, sources: list[Source]) -> None:
    """Decode what has content above 8 kHz; unreadable files and files without it are skipped."""
    import soxr

    if (folder / "items.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[NDArray[np.int16]] = []
    items: list[tuple[str, int, int, float]] = []
    start, seconds = 0, dict.fromkeys((s.group for s in sources), 0.0)
    for index in np.random.default_rng(1).permutation(len(sources)):
        source = sources[index]
        if seconds[source.group] > GROUP_SECONDS or source.path.endswith(".g722"):
            continue
        try:
            x, rate = _read_middle(source.path)
        except (OSError, soundfile.SoundFileError) as error:
            print(f"skipped {source.path}: {error}")
            continue
        if rate < 2 * LOWEST_LIMIT_HZ or x.size < rate // 10:
            continue
        limit = min(band_limit(x, rate), 0.98 * rate / 2)  # resamplers round the very edge
        if limit < LOWEST_LIMIT_HZ:
            continue
        x = x if rate == RATE else soxr.resample(x, rate, RATE, quality="HQ")
        x = x - x.mean()
        parts.append(np.round(x * (0.7 * 32767 / (np.abs(x).max() + 1e-9))).astype(np.int16))
        items.append((source.group, start, x.size, limit))
        start += x.size
        seconds[source.group] += x.size / RATE
    if not parts:
        raise FileNotFoundError(2, "no recordings with content above 8 kHz", str(folder))
    np.save(folder / "samples.npy", np.concatenate(parts))
    (folder / "items.json").write_text(json.dumps(items))


def load(folder: Path) -> dict[str, list[Recording]]:
    """Recordings by talker or kind of noise."""
    samples = np.load(folder / "samples.npy", mmap_mode="r")
    groups: dict[str, list[Recording]] = {}
    for group, start, length, limit in json.loads((folder / "items.json").read_text()):
        recording = Recording(samples=samples[start : start + length], limit_hz=limit)
        groups.setdefault(group, []).append(recording)
    return groups


@dataclass(frozen=True, kw_only=True)
class Mixture:
    noisy: Signal
    clean: Signal
    limit_hz: float  # neither speech nor noise is known to reach above it


class FullBandMixer:
    """Draws mixtures of the recordings in `cache/pools/full_band_*_SPLIT`."""

    def __init__(self, cache: Path, split: str, seed: int, lowest_limit_hz: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.speech, self.noise = (
            self._reaching(load(cache / "pools" / f"full_band_{kind}_{split}"), lowest_limit_hz)
            for kind in ("speech", "noise")
        )
        # As in render.py, but those who reach high count for more.
        seconds = np.array([sum(r.samples.size for r in g) for g in self.speech], dtype=float)
        reach = np.array([np.mean([r.limit_hz - 8000 for r in g]) for g in self.speech])
        self.share = np.sqrt(seconds) * reach / (np.sqrt(seconds) * reach).sum()

    @staticmethod
    def _reaching(groups: dict[str, list[Recording]], limit_hz: float) -> list[list[Recording]]:
        kept = ([r for r in group if r.limit_hz >= limit_hz] for group in groups.values())
        return [group for group in kept if group]

    def _joined(self, group: list[Recording], size: int, pause: float) -> tuple[Signal, float]:
        """Files of one group one after another; where they end, pauses of mean `pause` seconds."""
        rng = self.rng
        out = np.zeros(size, dtype=np.float32)
        at, limit = int(rng.uniform(0, 0.5) * RATE), RATE / 2
        while at < size:
            recording = group[rng.integers(len(group))]
            first = int(rng.integers(max(recording.samples.size - size, 0) + 1))
            x = recording.samples[first:][: size - at].astype(np.float32) / 32768
            fade = min(240, x.size // 2)
            x[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
            x[x.size - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
            out[at : at + x.size] += x
            at += x.size + int(rng.exponential(pause) * RATE)
            limit = min(limit, recording.limit_hz)
        return out, limit

    def _noise(self, size: int, recorded_share: float) -> tuple[Signal, float]:
        rng = self.rng
        if rng.random() >= recorded_share:
            return aug.SYNTHETIC[rng.integers(len(aug.SYNTHETIC))](rng, size), RATE / 2
        group = self.noise[rng.integers(len(self.noise))]
        return self._joined(group, size, 0.05)

    def mixture(self, seconds: float, snr_db: float, *, recorded_share: float = 0.7) -> Mixture:
        """Speech at -26 dBFS; an SNR of -inf dB leaves the noise alone."""
        size = int(seconds * RATE) // 480 * 480
        group = self.speech[self.rng.choice(len(self.speech), p=self.share)]
        speech, speech_limit = self._joined(group, size, 0.3)
        noise, noise_limit = self._noise(size, recorded_share)
        clean = aug.normalise(speech)
        noise = noise * np.float32(0.05 / (np.sqrt(np.mean(noise**2)) + 1e-9))
        if np.isneginf(snr_db):
            clean, snr_db = np.zeros_like(clean), 0.0
        noisy = clean + noise * np.float32(10 ** (-snr_db / 20))
        level = np.float32(min(1.0, 0.95 / (np.abs(noisy).max() + 1e-9)))
        limit = min(speech_limit, noise_limit)
        return Mixture(noisy=noisy * level, clean=clean * level, limit_hz=limit)
