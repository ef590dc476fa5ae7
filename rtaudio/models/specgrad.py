"""SpecGrad's noise (2203.16749): as loud at each frequency as the mel says.

D, the filter of a frame, has the magnitude of the mel's spectral envelope, smoothed in the
cepstrum, and the least phase that such a magnitude can have. In a stream it waits for two frames
of mel, those whose windows reach into the present one.
"""

from __future__ import annotations

import numpy as np

from rtaudio.dsp.presets import COMPRESSIONS, MelPreset
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Cepstrum,
    Channels,
    FilteredNoise,
    Linear,
    Merge,
    MinimumPhase,
    Serial,
)
from rtaudio.graph.layer import FloatArray

ORDER = 24  # of the cepstrum that is kept
FLOOR = 0.01  # of the envelope, where full scale is 1


def specgrad_noise(
    preset: MelPreset, steps: int, *, order: int = ORDER, floor: float = FLOOR
) -> FilteredNoise:
    """Mels of a preset to the noise of `steps` steps, a channel each, preset.hop samples a frame:
    what `Chain` takes behind its condition, and `Refine` where it is `given`. Frame i of the preset
    must lie around sample i * hop."""
    if preset.pad != preset.fft_size // 2:
        raise GraphError(f"specgrad: frames of {preset.name} are not centred on their samples.")
    return FilteredNoise(
        name="prior",
        filter=envelope_filter(preset, order, floor),
        steps=steps,
        fft_size=preset.fft_size,
        window=preset.window,
        hop=preset.hop,
    )


def envelope_filter(preset: MelPreset, order: int, floor: float) -> Serial:
    """Mels to [re; im] of D's diagonal."""
    if preset.mean != (0.0,) or preset.std != (1.0,):
        raise GraphError(f"specgrad: mels of {preset.name} are normalised; give plain ones.")
    bins = preset.fft_size // 2 + 1
    scale = 1.0 / (COMPRESSIONS[preset.compression] * preset.gain)
    magnitudes = (
        Activation(function="affine", a=scale, b=-preset.offset * scale),
        Activation(function="exp"),
        Linear(name="bins", outputs=bins, bias=False),
    )
    envelope = (
        Activation(function="log", a=floor),
        Cepstrum(fft_size=preset.fft_size, order=order),
        MinimumPhase(fft_size=preset.fft_size, order=order),
    )
    return Serial(name="filter", layers=(*magnitudes, *envelope, complex_exp(bins)))


def complex_exp(bins: int) -> Merge:
    """[re; im] of logarithms to those of their exponentials."""
    re, im = Channels(begin=0, end=bins), Channels(begin=bins, end=2 * bins)
    quarter = Activation(function="affine", a=1.0, b=float(np.pi / 2))
    sine = Activation(function="sin")
    turned = (Serial(layers=(im, quarter, sine)), Serial(layers=(im, sine)))
    size = Serial(layers=(re, Activation(function="exp")))
    return Merge(
        op="mul",
        branches=(Merge(op="cat", branches=(size, size)), Merge(op="cat", branches=turned)),
    )


def specgrad_tensors(preset: MelPreset, path: str = "in.") -> dict[str, FloatArray]:
    """Those of `specgrad_noise` where it stands in a vocoder's graph: a pseudo-inverse of the mel's
    filters, to amplitudes at which noise of variance 1 has the spectrum that the mel is of."""
    energy = np.sum(analysis_window("hann", preset.window, preset.hop) ** 2)
    inverse = np.linalg.pinv(preset.filters) / np.sqrt(energy)
    return {f"{path}prior.filter.bins.weight": inverse.astype(np.float32)}
