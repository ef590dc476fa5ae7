"""Speech for training rt-priorgrad: mels and columns of samples, a file of each a voice.

Sources are folders of recordings, one a voice, as `voices` synthesises them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.errors import RtaudioError
from rtaudio.models.rt_priorgrad import RtPriorGrad

from .recipe import AUDIO_SUFFIXES, DEV_VOICES
from .vocoder_data import read_at
from .voices import KEPT_FOR_TESTING

FloatArray = NDArray[np.float32]


def folder_of(cache: Path, config: RtPriorGrad) -> Path:
    return cache / "vocoder" / f"{config.mel}-columns-{config.values}"


def columns(x: FloatArray, config: RtPriorGrad) -> FloatArray:
    """[values, columns] of whole mel frames."""
    return np.ascontiguousarray(x.reshape(-1, config.values).T, np.float32)


def build(cache: Path, voices: Path, config: RtPriorGrad) -> None:
    """Writes NAME.mel.npy [num_mels, frames], NAME.bands.npy [values, columns] and NAME.json
    (frames a recording) for every voice; finished ones are skipped, those kept for testing
    refused."""
    out = folder_of(cache, config)
    out.mkdir(parents=True, exist_ok=True)
    for folder in sorted(p for p in voices.iterdir() if p.is_dir()):
        if folder.name in KEPT_FOR_TESTING:
            raise RtaudioError(f"{folder} holds a voice kept for testing; take it out.")
        if (out / f"{folder.name}.json").exists():
            continue
        mels, bands, frames = [], [], []
        for path in sorted(p for p in folder.iterdir() if p.suffix in AUDIO_SUFFIXES):
            x = read_at(path, config.preset.sample_rate)
            mel = mel_spectrogram(x, config.preset, dtype=np.float32)
            x = x[: mel.shape[1] * config.preset.hop]
            mel = mel[:, : len(x) // config.preset.hop]
            mels.append(mel)
            bands.append(columns(x[: mel.shape[1] * config.preset.hop], config))
            frames.append(mel.shape[1])
        np.save(out / f"{folder.name}.mel.npy", np.concatenate(mels, axis=1, dtype=np.float32))
        np.save(out / f"{folder.name}.bands.npy", np.concatenate(bands, axis=1, dtype=np.float32))
        (out / f"{folder.name}.json").write_text(json.dumps(frames))


@dataclass(frozen=True)
class Voice:
    mel: FloatArray  # [num_mels, frames]
    bands: FloatArray  # [values, columns]
    starts: NDArray[np.int64]  # the first frame of each recording, and the end


def load_voices(cache: Path, config: RtPriorGrad, split: str) -> dict[str, Voice]:
    """Those of `train` or `dev`. Raises RtaudioError where there are none."""
    folder = folder_of(cache, config)
    found = {}
    for path in sorted(folder.glob("*.json")):
        if (path.stem in DEV_VOICES) == (split == "dev"):
            starts = np.cumsum([0, *json.loads(path.read_text())])
            arrays = [
                np.load(path.with_name(f"{path.stem}.{part}.npy"), mmap_mode="r")
                for part in ("mel", "bands")
            ]
            found[path.stem] = Voice(arrays[0], arrays[1], starts)
    if not found:
        raise RtaudioError(f"there is no speech in {folder}; the command diffusion-data first.")
    return found


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    batch_size: int = 8
    frames: int = 36  # mel frames a lane; the first ones only fill the network's memory
    level_range_db: tuple[float, float] = (-18.0, 6.0)


class Segments:
    """`batch()` gives mels [lane, num_mels, frames] and columns [lane, column, value]."""

    def __init__(
        self,
        voices: dict[str, Voice],
        model: RtPriorGrad,
        seed: int,
        config: SegmentConfig | None = None,
    ) -> None:
        self.model, self.config = model, config or SegmentConfig()
        self.rng = np.random.default_rng(seed)
        self.voices = list(voices.values())
        self.quietest = float(np.log(model.preset.floor))

    @property
    def audio_seconds(self) -> float:
        c, preset = self.config, self.model.preset
        return c.batch_size * c.frames * preset.hop / preset.sample_rate

    def refresh(self) -> int:
        return len(self.voices)

    def _segment(self) -> tuple[FloatArray, FloatArray]:
        """Of a recording of any voice; long recordings come as often as they are long."""
        rng, count = self.rng, self.config.frames
        voice = self.voices[rng.integers(len(self.voices))]
        while True:
            at = int(rng.integers(voice.starts[-1]))
            index = int(np.searchsorted(voice.starts, at, side="right")) - 1
            low, high = voice.starts[index], voice.starts[index + 1] - count
            if high >= low:
                break
        first = int(np.clip(at, low, high))
        steps = self.model.steps_per_frame
        mel = voice.mel[:, first : first + count]
        return mel, voice.bands[:, first * steps : (first + count) * steps].T

    def batch(self) -> tuple[FloatArray, FloatArray]:
        mels, bands = [], []
        for _ in range(self.config.batch_size):
            mel, values = self._segment()
            gain = self.rng.uniform(*self.config.level_range_db) * np.log(10) / 20
            mels.append(np.maximum(mel + gain, self.quietest))
            bands.append(values * np.exp(gain))
        return np.stack(mels).astype(np.float32), np.stack(bands).astype(np.float32)
