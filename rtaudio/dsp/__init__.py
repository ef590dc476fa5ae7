"""Signal processing in numpy: mel presets, mu-law companding, windows and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtaudio.lazy import lazy_attributes

if TYPE_CHECKING:
    from rtaudio.dsp.mel import MelStream, convert_mel, mel_spectrogram
    from rtaudio.dsp.mulaw import mu_law_compress, mu_law_decode, mu_law_encode, mu_law_expand
    from rtaudio.dsp.presets import MEL_PRESETS, MelPreset, find_preset

__all__ = [
    "MEL_PRESETS",
    "MelPreset",
    "MelStream",
    "convert_mel",
    "find_preset",
    "mel_spectrogram",
    "mu_law_compress",
    "mu_law_decode",
    "mu_law_encode",
    "mu_law_expand",
]

# Loading a denoiser needs its bands and windows alone.
_HOMES = {
    "MEL_PRESETS": "presets",
    "MelPreset": "presets",
    "MelStream": "mel",
    "convert_mel": "mel",
    "find_preset": "presets",
    "mel_spectrogram": "mel",
    "mu_law_compress": "mulaw",
    "mu_law_decode": "mulaw",
    "mu_law_encode": "mulaw",
    "mu_law_expand": "mulaw",
}

__getattr__ = lazy_attributes(__name__, _HOMES)
