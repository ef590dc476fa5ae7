"""rt-priorgrad-24k: mel frames to speech by a causal DiffWave over eight samples at a time, with
noise as loud as the mel says (PriorGrad, 2106.06406).

Eight samples are one column of the network, at 3 kHz, so that a layer costs an eighth; it sees the
past alone, and so does the mel (frames of 20 ms that end with their hop). A pushed frame becomes
its 10 ms of samples at once, in any number of steps. Pitch is read from the mel, and its pulses are
given to the network (as in neural source-filter networks, Wang et al., 1904.12088), which need not
find it in noise. What it makes is of about unit power and a flat spectrum: the level, and the slope
of speech, are taken out and come back after it. In these units the noise of PriorGrad is white.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaudio.diffusion import SCHEDULES
from rtaudio.diffusion.schedules import zero_terminal_snr
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Channels,
    Conv1d,
    ConvTranspose1d,
    DiffWave,
    Graph,
    Linear,
    Merge,
    PulseTrain,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.graph.layer import FloatArray
from rtaudio.models.rt_wavenet_source import heard, heard_tensors, pitch_hertz, trunk
from rtaudio.models.steps import choose_betas, refine

# DiffWave's chain, stretched to end in hardly more than noise; the network gives v (2202.00512).
TRAINED = tuple(zero_terminal_snr(SCHEDULES["diffwave-50"].betas, last=0.01).tolist())
TRUNK = ((5, 1, 0), (3, 1, 0), (3, 1, 0), (3, 2, 0))  # kernel size, dilation, lookahead
# Logarithms of levels travel with this offset: the frames before a signal, zeros, are silence.
QUIETEST, LEAST_POWER = -9.2, 1e-8
# Of the filter 1 - EMPHASIS z^-1, whose inverse is cut where it has faded.
EMPHASIS, EMPHASIS_TAPS = 0.9, 64
LARGEST = 10.0  # of what the network is to make, of about unit power


@dataclass(frozen=True, kw_only=True)
class RtPriorGrad:
    """Sizes of the network. `values`: samples a column."""

    mel: str = "rt24"
    values: int = 8
    channels: int = 64
    dilations: tuple[int, ...] = tuple(2 ** (i % 7) for i in range(20))
    condition_hidden: int = 128
    condition: int = 32
    condition_kernel_size: int = 3
    pitch_channels: int = 128
    pitches: int = 96
    embedding_hidden: int = 128
    steps: int = 4

    def __post_init__(self) -> None:
        if self.preset.hop % self.values:
            raise GraphError(
                f"rt-priorgrad: columns of {self.values} do not divide a hop of {self.preset.hop}."
            )

    @property
    def preset(self) -> MelPreset:
        return find_preset(self.mel)

    @property
    def steps_per_frame(self) -> int:
        """Columns of a mel frame."""
        return self.preset.hop // self.values

    @property
    def network(self) -> DiffWave:
        return DiffWave(
            values=self.values,
            condition=self.condition + self.values,
            channels=self.channels,
            dilations=self.dilations,
            embedding_hidden=self.embedding_hidden,
            causal=True,
        )


def rt_priorgrad(config: RtPriorGrad) -> Graph:
    """Mel frames in, hop samples a frame out, without lookahead."""
    last = 2 + config.condition
    listening = heard(trunk(config.preset, "trunk", config.pitch_channels, TRUNK), config.pitches)
    frame = Merge(op="cat", name="frame", branches=(listening, condition(config), level(config)))
    told = Serial(
        layers=(Channels(begin=2, end=last), Upsample(factor=config.steps_per_frame)),
    )
    made = Serial(
        name="speech",
        layers=(
            Merge(op="cat", name="in", branches=(told, source(config))),
            refine(
                config.network,
                choose_betas(TRAINED, config.steps),
                TRAINED,
                clip=False,
                prediction="v_prediction",
            ),
        ),
    )
    loudness = Serial(name="loudness", layers=(Channels(begin=last, end=last + 1), gains(config)))
    samples = ConvTranspose1d(
        name="samples",
        outputs=1,
        kernel_size=config.values + EMPHASIS_TAPS - 1,
        stride=config.values,
        bias=False,
    )
    return Graph(
        body=Serial(
            layers=(frame, Merge(op="mul", name="column", branches=(made, loudness)), samples),
        ),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def condition(config: RtPriorGrad) -> Serial:
    """Mel frames to what they tell every column of theirs."""
    return Serial(
        name="condition",
        layers=(
            # The mel of silence becomes 0, which is also what the convolution's edges see.
            Activation(function="affine", a=0.2, b=-0.2 * float(np.log(config.preset.floor))),
            Conv1d(
                name="mel",
                outputs=config.condition_hidden,
                kernel_size=config.condition_kernel_size,
            ),
            Activation(function="tanh"),
            Linear(name="out", outputs=config.condition),
            Activation(function="tanh"),
        ),
    )


def level(config: RtPriorGrad) -> Serial:
    """Mel frames to the logarithm of the amplitude, above the quietest."""
    return Serial(
        name="level",
        layers=(
            Activation(function="affine", a=2.0),
            Activation(function="exp"),
            Linear(name="power", outputs=1),
            Activation(function="log", a=1e-30),
            Activation(function="affine", a=0.5, b=-QUIETEST),
            Activation(function="relu"),
        ),
    )


def gains(config: RtPriorGrad) -> Serial:
    """Those levels to a gain for every value, on lines from each frame's to the next one's, which
    it reaches at its own end."""
    return Serial(
        name="gains",
        layers=(
            Activation(function="affine", a=1.0, b=QUIETEST),
            Activation(function="exp"),
            Upsample(factor=config.steps_per_frame),
            Conv1d(name="ramp", outputs=1, kernel_size=config.steps_per_frame, bias=False),
            Linear(name="each", outputs=config.values, bias=False),
        ),
    )


def source(config: RtPriorGrad) -> Serial:
    """[turns a sample; log of the voicing; ...] of frames to columns of pulses."""
    hop = config.preset.hop
    pulses = Serial(layers=(Channels(begin=0, end=1), Upsample(factor=hop), PulseTrain()))
    voicing = Serial(
        layers=(Channels(begin=1, end=2), Activation(function="exp"), Upsample(factor=hop))
    )
    return Serial(
        name="source",
        layers=(
            Merge(op="mul", name="", branches=(pulses, voicing)),
            Conv1d(
                name="columns",
                outputs=config.values,
                kernel_size=config.values,
                stride=config.values,
                bias=False,
            ),
        ),
    )


def fixed_tensors(config: RtPriorGrad) -> dict[str, FloatArray]:
    """Those that are not trained; `level.power.weight` is fitted to speech before training."""
    n, steps, num_mels = config.values, config.steps_per_frame, config.preset.num_mels
    fading = np.zeros((n, 1, n + EMPHASIS_TAPS - 1), np.float32)
    for i in range(n):
        fading[i, 0, i : i + EMPHASIS_TAPS] = EMPHASIS ** np.arange(EMPHASIS_TAPS)
    pitch = heard_tensors(pitch_hertz(config.pitches), config.preset.sample_rate)
    found = {
        **{f"frame.pitch.2.0.{name}": value for name, value in pitch.items()},
        "frame.level.power.weight": np.full((1, num_mels), 1 / num_mels),
        "frame.level.power.bias": np.array([LEAST_POWER]),
        "column.speech.in.source.columns.weight": np.eye(n)[:, None],
        "column.loudness.gains.ramp.weight": np.full((1, 1, steps), 1 / steps),
        "column.loudness.gains.each.weight": np.ones((n, 1)),
        "samples.weight": fading,
    }
    return {name: np.asarray(value, np.float32) for name, value in found.items()}
