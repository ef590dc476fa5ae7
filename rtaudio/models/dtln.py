"""DTLN: two stages of two LSTMs each, a mask on magnitudes, then one on a learned basis.

Westhausen and Meyer, "Dual-Signal Transformation LSTM Network for Real-Time Noise Suppression"
(2005.07551): 16 kHz, frames of 512 samples, a hop of 128.
"""

from __future__ import annotations

from rtaudio.graph import (
    LSTM,
    STFT,
    Activation,
    Blend,
    ComplexGain,
    ComplexPower,
    ConvTranspose1d,
    Graph,
    Layer,
    LayerNorm,
    Linear,
    Merge,
    Serial,
)
from rtaudio.models.ports import denoiser_graph

SAMPLE_RATE = 16_000
WINDOW, HOP, BINS = 512, 128, 257
BASIS, HIDDEN = 256, 128


def dtln() -> Graph:
    """The published network.

    The first stage's inverse transform and the encoder of the second are two matrices in a row,
    so the encoder here takes spectra: [BASIS, re and im of BINS]. The STFT divides by WINDOW,
    which the importer puts right in the first LSTM and leaves to the encoder otherwise.
    """
    denoise = Serial(
        name="",
        layers=(
            STFT(window=WINDOW, hop=HOP, window_kind="rectangular"),
            Merge(op="cat", name="magnitude", branches=(_magnitude_mask(), Serial())),
            ComplexGain(),
            Linear(name="encoder", outputs=BASIS, bias=False),
            Merge(op="mul", name="basis", branches=(_basis_mask(), Serial())),
            # The decoder's frames of 512 samples overlap and add up.
            ConvTranspose1d(
                name="decoder",
                outputs=1,
                kernel_size=WINDOW,
                stride=HOP,
                crop=WINDOW - HOP,
                bias=False,
            ),
        ),
    )
    body = Serial(
        layers=(
            Merge(op="cat", name="dtln", branches=(denoise, Serial())),
            Blend(control="attenuation_limit_db"),
        )
    )
    return denoiser_graph(body, SAMPLE_RATE)


def _magnitude_mask() -> Layer:
    return Serial(
        name="mask",
        layers=(
            ComplexPower(),
            Activation(function="sqrt"),
            LSTM(name="lstm1", hidden=HIDDEN),
            LSTM(name="lstm2", hidden=HIDDEN),
            Linear(name="linear", outputs=BINS),
            Activation(function="sigmoid"),
        ),
    )


def _basis_mask() -> Layer:
    return Serial(
        name="mask",
        layers=(
            LayerNorm(name="norm", eps=1e-7),
            LSTM(name="lstm1", hidden=HIDDEN),
            LSTM(name="lstm2", hidden=HIDDEN),
            Linear(name="linear", outputs=BASIS),
            Activation(function="sigmoid"),
        ),
    )
