"""Speech for training rt-priorgrad: excitations, mels, pitch and the phases of pulses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.models.rt_priorgrad import RtPriorGrad

from . import recordings
from .excitation import synthesised
from .recordings import FloatArray, Parts, SegmentConfig, listen, store, stored, voice_folders
from .vocoder_pitch import check_world, without_gaps


def folder_of(cache: Path, config: RtPriorGrad) -> Path:
    return cache / "vocoder" / f"{config.mel}-excitation"


def build(
    cache: Path, voices: Path, config: RtPriorGrad, num_recordings: int | None = None
) -> None:
    """Stores the parts of `Voice` for every voice's first `num_recordings`; voices kept for testing
    are refused."""
    folders = voice_folders(voices)
    check_world()

    rng = np.random.default_rng(1)

    def hear(path: Path) -> Parts:
        x, parts = listen(path, config.preset)
        mel, f0 = parts["mel"], parts["f0"]
        made, phase = synthesised(x, f0, mel, config, rng)
        return {"excitation": made, "mel": mel, "f0": f0, "phase": phase}

    store(folder_of(cache, config), folders, hear, num_recordings)


@dataclass(frozen=True)
class Voice:
    excitation: NDArray[np.float16]  # samples
    mel: FloatArray  # [num_mels, frames]
    f0: FloatArray  # Hz [frames], 0 where unvoiced
    phase: FloatArray  # turns of the pulses [frames]
    starts: NDArray[np.int64]  # the first frame of each recording, and the end


PARTS = ("excitation", "mel", "f0", "phase")


def load_voices(cache: Path, config: RtPriorGrad, split: str) -> dict[str, Voice]:
    """Those of `train` or `dev`. Raises RtaudioError where there are none."""
    found = stored(folder_of(cache, config), PARTS, split, "diffusion-data")
    return {name: Voice(**parts) for name, parts in found}


class Segments(recordings.Segments[Voice]):
    """`batch()` gives, for each lane, mel [num_mels, frames], excitation [hop * frames], and pitch
    in Hz (without gaps), phases and voiced flags [frames]."""

    def __init__(
        self,
        voices: Mapping[str, Voice],
        model: RtPriorGrad,
        seed: int,
        config: SegmentConfig,
    ) -> None:
        super().__init__(voices, model.preset, seed, config)

    def batch(self) -> tuple[FloatArray, ...]:
        lanes, hop = [], self.preset.hop
        for _ in range(self.config.batch_size):
            voice, part = self.segment()
            made = voice.excitation[part.start * hop : part.stop * hop]
            f0 = voice.f0[part]
            mel = self.scaled(voice.mel[:, part], self.log_gain())
            lanes.append((mel, made, without_gaps(f0), voice.phase[part], f0 > 0))
        return tuple(np.stack(each).astype(np.float32) for each in zip(*lanes, strict=True))
