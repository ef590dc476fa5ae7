"""Mixes shards of speech and noise into batches: cheap, endless, different every time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import augment as aug


@dataclass(frozen=True, kw_only=True)
class MixConfig:
    batch_size: int = 16
    seconds: float = 4.0
    snr_mean_db: float = 7.0
    snr_spread_db: float = 7.5
    snr_range_db: tuple[float, float] = (-6.0, 25.0)
    level_range_db: tuple[float, float] = (-15.0, 8.0)
    identity_share: float = 0.04  # clean or nearly clean input
    noise_only_share: float = 0.05
    second_noise_share: float = 0.3
    clip_share: float = 0.03
    narrow_share: float = 0.04


class Mixer:
    """`batch()` gives (noisy, target) float32 [lane, time]; shards may appear while it runs."""

    def __init__(self, cache: Path, seed: int, config: MixConfig | None = None) -> None:
        self.folder = cache / "shards"
        self.config = config or MixConfig()
        self.rng = np.random.default_rng(seed)
        self.shards: dict[str, dict[str, NDArray[np.int16]]] = {"speech": {}, "noise": {}}
        self.refresh()

    @property
    def audio_seconds(self) -> float:
        return self.config.batch_size * self.config.seconds

    def refresh(self) -> int:
        for kind, known in self.shards.items():
            for path in sorted(self.folder.glob(f"{kind}_[0-9]*.npy")):
                if path.name not in known and "partial" not in path.name:
                    known[path.name] = np.load(path, mmap_mode="r")
        return sum(len(s) for s in self.shards.values())

    def _segment(self, kind: str, length: int) -> NDArray[np.float32]:
        rng = self.rng
        known = list(self.shards[kind].values())
        shard = known[rng.integers(len(known))]
        segment = shard[rng.integers(len(shard))]
        start = int(rng.integers(segment.shape[-1] - length + 1))
        part = segment[..., start : start + length]
        return np.asarray(part / 32768, dtype=np.float32)

    def batch(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        c, rng = self.config, self.rng
        length = int(c.seconds * aug.RATE) // 160 * 160
        noisy = np.empty((c.batch_size, length), dtype=np.float32)
        target = np.empty_like(noisy)
        for i in range(c.batch_size):
            clean, heard = self._segment("speech", length)
            noise = self._segment("noise", length)
            if rng.random() < c.second_noise_share:
                noise = noise + self._segment("noise", length) * 10 ** (rng.uniform(-12, 3) / 20)
            snr = float(np.clip(rng.normal(c.snr_mean_db, c.snr_spread_db), *c.snr_range_db))
            kind = rng.random()
            if kind < c.identity_share:
                snr = 40.0 if kind < c.identity_share / 2 else 90.0
            elif kind < c.identity_share + c.noise_only_share:
                clean = np.zeros_like(clean)
                heard = clean
            gain = 10 ** (rng.uniform(*c.level_range_db) / 20)
            x = (heard + noise * 10 ** (-snr / 20)) * gain
            y = clean * gain
            peak = np.abs(x).max()
            if rng.random() < c.clip_share and peak > 0:
                limit = peak * rng.uniform(0.2, 0.8)
                x = np.clip(x, -limit, limit)
            elif peak > 0.99:
                x, y = x * (0.99 / peak), y * (0.99 / peak)
            if rng.random() < c.narrow_share:
                rate = int(rng.choice([8000, 8000, 11025, 12000]))
                x, y = aug.low_pass(x, rate), aug.low_pass(y, rate)
            noisy[i], target[i] = x, y
        return noisy, target
