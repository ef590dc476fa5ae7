"""Whether a vocoder's weights are of the mels that its file names.

A network fed with mels of another scaling makes noise or next to nothing, and says nothing. So a
recording is made again from its mels, scaled in each way that is known for so many bands and so
long a hop, and the mel of what comes out is held against the recording's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.dsp.presets import MEL_PRESETS, MelPreset
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.model import Model
from rtaudio.runtime.registry import WEIGHTS
from rtaudio.runtime.vocoder import Vocoder

MARGIN_DB = 2.0  # less is no difference
FAR_DB = 12.0  # of a network that does not know its mels
FLOOR_DB = -60.0  # under the loudest band: what lies lower is not heard
_PER_LN = 20.0 / np.log(10.0)


@dataclass(frozen=True)
class MelCheck:
    """How far speech is from the recording, in dB, for each preset whose mels it was made from."""

    named: str
    distances: dict[str, float]

    @property
    def best(self) -> str:
        """The named preset, unless another one is clearly better."""
        best = min(self.distances, key=self.distances.__getitem__)
        better = self.distances[best] < self.distances[self.named] - MARGIN_DB
        return best if better else self.named

    @property
    def trusted(self) -> bool:
        """Speech comes out, and of no other mels better."""
        return self.best == self.named and self.distances[self.named] <= FAR_DB

    @property
    def sentence(self) -> str:
        own = f"{self.distances[self.named]:.1f} dB from the recording it is made of"
        if self.best != self.named:
            return (
                f"from mels of {self.named} its speech is {own}, and "
                f"{self.distances[self.best]:.1f} dB from those of {self.best}: its weights are of "
                "those, or nearer to them."
            )
        if self.distances[self.named] > FAR_DB:
            return (
                f"its speech is {own}, and no nearer from mels of any preset that is known "
                f"({', '.join(self.distances)}): it is not trained, or on other mels."
            )
        return f"its speech is {own}; no other mel preset comes nearer."


def candidates(preset: MelPreset) -> list[MelPreset]:
    """The preset, and one of each other scaling that has its bands and its hop, but for those with
    statistics of a training set."""
    found = {_scaling(preset): preset}
    for other in MEL_PRESETS.values():
        plain = other.mean == (0.0,) and other.std == (1.0,)
        if plain and (other.num_mels, other.hop) == (preset.num_mels, preset.hop):
            found.setdefault(_scaling(other), other)
    return list(found.values())


def _scaling(preset: MelPreset) -> tuple[object, ...]:
    level = (preset.compression, preset.gain, preset.offset, preset.unit_energy, preset.clip)
    return (*level, preset.mean, preset.std, preset.sample_rate)


def shipped_speech() -> tuple[FloatArray, int]:
    """Half a second of it, (frames,), and its rate in Hz."""
    import soundfile

    x, rate = soundfile.read(WEIGHTS / "demo.flac", dtype="float32", always_2d=True)
    return x[rate : rate + rate // 2, 0], rate


def check_mel_scaling(model: Model, named: str, recording: FloatArray, rate: int) -> MelCheck:
    """`named`: the preset of the model's file; recording: (frames,), of speech, at `rate` Hz."""
    import soxr

    distances = {}
    vocoder = Vocoder(model, preset=named)
    for preset in candidates(vocoder.preset):
        x = recording
        if preset.sample_rate != rate:
            x = np.asarray(soxr.resample(x, rate, preset.sample_rate), np.float32)
        made = Vocoder(model, preset=preset)(mel_spectrogram(x, preset, dtype=np.float32))
        distances[preset.name] = distance(x, made, preset.sample_rate)
    return MelCheck(vocoder.preset.name, distances)


def distance(x: FloatArray, y: FloatArray, rate: int) -> float:
    """RMS difference of two signals' mels in dB, over what is not far below the loudest."""
    ruler = MelPreset(name="ruler", sample_rate=rate, num_mels=40)
    count = min(len(x), len(y))
    a, b = (_PER_LN * mel_spectrogram(each[:count], ruler) for each in (x, y))
    floor = a.max() + FLOOR_DB
    return float(np.sqrt(np.mean((np.maximum(a, floor) - np.maximum(b, floor)) ** 2)))
