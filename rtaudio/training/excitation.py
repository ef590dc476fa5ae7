"""What rt-priorgrad learns to make: speech without the mel's envelope.

The speech is pulses and noise behind the envelopes that WORLD hears in a recording, so that the
pulses which the network is given stand in it. In a recording itself the harmonics soon run out of
step with any pulses; what cannot be foretold from them takes far longer to learn.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rtaudio.graph import Cepstrum, MinimumPhase
from rtaudio.models.rt_priorgrad import LARGEST, ORDER, RINGING, RtPriorGrad, envelope_lines
from rtaudio.models.rt_wavenet_source import LARGEST_GAIN, LEAST_GAIN

from .recordings import FloatArray
from .vocoder_loss import source
from .vocoder_pitch import envelopes, without_gaps

Array = NDArray[np.float64]


def responses(logs: Array, size: int, order: int) -> tuple[Array, Array]:
    """Filters of minimum phase with log magnitudes [bin, frame], smoothed in the cepstrum, and
    what undoes them: impulse responses [frame, size]."""
    smooth = Cepstrum(fft_size=size, order=order).matrix() @ logs
    re, im = np.split(MinimumPhase(fft_size=size, order=order).matrix() @ smooth, 2)
    both = [np.fft.irfft(np.exp(sign * (re + 1j * im)), size, axis=0).T for sign in (1, -1)]
    return both[0], both[1]


def mel_responses(mel: FloatArray, config: RtPriorGrad) -> tuple[Array, Array]:
    """Of mel frames [num_mels, frames], as the model filters by them."""
    lines, flat = envelope_lines(config)
    logs = (lines @ (mel.T - flat).T).clip(LEAST_GAIN, LARGEST_GAIN)
    return responses(logs, config.filter_size, ORDER)


def rung(x: Array, rings: Array, hop: int) -> Array:
    """Hops of `x`, each behind its filter."""
    y = np.zeros(len(x) + rings.shape[1])
    for i, ring in enumerate(rings):
        y[i * hop : (i + 1) * hop + len(ring) - 1] += np.convolve(x[i * hop : (i + 1) * hop], ring)
    return y[: len(x)]


def excitation(x: Array, mel: FloatArray, config: RtPriorGrad) -> Array:
    """What becomes `x` [hop * frames] behind the filters of `mel` [num_mels, frames]. A filter
    answers within its hop, so that hops are found one after the other."""
    hop, made = config.preset.hop, np.zeros(len(x))
    rings, undoes = mel_responses(mel, config)
    rest = np.append(x, np.zeros(config.filter_size))
    for i, (ring, undo) in enumerate(zip(rings, undoes, strict=True)):
        here = slice(i * hop, (i + 1) * hop)
        made[here] = np.convolve(rest[here], undo[:hop])[:hop]
        heard = np.convolve(made[here], ring[: RINGING * hop])
        rest[here.start : here.start + len(heard)] -= heard
    return made


def synthesised(
    x: FloatArray, f0: FloatArray, mel: FloatArray, config: RtPriorGrad, rng: np.random.Generator
) -> tuple[NDArray[np.float16], FloatArray]:
    """The excitation of pulses and noise with the envelopes of a recording `x` [hop * frames], and
    the phases of the pulses, in turns, at every frame; `f0` in Hz, 0 where unvoiced."""
    hop, rate, size = config.preset.hop, config.preset.sample_rate, config.filter_size
    turns = without_gaps(f0).astype(np.float64) / rate
    advances = hop * (turns[:-1] + turns[1:]) / 2
    phase = np.cumsum([rng.uniform(), *advances]) % 1.0
    pulses = source(torch.from_numpy(turns)[None], torch.from_numpy(phase)[None], hop)[0].numpy()
    pulses = pulses * np.repeat(f0 > 0, hop)
    hertz = np.linspace(0, rate / 2, config.bins)
    heard = envelopes(x, f0, rate, hop, hertz).astype(np.float64)
    y = np.zeros(len(x))
    for part, logs in zip((pulses, rng.standard_normal(len(x))), heard, strict=True):
        y += rung(part, responses(logs, size, size // 2)[0][:, : RINGING * hop], hop)
    made = excitation(y, mel, config).clip(-LARGEST, LARGEST)
    return made.astype(np.float16), phase.astype(np.float32)
