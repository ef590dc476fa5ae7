"""Speech for training vocoders: recordings, their mels and what WORLD hears in them, a file of each
a voice.

Sources are folders of recordings, one a voice, as `voices` synthesises them.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.errors import RtaudioError
from rtaudio.models.rt_wavenet import RtWaveNet

from .recipe import AUDIO_SUFFIXES, DEV_VOICES
from .vocoder_pitch import check_world, envelopes, harvest, phases, without_gaps
from .voices import KEPT_FOR_TESTING

FloatArray = NDArray[np.float32]
FULL_SCALE = 32767  # recordings are kept as 16-bit numbers


def read_at(path: Path, sample_rate: int) -> FloatArray:
    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = x.mean(axis=1)
    resampled = mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate)
    return np.asarray(resampled, np.float32)


def folder_of(cache: Path, config: RtWaveNet) -> Path:
    return cache / "vocoder" / f"{config.mel}-world"


def build(
    cache: Path,
    voices: Path,
    config: RtWaveNet,
    centres: NDArray[np.float64],
    recordings: int | None = None,
) -> None:
    """Writes NAME.PART.npy for each part of `Voice` and NAME.json (frames a recording) for every
    voice, of its first `recordings`; finished ones are skipped, voices kept for testing refused.
    `centres`: Hz of the envelopes' bands."""
    folders = sorted(p for p in voices.iterdir() if p.is_dir())
    for folder in folders:
        if folder.name in KEPT_FOR_TESTING:
            raise RtaudioError(f"{folder} holds a voice kept for testing; take it out.")
    check_world()
    out = folder_of(cache, config)
    out.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        if (out / f"{folder.name}.json").exists():
            continue
        files = sorted(p for p in folder.iterdir() if p.suffix in AUDIO_SUFFIXES)
        heard = [_hear(path, config, centres) for path in files[:recordings]]
        for part in PARTS:
            joined = np.concatenate([each[part] for each in heard], axis=-1)
            np.save(out / f"{folder.name}.{part}.npy", joined)
        frames = [each["f0"].shape[0] for each in heard]
        (out / f"{folder.name}.json").write_text(json.dumps(frames))


def _hear(path: Path, config: RtWaveNet, centres: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    preset = config.preset
    rate, hop = preset.sample_rate, preset.hop
    x = read_at(path, rate)
    mel = mel_spectrogram(x, preset, dtype=np.float32)
    f0 = harvest(x, rate, hop)
    count = min(mel.shape[1], len(x) // hop, len(f0))
    x, f0 = x[: count * hop], f0[:count]
    return {
        "x": np.round(FULL_SCALE * x.clip(-1, 1)).astype(np.int16),
        "mel": mel[:, :count],
        "f0": f0,
        "phase": phases(x, f0, rate, hop),
        "envelopes": envelopes(x, f0, rate, hop, centres).astype(np.float16),
    }


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


def load_voices(cache: Path, config: RtWaveNet, split: str) -> dict[str, Voice]:
    """Those of `train` or `dev`. Raises RtaudioError where there are none."""
    folder = folder_of(cache, config)
    found = {}
    for path in sorted(folder.glob("*.json")):
        if (path.stem in DEV_VOICES) == (split == "dev"):
            starts = np.cumsum([0, *json.loads(path.read_text())])
            arrays: dict[str, Any] = {
                part: np.load(path.with_name(f"{path.stem}.{part}.npy"), mmap_mode="r")
                for part in PARTS
            }
            pitch = [without_gaps(arrays["f0"][a:b]) for a, b in itertools.pairwise(starts)]
            found[path.stem] = Voice(**arrays, starts=starts, pitch=np.concatenate(pitch))
    if not found:
        raise RtaudioError(f"there is no speech in {folder}; the command vocoder-data first.")
    return found


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    batch_size: int = 8
    frames: int = 64  # mel frames a lane; those at the ends only fill the network's memory
    level_range_db: tuple[float, float] = (-18.0, 6.0)


class Segments:
    """`batch()` gives, for each lane, mel [num_mels, frames], pitch in Hz, phases and voiced flags
    [frames], and envelopes [2, bands, frames]."""

    def __init__(
        self,
        voices: dict[str, Voice],
        model: RtWaveNet,
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

    def _segment(self) -> tuple[Voice, slice]:
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
        return voice, slice(first, first + count)

    def batch(self) -> tuple[FloatArray, ...]:
        lanes = []
        for _ in range(self.config.batch_size):
            voice, part = self._segment()
            gain = self.rng.uniform(*self.config.level_range_db) * np.log(10) / 20
            envelopes = voice.envelopes[:, :, part] + np.float32(gain)
            mel = np.maximum(voice.mel[:, part] + gain, self.quietest)
            lanes.append((mel, voice.pitch[part], voice.phase[part], voice.f0[part] > 0, envelopes))
        return tuple(np.stack(each).astype(np.float32) for each in zip(*lanes, strict=True))
