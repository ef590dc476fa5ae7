"""The development set: the same clips on every machine, talkers and noise kinds unseen in training.

70 noisy clips of 8 s at 16 kHz: 7 kinds of noise x 10 clips, SNR 0, 5, 10, 15 dB in turn;
8 clean clips, 8 clips of noise alone. Speech of the development talkers only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import augment as aug
from .recipe import Pool, read

Signal = NDArray[np.float32]

SECONDS = 8
KINDS = ("babble", "slide", "vehicle", "weapons", "explons", "building", "interface")
SNRS_DB = (0.0, 5.0, 10.0, 15.0)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """`noisy` is the input; `clean` the reference, silent where `kind` is noise-only."""

    name: str
    kind: str  # a noise kind, "clean" or "noise-only"
    talker: str
    snr_db: float


def _fill(
    rng: np.random.Generator, files: list[NDArray[np.int16]], size: int, gap: float
) -> Signal:
    """Files in a random order, each once before any repeats, with pauses of mean `gap` seconds."""
    out = np.zeros(size, dtype=np.float32)
    at = int(rng.uniform(0, 0.3) * aug.RATE)
    order: list[int] = []
    while at < size:
        order = order or list(rng.permutation(len(files)))
        x = files[order.pop()].astype(np.float32)[: size - at] / 32768
        out[at : at + x.size] = x
        at += x.size + int(rng.exponential(gap) * aug.RATE) if gap else x.size
    return out


def _babble(rng: np.random.Generator, files: list[Signal], size: int) -> Signal:
    """Recorded prompts of a talker of her own, five at a time at different speeds."""
    out = np.zeros(size, dtype=np.float32)
    for _ in range(5):
        speed = float(rng.uniform(0.8, 1.1))
        x = np.concatenate([files[i] for i in rng.integers(0, len(files), 30)])
        x = aug.change_speed(x, speed)[:size]
        out[: x.size] += aug.normalise(x)
    return out


def build(cache: Path) -> list[tuple[Clip, Signal, Signal]]:
    """All clips as (clip, noisy, clean); kept in `cache/dev.npz` after the first time."""
    stored = cache / "dev.npz"
    if stored.exists():
        with np.load(stored) as z:
            clips = [Clip(**c) for c in json.loads(str(z["clips"]))]
            return [(c, n, s) for c, n, s in zip(clips, z["noisy"], z["clean"], strict=True)]
    speech = Pool(cache / "pools/speech_dev").groups()
    noise = Pool(cache / "pools/noise_dev").groups()
    prompts = sorted((cache / "packages/asterisk-prompt-it-menardi-wav").rglob("*.wav"))
    babble = [read(str(p)) for p in prompts if p.stat().st_size > 20000][:80]
    size = SECONDS * aug.RATE
    synthetic = [t for t in sorted(speech) if "_" in t and t[:2] in ("bf", "am")]
    recorded = [t for t in sorted(speech) if t not in synthetic]
    out: list[tuple[Clip, Signal, Signal]] = []

    def talk(rng: np.random.Generator, index: int) -> tuple[str, Signal]:
        voices = synthetic if index % 2 else recorded
        talker = voices[index // 2 % len(voices)]
        return talker, aug.normalise(_fill(rng, speech[talker], size, 0.3))

    def disturb(rng: np.random.Generator, kind: str) -> Signal:
        if kind == "babble":
            x = _babble(rng, babble, size)
        else:
            x = _fill(rng, noise[kind], size, 0.0 if kind in ("slide", "vehicle") else 0.1)
        return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-9), dtype=np.float32)

    def add(kind: str, talker: str, snr: float, noisy: Signal, clean: Signal) -> None:
        clip = Clip(name=f"{len(out):03d}_{kind}", kind=kind, talker=talker, snr_db=snr)
        level = min(1.0, 0.95 / float(np.abs(noisy).max() + 1e-9))
        out.append((clip, noisy * np.float32(level), clean * np.float32(level)))

    level = 10 ** (-26 / 20)
    for k, kind in enumerate(KINDS):
        for i in range(10):
            rng = np.random.default_rng([7, k, i])
            talker, clean = talk(rng, i + k)
            snr = SNRS_DB[(i + k) % len(SNRS_DB)]
            gain = np.float32(level * 10 ** (-snr / 20))
            add(kind, talker, snr, clean + gain * disturb(rng, kind), clean)
    for i in range(8):
        talker, clean = talk(np.random.default_rng([8, i]), i)
        add("clean", talker, 99.0, clean, clean)
    for i in range(8):
        x = disturb(np.random.default_rng([9, i]), KINDS[i % len(KINDS)]) * np.float32(level)
        add("noise-only", "", -99.0, x, np.zeros_like(x))
    np.savez(
        stored,
        clips=json.dumps([asdict(c) for c, _, _ in out]),
        noisy=np.stack([n for _, n, _ in out]),
        clean=np.stack([s for _, _, s in out]),
    )
    return out
