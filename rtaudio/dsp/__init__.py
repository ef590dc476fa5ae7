"""Signal processing in numpy: mel presets, mu-law companding, windows and measures."""

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
