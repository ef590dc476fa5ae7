"""How vocoders sound, in numbers: copy synthesis of recordings, beside Griffin-Lim on their mels.

DistillMOS guesses what listeners would say (1 to 5); the others compare with the recording. F0 and
the voiced flags are WORLD's (harvest); the mel distance is that of the vocoder's own preset.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from rtaudio.dsp.bands import mel_bands
from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.dsp.presets import MelPreset
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import RtaudioError

from .recipe import AUDIO_SUFFIXES
from .recordings import read_at

NEEDED = ("distillmos", "xls_r_sqa", "einops", "speechmos", "onnxruntime", "pyworld")
INSTALL = (
    "pip install --no-deps distillmos xls-r-sqa speechmos; "
    "pip install einops onnxruntime pyworld 'setuptools<81'"
)

FloatArray = NDArray[np.float32]
COLUMNS = ("distillmos", "p808", "mel_db", "f0_cents", "voicing_percent")
HEADER = "system," + ",".join(COLUMNS)


@dataclass(frozen=True)
class Clip:
    name: str
    x: FloatArray  # at the preset's rate, whole frames long
    mel: FloatArray


def read_clips(folders: Iterable[Path], per_voice: int, preset: MelPreset) -> list[Clip]:
    """The first recordings of each voice. Raises RtaudioError where a folder has none."""
    clips = []
    for folder in folders:
        files = sorted(p for p in folder.glob("*") if p.suffix in AUDIO_SUFFIXES)[:per_voice]
        if not files:
            raise RtaudioError(f"there are no recordings in {folder}.")
        for path in files:
            x = read_at(path, preset.sample_rate)
            mel = mel_spectrogram(x, preset, dtype=np.float32)
            frames = min(mel.shape[1], len(x) // preset.hop)
            clips.append(
                Clip(f"{folder.name}/{path.stem}", x[: frames * preset.hop], mel[:, :frames])
            )
    return clips


def griffin_lim(mel: FloatArray, preset: MelPreset, iterations: int = 60) -> FloatArray:
    """Fast Griffin-Lim (Perraudin et al., 2013; momentum 0.99) on the pseudo-inverse of the mel
    filters."""
    magnitude = np.linalg.pinv(preset.filters) @ np.exp(mel.astype(np.float64))
    magnitude = np.maximum(magnitude, 1e-8).T
    window = analysis_window("hann", preset.window, preset.hop)
    count, size, hop = len(magnitude), preset.fft_size, preset.hop
    norm = np.zeros((count - 1) * hop + size)
    for i in range(count):
        norm[i * hop : i * hop + size] += window**2

    def inverse(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
        y = np.zeros_like(norm)
        for i, frame in enumerate(np.fft.irfft(spectrum) * window):
            y[i * hop : i * hop + size] += frame
        return y / np.maximum(norm, 1e-3)

    rng = np.random.default_rng(0)
    guess = magnitude * np.exp(2j * np.pi * rng.random(magnitude.shape))
    before = np.zeros_like(guess)
    for _ in range(iterations):
        frames = np.lib.stride_tricks.sliding_window_view(inverse(guess), size)[::hop] * window
        rebuilt = np.fft.rfft(frames)
        moved = rebuilt + 0.99 * (rebuilt - before)
        before = rebuilt
        guess = magnitude * moved / np.maximum(np.abs(moved), 1e-12)
    y = inverse(guess)[preset.pad :]
    return y[: count * hop].astype(np.float32)


def world(x: FloatArray, sample_rate: int) -> FloatArray:
    """What WORLD's own analysis and synthesis make of a recording: no mel is between them."""
    import pyworld

    signal = x.astype(np.float64)
    f0, times = pyworld.harvest(signal, sample_rate)
    power = pyworld.cheaptrick(signal, f0, times, sample_rate)
    aperiodic = pyworld.d4c(signal, f0, times, sample_rate)
    y = pyworld.synthesize(f0, power, aperiodic, sample_rate)
    return np.asarray(y[: len(x)], np.float32)


class Judges:
    """Networks that guess what listeners say of speech, from 1 to 5: DistillMOS, and DNSMOS's for
    P.808 (Reddy et al., 2010.15258). Raises RtaudioError where packages are missing."""

    RATE = 16_000
    P808_SAMPLES = round(9.01 * RATE) - 160

    def __init__(self) -> None:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise RtaudioError(f"scoring vocoders needs {', '.join(missing)}: {INSTALL}.")
        # The package reads files with torchaudio, which is not wanted for arrays.
        sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
        import distillmos
        import onnxruntime
        import torch

        self._torch = torch
        self._distilled = distillmos.ConvTransformerSQAModel().eval()
        found = importlib.util.find_spec("speechmos")
        assert found is not None and found.origin is not None
        model = Path(found.origin).with_name("dnsmos_models") / "model_v8.onnx"
        self._p808 = onnxruntime.InferenceSession(model)
        size = 321
        self._window = np.hanning(size + 1)[:size]
        self._mels = mel_bands(size // 2 + 1, 120, self.RATE / size, high_hz=self.RATE / 2)

    def __call__(self, x: FloatArray, sample_rate: int) -> tuple[float, float]:
        loud = 0.7 * x / max(float(np.abs(x).max()), 1e-9)
        y = np.asarray(soxr.resample(loud, sample_rate, self.RATE), np.float32)
        with self._torch.no_grad():
            distilled = float(self._distilled(self._torch.from_numpy(y)[None]))
        return distilled, self._listen(y)

    def _listen(self, y: FloatArray) -> float:
        """Speech is repeated until it is long enough, and heard in parts a second apart."""
        while len(y) < self.P808_SAMPLES + 160:
            y = np.concatenate([y, y])
        parts = range(0, len(y) - self.P808_SAMPLES - 159, self.RATE)
        scores = []
        for begin in parts:
            padded = np.pad(y[begin : begin + self.P808_SAMPLES], len(self._window) // 2)
            frames = np.lib.stride_tricks.sliding_window_view(padded, len(self._window))[::160]
            power = np.abs(np.fft.rfft(frames * self._window)) ** 2 @ self._mels.T
            db = 10 * np.log10(np.maximum(power, 1e-10))
            seen = np.maximum(db - db.max(), -80) / 40 + 1
            (answer,) = self._p808.run(None, {"input_1": seen[None].astype(np.float32)})
            scores.append(float(answer.ravel()[0]))
        return float(np.mean(scores))


def compare_pitch(x: FloatArray, y: FloatArray, sample_rate: int) -> tuple[float, float]:
    """Median difference of F0 in cents where both are voiced, and the share of frames in percent
    whose voicing differs."""
    import pyworld

    f, g = (pyworld.harvest(s.astype(np.float64), sample_rate)[0] for s in (x, y))
    count = min(len(f), len(g))
    f, g = f[:count], g[:count]
    both = (f > 0) & (g > 0)
    cents = 1200 * np.abs(np.log2(f[both] / g[both])) if both.any() else np.array([np.nan])
    return float(np.median(cents)), 100 * float(np.mean((f > 0) != (g > 0)))


def mel_distance(mel: FloatArray, y: FloatArray, preset: MelPreset) -> float:
    """Mean absolute difference in dB, above -80 dB of the clip's loudest band."""
    made = mel_spectrogram(y, preset, dtype=np.float32)
    count = min(mel.shape[1], made.shape[1])
    floor = float(mel.max()) - 80 * np.log(10) / 20
    a, b = (np.maximum(m[:, :count], floor) for m in (mel, made))
    return float(np.abs(a - b).mean() * 20 / np.log(10))


def score(
    clips: list[Clip], preset: MelPreset, system: Callable[[Clip], FloatArray], judges: Judges
) -> dict[str, float]:
    """Means over the clips, by the names of COLUMNS."""
    rows = []
    for clip in clips:
        y = system(clip)
        rows.append(
            (
                *judges(y, preset.sample_rate),
                mel_distance(clip.mel, y, preset),
                *compare_pitch(clip.x, y, preset.sample_rate),
            )
        )
    return dict(zip(COLUMNS, np.nanmean(np.array(rows), axis=0).tolist(), strict=True))
