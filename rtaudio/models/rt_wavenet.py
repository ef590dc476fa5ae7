"""rt-wavenet: mel frames to speech with an autoregressive WaveNet over the bands of a filter bank.

The network steps at 1/bands of the sample rate and draws one value a band at each step, as
multi-band WaveRNN does (DurIAN, 1909.01700). The values are normalised: a level a band, read from
the mel, is taken out of them and comes back after the feedback, so that the network sees signals of
unit power and silence stays silent. Their densities are Gaussian (ClariNet, 1807.07281) around a
linear prediction whose coefficients follow from the mel (LP-WaveNet, 1811.11913) plus what the
gated stack adds to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtaudio.dsp.pqmf import TAPS
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Channels,
    Conv1d,
    ConvTranspose1d,
    Feedback,
    GatedStack,
    Graph,
    Linear,
    Merge,
    Mixture,
    Sampler,
    Serial,
    StreamPort,
    Upsample,
)

LEAST_LOG_SCALE = -7.0
LARGEST = 8.0  # of a normalised value
# Logarithms of levels travel with this offset: the frames around a signal, zeros, are silence.
QUIETEST = -10.0


@dataclass(frozen=True, kw_only=True)
class RtWaveNet:
    """Sizes of the network. A mel frame is hop / bands steps."""

    mel: str = "hifigan22"
    bands: int = 4
    channels: int = 64
    gate_channels: int = 64
    skip_channels: int = 64
    kernel_size: int = 2
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    input_kernel_size: int = 8
    condition_hidden: int = 128
    condition_kernel_size: int = 3
    predictors: int = 48
    predictor_kernel_size: int = 64
    head_channels: int = 64
    temperature: float = 1.0  # of the scales that values are drawn with

    def __post_init__(self) -> None:
        preset = self.preset
        if preset.hop % self.bands:
            raise GraphError(f"rt-wavenet: {self.bands} bands do not divide a hop of {preset.hop}.")
        if (preset.compression, preset.gain, preset.offset) != ("ln", 1.0, 0.0):
            raise GraphError(
                f"rt-wavenet reads plain natural logarithms, which {self.mel} is not; take "
                "hifigan22, bigvgan24 or vocos24."
            )

    @property
    def preset(self) -> MelPreset:
        return find_preset(self.mel)

    @property
    def steps_per_frame(self) -> int:
        return self.preset.hop // self.bands

    @property
    def condition_channels(self) -> int:
        """What the mel adds to the first convolution, weighs predictors by, and adds to the gates
        of every layer."""
        return self.channels + self.predictors + 2 * self.gate_channels * len(self.dilations)

    @property
    def receptive_field(self) -> int:
        """Steps before the present one that the body sees."""
        stack = (self.kernel_size - 1) * sum(self.dilations)
        return max(stack + self.input_kernel_size, self.predictor_kernel_size)


def rt_wavenet(config: RtWaveNet) -> Graph:
    """Mel frames in, one mel frame of lookahead; hop samples a frame out."""
    c = config.condition_channels
    head = Mixture(
        distribution="gaussian",
        values=config.bands,
        min_log_scale=LEAST_LOG_SCALE,
        max_log_scale=4.0,
        limit=LARGEST,
    )
    feedback = Feedback(
        name="feedback",
        body=body(config),
        head=head,
        sampler=Sampler(temperature=config.temperature),
    )
    layers = (
        Merge(op="cat", branches=(condition(config), levels(config))),
        Upsample(factor=config.steps_per_frame, mode="linear"),
        Merge(
            op="mul",
            branches=(
                Serial(layers=(Channels(begin=0, end=c), feedback)),
                Serial(
                    layers=(
                        Channels(begin=c, end=c + config.bands),
                        Activation(function="affine", a=1.0, b=QUIETEST),
                        Activation(function="exp"),
                    )
                ),
            ),
        ),
        ConvTranspose1d(
            name="synthesis",
            outputs=1,
            kernel_size=TAPS,
            stride=config.bands,
            crop=TAPS // 2,
            bias=False,
        ),
    )
    return Graph(
        body=Serial(layers=layers),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def condition(config: RtWaveNet) -> Serial:
    """Mel frames to what they tell every step, still at their own rate."""
    hidden = config.condition_hidden
    return Serial(
        name="condition",
        layers=(
            # The mel of silence becomes 0, which is also what the convolution's edges see.
            Activation(function="affine", a=0.2, b=-0.2 * math.log(config.preset.floor)),
            Conv1d(name="mel", outputs=hidden, kernel_size=config.condition_kernel_size),
            Activation(function="tanh"),
            Linear(name="hidden", outputs=hidden),
            Activation(function="tanh"),
            Linear(name="out", outputs=config.condition_channels),
        ),
    )


def levels(config: RtWaveNet) -> Serial:
    """Mel frames to logarithms of the bands' amplitudes, less QUIETEST: a sum of mel powers each.
    Halfway between two frames lies their mean: the interpolation that follows is centred."""
    return Serial(
        name="levels",
        layers=(
            Activation(function="affine", a=2.0),
            Activation(function="exp"),
            Linear(name="power", outputs=config.bands),
            Activation(function="log", a=1e-30),
            Activation(function="affine", a=0.5, b=-QUIETEST),
            Activation(function="relu"),
            Conv1d(
                name="smooth",
                outputs=config.bands,
                kernel_size=2,
                groups=config.bands,
                bias=False,
            ),
        ),
    )


def body(config: RtWaveNet) -> Merge:
    """[condition; previous values] to [means; log scales], one a band each."""
    c, first = config.condition_channels, config.channels + config.predictors
    previous = Channels(begin=c, end=c + config.bands)
    start = Merge(
        op="add",
        name="input",
        branches=(
            Serial(
                name="past",
                layers=(
                    previous,
                    Conv1d(
                        name="conv",
                        outputs=config.channels,
                        kernel_size=config.input_kernel_size,
                        bias=False,
                    ),
                ),
            ),
            Channels(begin=0, end=config.channels),
        ),
    )
    network = Serial(
        name="network",
        layers=(
            Merge(op="cat", name="start", branches=(start, Channels(begin=first, end=c))),
            GatedStack(
                name="stack",
                channels=config.channels,
                gate_channels=config.gate_channels,
                skip_channels=config.skip_channels,
                kernel_size=config.kernel_size,
                dilations=config.dilations,
                conditioned=True,
            ),
            Activation(function="relu"),
            Linear(name="head", outputs=config.head_channels),
            Activation(function="relu"),
            Linear(name="out", outputs=2 * config.bands),
        ),
    )
    # A linear prediction whose coefficients the mel gives: W (a * conv(previous)).
    past = Conv1d(
        name="conv",
        outputs=config.predictors,
        kernel_size=config.predictor_kernel_size,
        bias=False,
    )
    terms = (
        Serial(name="past", layers=(previous, past)),
        Channels(begin=config.channels, end=first),
    )
    prediction = Serial(
        name="prediction",
        layers=(
            Merge(op="mul", name="terms", branches=terms),
            Linear(name="out", outputs=2 * config.bands, bias=False),
        ),
    )
    return Merge(op="add", branches=(network, prediction))
