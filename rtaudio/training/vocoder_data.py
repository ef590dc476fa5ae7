"""Speech for training vocoders: recordings, their mels and what WORLD hears in them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.presets import MelPreset

from . import recordings
from .recordings import FloatArray, SegmentConfig, listen, store, stored, voice_folders
from .vocoder_pitch import check_world, envelopes, without_gaps


class Vocoder(Protocol):
    @property
    def mel(self) -> str: ...

    @property
    def preset(self) -> MelPreset: ...


def folder_of(cache: Path, config: Vocoder) -> Path:
    return cache / "vocoder" / f"{config.mel}-world"


def build(
    cache: Path,
    voices: Path,
    config: Vocoder,
    centres: NDArray[np.float64],
    recordings: int | None = None,
) -> None:
    """Stores what `listen` makes of every voice's first `recordings`, with envelopes; voices kept
    for testing are refused. `centres`: Hz of the envelopes' bands."""
    folders = voice_folders(voices)
    check_world()
    preset = config.preset

    def hear(path: Path) -> dict[str, NDArray[Any]]:
        x, parts = listen(path, preset)
        seen = envelopes(x, parts["f0"], preset.sample_rate, preset.hop, centres)
        return {**parts, "envelopes": seen.astype(np.float16)}

    store(folder_of(cache, config), folders, hear, recordings)


@dataclass(frozen=True)
class Voice:
    x: NDArray[np.int16]  # samples
    mel: FloatArray  # [num_mels, frames]
    f0: FloatArray  # Hz [frames], 0 where unvoiced
    phase: FloatArray  # turns of the fundamental [frames]
    envelopes: NDArray[np.float16]  # [2, bands, frames]: log amplitudes of pulses and of noise
    starts: NDArray[np.int64]  # the first frame of each recording, and the end
    pitch: FloatArray  # Hz, without gaps


PARTS = ("x", "mel", "f0", "phase", "envelopes")


def load_voices(cache: Path, config: Vocoder, split: str) -> dict[str, Voice]:
    """Those of `train` or `dev`. Raises RtaudioError where there are none."""
    found = {}
    for name, parts in stored(folder_of(cache, config), PARTS, split, "vocoder-data"):
        bounds = itertools.pairwise(parts["starts"])
        pitch = [without_gaps(parts["f0"][low:high]) for low, high in bounds]
        found[name] = Voice(**parts, pitch=np.concatenate(pitch))
    return found


class Segments(recordings.Segments[Voice]):
    """`batch()` gives, for each lane, mel [num_mels, frames], pitch in Hz, phases and voiced flags
    [frames], and envelopes [2, bands, frames]."""

    def __init__(
        self,
        voices: Mapping[str, Voice],
        model: Vocoder,
        seed: int,
        config: SegmentConfig | None = None,
    ) -> None:
        super().__init__(voices, model.preset, seed, config or SegmentConfig())

    def batch(self) -> tuple[FloatArray, ...]:
        lanes = []
        for _ in range(self.config.batch_size):
            voice, part = self.segment()
            gain = self.log_gain()
            envelopes = voice.envelopes[:, :, part] + np.float32(gain)
            mel = self.scaled(voice.mel[:, part], gain)
            lanes.append((mel, voice.pitch[part], voice.phase[part], voice.f0[part] > 0, envelopes))
        return tuple(np.stack(each).astype(np.float32) for each in zip(*lanes, strict=True))
