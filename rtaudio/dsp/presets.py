"""Mel presets: what each vocoder and acoustic model means by a mel spectrogram.

Read from the authors' code: jik876/hifi-gan meldataset.py, NVIDIA/tacotron2 layers.py and stft.py,
NVIDIA/BigVGAN meldataset.py, gemelo-ai/vocos feature_extractors.py, lmnt-com/diffwave and wavegrad
preprocess.py, r9y9/wavenet_vocoder audio.py, kan-bayashi/ParallelWaveGAN bin/preprocess.py,
shivammehta25/Matcha-TTS utils/audio.py. `specgrad24` has its filters and floor from us, since the
papers give none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.bands import mel_bands, mel_points
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import MelError

COMPRESSIONS: Mapping[str, float] = {
    "ln": 1.0,
    "log10": 1.0 / math.log(10),
    "db": 20 / math.log(10),
}
FILTER_FIELDS = (
    "sample_rate",
    "fft_size",
    "hop",
    "window",
    "num_mels",
    "low_hz",
    "high_hz",
    "scale",
)
MAX_FFT_SIZE, MAX_MELS = 1 << 16, 4096


@dataclass(frozen=True, kw_only=True)
class MelPreset:
    """Frame i covers samples [i * hop - pad, i * hop - pad + fft_size) of the signal, mirrored at
    both ends (without repeating the end), under a periodic Hann window of `window` samples in the
    middle. Its values are

        (clip(C(max(filters @ magnitude, floor)) * gain + offset) - mean) / std

    with magnitude = sqrt(re^2 + im^2 + power_floor), divided by sqrt(sum of window^2) where
    `unit_energy`; C is ln, log10 or db (20 log10); `clip` limits to [0, 1]. `mean` and `std` are
    of one value, or one a mel (what a trainer measured: `with_statistics`). `high_hz` 0 means half
    the sample rate. `scale` is "slaney" (librosa) or "htk" (torchaudio, not normalised).
    `context_frames` is what the vocoder of this preset reads on each side of a frame.
    """

    name: str
    sample_rate: int
    fft_size: int = 1024
    hop: int = 256
    window: int = 1024
    pad: int = 512
    num_mels: int = 80
    low_hz: float = 0.0
    high_hz: float = 0.0
    scale: str = "slaney"
    power_floor: float = 0.0
    unit_energy: bool = False
    floor: float = 1e-5
    compression: str = "ln"
    gain: float = 1.0
    offset: float = 0.0
    clip: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    context_frames: int = 0

    def __post_init__(self) -> None:
        for field, low, high in (
            ("sample_rate", 1, 1_000_000),
            ("fft_size", 2, MAX_FFT_SIZE),
            ("hop", 1, self.window),
            ("window", 1, self.fft_size),
            ("pad", (self.fft_size - self.window + 1) // 2, self.fft_size),
            ("num_mels", 1, MAX_MELS),
            ("high_hz", 0, self.sample_rate / 2),
            ("low_hz", 0, (self.high_hz or self.sample_rate / 2) - 1),
            ("floor", 1e-30, 1.0),
            ("power_floor", 0, 1.0),
            ("context_frames", 0, 1024),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                self._refuse(field, f"it must be {low:g} to {high:g}")
        if self.compression not in COMPRESSIONS:
            self._refuse("compression", f"it must be one of {', '.join(COMPRESSIONS)}")
        if self.scale not in ("slaney", "htk"):
            self._refuse("scale", "it must be slaney or htk")
        if not (math.isfinite(self.gain) and self.gain > 0):
            self._refuse("gain", "it must be positive")
        for field in ("mean", "std"):
            values = getattr(self, field)
            if len(values) not in (1, self.num_mels) or not np.isfinite(values).all():
                self._refuse(field, f"it must hold 1 or {self.num_mels} finite values")
        if min(self.std) <= 0:
            self._refuse("std", "every value must be positive")

    def _refuse(self, field: str, rule: str) -> None:
        raise MelError(
            f"mel preset {self.name!r}: {field} is {getattr(self, field)!r:.60}; {rule}."
        )

    def with_statistics(self, mean: Sequence[float], std: Sequence[float]) -> MelPreset:
        """The preset with the training set's mean and standard deviation, one value a mel."""
        return replace(self, mean=tuple(map(float, mean)), std=tuple(map(float, std)))

    @property
    def centres(self) -> NDArray[np.float64]:
        """Hz where the bands peak."""
        top = self.high_hz or self.sample_rate / 2
        return mel_points(self.num_mels, self.low_hz, top, self.scale)[1:-1]

    @property
    def wait_samples(self) -> int:
        """Samples after the end of hop i, (i + 1) * hop, that a live analysis of frame i needs."""
        return self.begin + self.window - self.hop

    @property
    def begin(self) -> int:
        """First sample of frame 0 under the window; negative: it is in the mirrored part."""
        return (self.fft_size - self.window) // 2 - self.pad

    def num_frames(self, num_samples: int) -> int:
        padded = num_samples + 2 * self.pad - self.fft_size
        return padded // self.hop + 1 if num_samples > 0 and padded >= 0 else 0

    @cached_property
    def filters(self) -> NDArray[np.float64]:
        """[num_mels, fft_size // 2 + 1], with the division of `unit_energy` in them."""
        bins, step = self.fft_size // 2 + 1, self.sample_rate / self.fft_size
        matrix = mel_bands(
            bins,
            self.num_mels,
            step,
            self.low_hz,
            self.high_hz or self.sample_rate / 2,
            scale=self.scale,
        )
        if self.unit_energy:
            matrix = matrix / np.sqrt(np.sum(analysis_window("hann", self.window, self.hop) ** 2))
        return matrix


def differing_filters(source: MelPreset, target: MelPreset) -> str:
    """Why the two presets have different filters, as words; empty where they share them."""
    pairs = ((f, _filter_field(source, f), _filter_field(target, f)) for f in FILTER_FIELDS)
    return ", ".join(f"{field} {a} and {b}" for field, a, b in pairs if a != b)


def _filter_field(preset: MelPreset, field: str) -> object:
    if field == "high_hz":
        return preset.high_hz or preset.sample_rate / 2
    return getattr(preset, field)


def _long(preset: MelPreset) -> MelPreset:
    """At a hop of 12.5 ms (24 kHz) under a window of 50 ms."""
    return replace(preset, fft_size=2048, hop=300, window=1200, pad=1024)


# LMNT's 20 log10(x) - 20, with -100 dB to 0 dB as 0 to 1.
_DIFFWAVE = MelPreset(
    name="diffwave22",
    sample_rate=22_050,
    low_hz=20.0,
    scale="htk",
    unit_energy=True,
    compression="db",
    gain=0.01,
    offset=0.8,
    clip=True,
)
_HIFIGAN = MelPreset(
    name="hifigan22", sample_rate=22_050, pad=384, high_hz=8000.0, power_floor=1e-9
)
_WAVENET = MelPreset(
    name="wavenet22",
    sample_rate=22_050,
    low_hz=125.0,
    high_hz=7600.0,
    floor=1e-10,
    compression="log10",
    context_frames=2,
)
_VOCOS = MelPreset(name="vocos24", sample_rate=24_000, num_mels=100, scale="htk", floor=1e-7)
_PWG22 = replace(_WAVENET, name="pwg22", low_hz=80.0)
_BIGVGAN22 = replace(_HIFIGAN, name="bigvgan22", high_hz=0.0)

MEL_PRESETS: Mapping[str, MelPreset] = {
    preset.name: preset
    for preset in (
        _HIFIGAN,
        # Matcha-TTS's own normalisation of the same mels, on LJ Speech and on VCTK.
        replace(_HIFIGAN, name="matcha_lj", mean=(-5.536622,), std=(2.116101,)),
        replace(_HIFIGAN, name="matcha_vctk", mean=(-6.630575,), std=(2.482914,)),
        MelPreset(name="tacotron22", sample_rate=22_050, high_hz=8000.0),
        replace(_BIGVGAN22, name="bigvgan24", sample_rate=24_000, num_mels=100),
        _BIGVGAN22,
        replace(_HIFIGAN, name="bigvgan22_fmax8k"),
        _VOCOS,
        replace(_VOCOS, name="vocos24_same", pad=384),
        _DIFFWAVE,
        _long(replace(_DIFFWAVE, name="wavegrad22", num_mels=128)),
        # Its published weights are of this rate, whatever their parameters say.
        _long(replace(_DIFFWAVE, name="wavegrad24", num_mels=128, sample_rate=24_000)),
        # The recipe of wavenet22 takes everything below 70 Hz out of the audio beforehand.
        _WAVENET,
        _PWG22,
        _long(replace(_PWG22, name="pwg24", sample_rate=24_000)),
        _long(
            MelPreset(name="specgrad24", sample_rate=24_000, num_mels=128, low_hz=20.0, scale="htk")
        ),
        # Our own: windows of 20 ms that end with their hop, so that a frame waits for nothing.
        MelPreset(name="rt24", sample_rate=24_000, fft_size=480, window=480, hop=240, pad=240),
    )
}


def find_preset(name: str | MelPreset) -> MelPreset:
    """A preset by its name. Raises MelError for an unknown one."""
    if isinstance(name, MelPreset):
        return name
    if name not in MEL_PRESETS:
        raise MelError(
            f"there is no mel preset {name!r:.60}; it must be one of {', '.join(MEL_PRESETS)}."
        )
    return MEL_PRESETS[name]
