"""Audio files, good and broken, for the tests of the command line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile


def speechlike(sample_rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    """A buzzing tone with pauses in noise, float32 (frames, channels)."""
    count = round(sample_rate * seconds)
    t = np.arange(count) / sample_rate
    rng = np.random.default_rng(3)
    voice = np.sin(2 * np.pi * 150 * t) * (np.sin(2 * np.pi * 2 * t) > 0)
    audio = 0.2 * voice[:, None] + 0.02 * rng.standard_normal((count, channels))
    return audio.astype(np.float32)


def write(path: Path, *, rate: int = 16_000, seconds: float = 0.3, channels: int = 1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speechlike(rate, seconds, channels), rate, **options)
    return path


def wav_bytes(
    *,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    data: bytes = bytes(3200),
    promised: int | None = None,
) -> bytes:
    """A WAV whose header may say anything."""
    size = len(data) if promised is None else promised
    align = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits)
    head = b"RIFF" + struct.pack("<I", (size + 36) % 2**32) + b"WAVEfmt \x10\0\0\0" + fmt
    return head + b"data" + struct.pack("<I", size) + data
