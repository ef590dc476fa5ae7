"""The recording that `rtaudio demo` denoises: German words of a development talker in the sound of
a sledge ride, from the packages klettres-data and extremetuxracer-data (both GPL-2 or later).

    python -m rtaudio.training.demo_clip CACHE rtaudio/weights/demo.flac
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 44_100
WORDS = ("frau", "haus", "hund", "eule", "nase", "lisa", "fisch", "opa", "kind")
RIDES = ("leaves_slide", "grass_slide", "mud_slide")
LEAD_SECONDS = 1.0
WORD_SECONDS = 0.95
SNR_DB = 4.0
PEAK = 0.7

Signal = NDArray[np.float64]


def _read(path: Path) -> Signal:
    x, rate = soundfile.read(path, always_2d=True)
    if rate != RATE:
        raise SystemExit(f"{path} has {rate} Hz; expected {RATE}.")
    return np.asarray(x.mean(axis=1))


def _speech(folder: Path) -> Signal:
    words = []
    for word in WORDS:
        x = _read(folder / f"{word}.ogg")
        power = np.convolve(x**2, np.ones(441) / 441, "same")
        loud = np.flatnonzero(power > power.max() * 1e-4)
        part = x[max(0, loud[0] - 1500) : loud[-1] + 1500][: int(WORD_SECONDS * RATE)]
        words.append(np.pad(part, (0, int(WORD_SECONDS * RATE) - len(part))))
    return np.concatenate([np.zeros(int(LEAD_SECONDS * RATE)), *words])


def _noise(folder: Path, size: int) -> Signal:
    """The rides after and over each other, cross-faded for half a second."""
    fade = RATE // 2
    out = np.zeros(size + 20 * RATE)
    at = 0
    while at < size:
        for ride in RIDES:
            x = _read(folder / f"{ride}.wav").copy()
            x /= np.sqrt(np.mean(x**2))
            ramp = np.sin(np.linspace(0, np.pi / 2, fade))
            x[:fade] *= ramp
            x[-fade:] *= ramp[::-1]
            if at < size:
                out[at : at + len(x)] += x
                at += len(x) - fade
    return out[fade : fade + size]


def main(cache: Path, target: Path) -> None:
    speech = _speech(cache / "klettres-data/usr/share/klettres/de/syllab")
    noise = _noise(cache / "extremetuxracer-data/usr/share/games/etr/sounds", len(speech))
    active = speech[int(LEAD_SECONDS * RATE) :]
    noise *= np.sqrt(np.mean(active**2) / np.mean(noise**2)) * 10 ** (-SNR_DB / 20)
    mix = speech + noise
    soundfile.write(target, mix * (PEAK / np.abs(mix).max()), RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
