"""Renders segments of speech and noise into shards, so that mixing in training costs little.

A shard is an int16 array: speech [segment, 2, time] holds the target and the same speech as the
microphone hears it; noise is [segment, time]. Training picks new shards up while it runs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import augment as aug
from .recipe import Pool

SEGMENT = 6 * aug.RATE


def _to_int16(x: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(np.clip(x, -1, 1) * 32767).astype(np.int16)


class Renderer:
    """Draws segments from the pools of the training split."""

    def __init__(self, cache: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.speech = Pool(cache / "pools/speech_train").groups()
        self.noise = Pool(cache / "pools/noise_train").groups()
        self.rooms = self._rooms(cache)
        self.talkers = sorted(self.speech)
        # A talker's share grows slowly with the seconds at hand: many voices, few repeats.
        seconds = np.array([sum(map(len, self.speech[t])) for t in self.talkers], dtype=float)
        self.share = np.sqrt(seconds) / np.sqrt(seconds).sum()

    @staticmethod
    def _rooms(cache: Path) -> list[NDArray[np.float32]]:
        path = cache / "rooms.npz"
        if not path.exists():
            rooms = aug.make_rooms(np.random.default_rng(1), 300)
            np.savez(path, *rooms)
        with np.load(path) as stored:
            return [stored[k] for k in stored]

    def _utterances(self, length: int) -> NDArray[np.float32]:
        """One talker, with pauses, at one speed."""
        rng = self.rng
        files = self.speech[self.talkers[rng.choice(len(self.talkers), p=self.share)]]
        speed = rng.uniform(0.84, 1.18) if rng.random() < 0.6 else 1.0
        need = int(length * speed) + 64
        out = np.zeros(need, dtype=np.float32)
        at = int(rng.uniform(-1.0, 0.7) * aug.RATE)
        while at < need:
            x = files[rng.integers(len(files))].astype(np.float32) / 32768
            x = x * np.float32(10 ** (rng.normal(0, 2) / 20))
            skip = max(-at, 0)
            at = max(at, 0)
            x = x[skip:][: need - at]
            out[at : at + x.size] = x
            at += x.size + int(rng.exponential(0.35) * aug.RATE)
        return aug.change_speed(out, speed)[:length] if speed != 1.0 else out[:length]

    def speech_segment(self) -> NDArray[np.int16]:
        rng = self.rng
        x = self._utterances(SEGMENT)
        x = np.pad(x, (0, SEGMENT - x.size))
        if rng.random() < 0.5:
            x = aug.equalise(rng, x)
        if rng.random() < 0.05:
            x = aug.low_pass(x, int(rng.choice([8000, 11025, 12000])))
        target = heard = x
        if rng.random() < 0.35:
            target, heard = aug.reverberate(x, self.rooms[rng.integers(len(self.rooms))])
        scaled = aug.normalise(target) if np.abs(target).max() > 1e-3 else target
        gain = np.dot(scaled, target) / (np.dot(target, target) + 1e-12)
        return np.stack([_to_int16(scaled), _to_int16(heard * gain)])

    def _recorded(self, size: int) -> NDArray[np.float32]:
        """Effects: pitched, repeated in a loop or scattered; music: any passage."""
        rng = self.rng
        groups = sorted(self.noise)
        group = groups[rng.integers(len(groups))]
        files = self.noise[group]
        music = group == "music"
        ratio = float(rng.uniform(0.8, 1.25) if music else 2 ** rng.uniform(-1, 0.9))
        out = np.zeros(size, dtype=np.float32)
        loop = rng.random() < 0.6
        x = files[rng.integers(len(files))]
        at = 0
        while at < size:
            take = int((size - at) * ratio) + 64
            start = int(rng.integers(max(x.size - take, 0) + 1))
            part = aug.change_speed((x[start : start + take] / 32768).astype(np.float32), ratio)
            part = part[: size - at]
            fade = min(160, part.size // 2)
            if fade:
                ramp = np.linspace(0, 1, fade, dtype=np.float32)
                part[:fade] *= ramp
                part[-fade:] *= ramp[::-1]
            out[at : at + part.size] += part
            if loop:
                at += max(part.size - fade, 800)
            else:
                at += int(part.size * rng.uniform(0.4, 1)) + int(rng.exponential(0.4) * aug.RATE)
                x = files[rng.integers(len(files))] if rng.random() < 0.5 else x
        return out

    def _babble(self, size: int) -> NDArray[np.float32]:
        count = int(self.rng.choice([2, 3, 4, 6, 9]))
        voices = np.sum(
            [
                aug.normalise(self._utterances(size)) * 10 ** (self.rng.normal(0, 4) / 20)
                for _ in range(count)
            ],
            axis=0,
            dtype=np.float32,
        )
        return np.asarray(voices, dtype=np.float32)

    def _one_noise(self) -> NDArray[np.float32]:
        rng = self.rng
        pick = rng.random()
        if pick < 0.5:
            x = self._recorded(SEGMENT)
        elif pick < 0.62:
            x = self._babble(SEGMENT)
            if rng.random() < 0.7:
                x = aug.reverberate(x, self.rooms[rng.integers(len(self.rooms))])[1]
        else:
            x = aug.SYNTHETIC[rng.integers(len(aug.SYNTHETIC))](rng, SEGMENT)
        if rng.random() < 0.4:
            x = aug.equalise(rng, x, rng.uniform(3, 10))
        if rng.random() < 0.2:
            x = aug.reverberate(x, self.rooms[rng.integers(len(self.rooms))])[1]
        return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-6), dtype=np.float32)

    def noise_segment(self) -> NDArray[np.int16]:
        rng = self.rng
        x = self._one_noise()
        while rng.random() < 0.35:
            x = x + self._one_noise() * 10 ** (rng.uniform(-15, 3) / 20)
        rms = np.sqrt(np.mean(x**2))
        # Sparse clicks would be deafening at one RMS: the loudest frames count for a half.
        frames = (x.reshape(-1, 320) ** 2).mean(1)
        loud = np.sqrt(np.sort(frames)[-15:].mean())
        return _to_int16(np.asarray(x * (10 ** (-29 / 20) / (np.sqrt(rms * loud) + 1e-6))))


def render(cache: Path, kind: str, count: int, segments: int, seed: int) -> None:
    """Write `count` shards of `kind`, `speech` or `noise`; existing ones are kept."""
    folder = cache / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        path = folder / f"{kind}_{index:03d}.npy"
        if path.exists():
            continue
        renderer = Renderer(cache, seed=seed * 1000 + index * 2 + (kind == "noise"))
        make = renderer.speech_segment if kind == "speech" else renderer.noise_segment
        shard = np.stack([make() for _ in range(segments)])
        partial = path.with_suffix(".partial.npy")
        np.save(partial, shard)
        partial.rename(path)
