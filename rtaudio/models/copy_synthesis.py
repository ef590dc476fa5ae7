"""A vocoder from audio to audio: the mel front end of its preset as layers before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtaudio.dsp.presets import COMPRESSIONS, MelPreset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    STFT,
    Activation,
    ComplexPower,
    Conv1d,
    Graph,
    Linear,
    Serial,
    StreamPort,
)
from rtaudio.graph.layer import FloatArray


def mel_layers(preset: MelPreset) -> Serial:
    """Audio to mels of the preset; before and after the signal is silence, not its mirror image.

    Raises GraphError for a preset with statistics of its own.
    """
    if preset.mean != (0.0,) or preset.std != (1.0,):
        raise GraphError(f"mels of {preset.name} are not made live; its values are normalised.")
    scale = COMPRESSIONS[preset.compression] * preset.gain
    return Serial(
        name="mel",
        layers=(
            # Frame i ends wait_samples after its hop.
            Conv1d(
                name="ahead",
                outputs=1,
                kernel_size=1,
                lookahead_frames=preset.wait_samples,
                bias=False,
            ),
            STFT(
                window=preset.window,
                hop=preset.hop,
                window_kind="hann",
                fft_size=preset.fft_size if preset.fft_size > preset.window else 0,
            ),
            ComplexPower(),
            Activation(function="affine", a=float(preset.window**2), b=preset.power_floor),
            Activation(function="sqrt"),
            Linear(name="filters", outputs=preset.num_mels, bias=False),
            Activation(function="log", a=preset.floor),
            Activation(function="affine", a=scale, b=preset.offset),
            *((Activation(function="clamp", a=0.0, b=1.0),) if preset.clip else ()),
        ),
    )


def mel_tensors(preset: MelPreset) -> dict[str, FloatArray]:
    return {
        "ahead.weight": np.ones((1, 1, 1), np.float32),
        "filters.weight": preset.filters.astype(np.float32),
    }


def copy_synthesis(
    vocoder: Graph, tensors: Mapping[str, FloatArray], preset: MelPreset
) -> tuple[Graph, dict[str, FloatArray]]:
    """The vocoder behind its front end, audio to audio, and the tensors of both."""
    graph = Graph(
        body=Serial(layers=(mel_layers(preset), Serial(name="vocoder", layers=(vocoder.body,)))),
        sample_rate=preset.sample_rate,
        input=StreamPort(name="audio"),
        output=vocoder.output,
        controls=vocoder.controls,
    )
    joined = {f"mel.{name}": value for name, value in mel_tensors(preset).items()}
    return graph, joined | {f"vocoder.0.{name}": value for name, value in tensors.items()}
