"""Speech for training rt-priorgrad: mels and columns of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.models.rt_priorgrad import RtPriorGrad

from . import recordings
from .recordings import FloatArray, SegmentConfig, read_at, store, stored, voice_folders


def folder_of(cache: Path, config: RtPriorGrad) -> Path:
    return cache / "vocoder" / f"{config.mel}-columns-{config.values}"


def columns(x: FloatArray, config: RtPriorGrad) -> FloatArray:
    """[values, columns] of whole mel frames."""
    return np.ascontiguousarray(x.reshape(-1, config.values).T, np.float32)


def build(cache: Path, voices: Path, config: RtPriorGrad) -> None:
    """Stores the parts of `Voice`; voices kept for testing are refused."""

    def hear(path: Path) -> dict[str, FloatArray]:
        x = read_at(path, config.preset.sample_rate)
        mel = mel_spectrogram(x, config.preset, dtype=np.float32)
        count = min(mel.shape[1], len(x) // config.preset.hop)
        return {"mel": mel[:, :count], "bands": columns(x[: count * config.preset.hop], config)}

    store(folder_of(cache, config), voice_folders(voices), hear)


@dataclass(frozen=True)
class Voice:
    mel: FloatArray  # [num_mels, frames]
    bands: FloatArray  # [values, columns]
    starts: NDArray[np.int64]  # the first frame of each recording, and the end


def load_voices(cache: Path, config: RtPriorGrad, split: str) -> dict[str, Voice]:
    """Those of `train` or `dev`. Raises RtaudioError where there are none."""
    found = stored(folder_of(cache, config), ("mel", "bands"), split, "diffusion-data")
    return {name: Voice(**parts) for name, parts in found}


class Segments(recordings.Segments[Voice]):
    """`batch()` gives mels [lane, num_mels, frames] and columns [lane, column, value]."""

    def __init__(
        self,
        voices: Mapping[str, Voice],
        model: RtPriorGrad,
        seed: int,
        config: SegmentConfig | None = None,
    ) -> None:
        super().__init__(voices, model.preset, seed, config or SegmentConfig(frames=36))
        self.steps_per_frame = model.steps_per_frame

    def batch(self) -> tuple[FloatArray, FloatArray]:
        mels, bands = [], []
        for _ in range(self.config.batch_size):
            voice, part = self.segment()
            gain = self.log_gain()
            steps = slice(part.start * self.steps_per_frame, part.stop * self.steps_per_frame)
            mels.append(self.scaled(voice.mel[:, part], gain))
            bands.append(voice.bands[:, steps].T * np.exp(gain))
        return np.stack(mels), np.stack(bands).astype(np.float32)
