"""Speech for training vocoders: what is made of folders of recordings, one a voice, is kept as a
file a voice and part, and comes back in segments of mel frames.

Such folders are those that `voices` synthesises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.dsp.presets import MelPreset
from rtaudio.errors import RtaudioError

from .recipe import AUDIO_SUFFIXES, DEV_VOICES
from .vocoder_pitch import harvest, phases
from .voices import KEPT_FOR_TESTING

FULL_SCALE = 32767  # where recordings are kept as 16-bit numbers
FloatArray = NDArray[np.float32]
Parts = Mapping[str, NDArray[Any]]  # time is the last axis of each; frames those of "mel"


def read_at(path: Path, sample_rate: int) -> FloatArray:
    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = x.mean(axis=1)
    resampled = mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate)
    return np.asarray(resampled, np.float32)


def listen(path: Path, preset: MelPreset) -> tuple[FloatArray, dict[str, NDArray[Any]]]:
    """A recording, whole mel frames of it, and the parts that every vocoder learns from: samples of
    16 bits, mel, WORLD's pitch in Hz (0 where unvoiced), and the phase of the fundamental."""
    rate, hop = preset.sample_rate, preset.hop
    x = read_at(path, rate)
    mel = mel_spectrogram(x, preset, dtype=np.float32)
    f0 = harvest(x, rate, hop)
    count = min(mel.shape[1], len(x) // hop, len(f0))
    x, f0 = x[: count * hop], f0[:count]
    return x, {
        "x": np.round(FULL_SCALE * x.clip(-1, 1)).astype(np.int16),
        "mel": mel[:, :count],
        "f0": f0,
        "phase": phases(x, f0, rate, hop),
    }


def voice_folders(voices: Path) -> list[Path]:
    """Raises RtaudioError where one among them is kept for testing."""
    folders = sorted(p for p in voices.iterdir() if p.is_dir())
    for folder in folders:
        if folder.name in KEPT_FOR_TESTING:
            raise RtaudioError(f"{folder} holds a voice kept for testing; take it out.")
    return folders


def store(
    out: Path,
    folders: Sequence[Path],
    hear: Callable[[Path], Parts],
    recordings: int | None = None,
) -> None:
    """Writes NAME.PART.npy for each part and NAME.json (frames a recording) for every folder, of
    its first `recordings`; finished ones are skipped."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        if (out / f"{folder.name}.json").exists():
            continue
        files = sorted(p for p in folder.iterdir() if p.suffix in AUDIO_SUFFIXES)
        heard = [hear(path) for path in files[:recordings]]
        if not heard:
            raise RtaudioError(f"there are no recordings in {folder}.")
        for part in heard[0]:
            joined = np.concatenate([each[part] for each in heard], axis=-1)
            np.save(out / f"{folder.name}.{part}.npy", joined)
        frames = [each["mel"].shape[1] for each in heard]
        (out / f"{folder.name}.json").write_text(json.dumps(frames))


def stored(
    folder: Path, parts: Sequence[str], split: str, command: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The voices of `train` or `dev`: their names and parts, with `starts`, the first frame of each
    recording and the end. Raises RtaudioError where there are none; `command` makes them."""
    names = [p.stem for p in sorted(folder.glob("*.json"))]
    names = [name for name in names if (name in DEV_VOICES) == (split == "dev")]
    if not names:
        raise RtaudioError(f"there is no speech in {folder}; the command {command} first.")
    for name in names:
        found: dict[str, Any] = {
            part: np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in parts
        }
        found["starts"] = np.cumsum([0, *json.loads((folder / f"{name}.json").read_text())])
        yield name, found


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    batch_size: int = 8
    frames: int = 64  # mel frames a lane; those at the ends only fill the network's memory
    level_range_db: tuple[float, float] = (-18.0, 6.0)


class Recorded(Protocol):
    @property
    def starts(self) -> NDArray[np.int64]: ...


V = TypeVar("V", bound=Recorded)


class Segments(Generic[V]):
    """Draws parts of recordings and levels for the batches of those who inherit."""

    def __init__(
        self, voices: Mapping[str, V], preset: MelPreset, seed: int, config: SegmentConfig
    ) -> None:
        """Raises RtaudioError where all recordings are too short."""
        self.preset, self.config = preset, config
        self.rng = np.random.default_rng(seed)
        self.voices = [v for v in voices.values() if np.diff(v.starts).max() >= config.frames]
        if not self.voices:
            raise RtaudioError(f"no recording has {config.frames} mel frames, a segment's length.")
        self.quietest = float(np.log(preset.floor))

    @property
    def audio_seconds(self) -> float:
        c = self.config
        return c.batch_size * c.frames * self.preset.hop / self.preset.sample_rate

    def refresh(self) -> int:
        return len(self.voices)

    def segment(self) -> tuple[V, slice]:
        """Frames of a recording of any voice; long recordings come as often as they are long."""
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

    def log_gain(self) -> float:
        """Of the amplitudes of a segment."""
        return float(self.rng.uniform(*self.config.level_range_db) * np.log(10) / 20)

    def scaled(self, mel: FloatArray, log_gain: float) -> FloatArray:
        louder: FloatArray = np.maximum(mel + log_gain, self.quietest, dtype=np.float32)
        return louder
