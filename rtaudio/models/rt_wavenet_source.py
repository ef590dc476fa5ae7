"""What rt-wavenet's gated stack starts from: its sizes, what the mel tells, pulses and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.pqmf import TAPS
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    ISTFT,
    STFT,
    Activation,
    Channels,
    ComplexGain,
    Conv1d,
    ConvTranspose1d,
    DeepFilter,
    Feedback,
    Layer,
    Linear,
    Merge,
    Mixture,
    PulseTrain,
    Residual,
    Sampler,
    Serial,
    Tail,
    Upsample,
)

PITCH_RANGE = (58.0, 520.0)  # Hz
LARGEST = 8.0  # of a normalised value
# Logarithms of levels travel with this offset: the frames around a signal, zeros, are silence.
QUIETEST = -10.0
LEAST_GAIN, LARGEST_GAIN = -14.0, 6.0  # logarithms
DRAWN = 16  # samples of noise at a time
# Kernel size, dilation and lookahead of the convolutions that read mel frames.
TRUNK = ((5, 1, 2), (3, 1, 1), (3, 1, 0), (3, 2, 0))


@dataclass(frozen=True, kw_only=True)
class RtWaveNet:
    """Sizes of the network. A mel frame is hop / bands steps."""

    mel: str = "hifigan22"
    bands: int = 4
    pitch_channels: int = 128
    pitches: int = 96
    shape_channels: int = 192
    top_bands: int = 12  # of an envelope, above those of the mel
    channels: int = 32
    kernel_size: int = 3
    dilations: tuple[int, ...] = (1, 3, 9, 27, 1, 3, 9, 27)
    input_kernel_size: int = 3
    temperature: float = 1.0  # of the noise

    def __post_init__(self) -> None:
        preset = self.preset
        if preset.hop % (self.bands * DRAWN):
            raise GraphError(
                f"rt-wavenet: {self.bands} bands times {DRAWN} do not divide a hop of {preset.hop}."
            )
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
    def window(self) -> int:
        """Samples of the frames that the envelopes filter: two hops."""
        return 2 * self.preset.hop

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def shape_bands(self) -> int:
        """Of an envelope."""
        return self.preset.num_mels + self.top_bands

    @property
    def condition_channels(self) -> int:
        """What the mel adds to the first convolution, and to the gates of every layer."""
        return self.channels + 2 * self.channels * len(self.dilations)


def trunk(
    preset: MelPreset, name: str, width: int, convs: Sequence[tuple[int, int, int]] = TRUNK
) -> Serial:
    """The mel of silence becomes 0, which is also what the convolutions' edges see."""
    first, *more = (
        Serial(
            name=str(i),
            layers=(
                Conv1d(
                    name="conv",
                    outputs=width,
                    kernel_size=size,
                    dilation=dilation,
                    lookahead_frames=ahead,
                ),
                Activation(function="silu"),
            ),
        )
        for i, (size, dilation, ahead) in enumerate(convs)
    )
    scaled = Activation(function="affine", a=0.2, b=-0.2 * math.log(preset.floor))
    return Serial(name=name, layers=(scaled, first, *(Residual(body=body) for body in more)))


def heard(trunk: Serial, pitches: int) -> Serial:
    """What a trunk tells of the voice: [turns a sample; log of the voicing], from classes of pitch
    and from one value more, which are what training sees."""
    pitch = Serial(
        layers=(
            Channels(begin=0, end=pitches),
            # A softmax's mean: sum_k exp(x_k) f_k / sum_k exp(x_k), by logarithms.
            Activation(function="clamp", a=-30.0, b=30.0),
            Activation(function="exp"),
            Linear(name="sums", outputs=2, bias=False),
            Activation(function="log", a=1e-30),
            Linear(name="ratio", outputs=1, bias=False),
            Activation(function="exp"),
        )
    )
    voicing = Serial(  # log(sigmoid(x))
        layers=(
            Channels(begin=pitches, end=pitches + 1),
            Activation(function="affine", a=-1.0),
            Activation(function="softplus"),
            Activation(function="affine", a=-1.0),
        )
    )
    return Serial(
        name="pitch",
        layers=(
            trunk,
            Linear(name="out", outputs=pitches + 1),
            Merge(op="cat", name="", branches=(pitch, voicing)),
        ),
    )


def pitch_hertz(count: int) -> NDArray[np.float32]:
    """Of the classes of pitch, at equal ratios."""
    return np.geomspace(*PITCH_RANGE, count).astype(np.float32)


def heard_tensors(hertz: NDArray[np.float32], sample_rate: int) -> dict[str, NDArray[np.float64]]:
    """Those of `heard` that are not trained, by their layers."""
    turns = hertz.astype(np.float64) / sample_rate
    return {
        "sums.weight": np.stack([turns, np.ones(len(turns))]),
        "ratio.weight": np.array([[1.0, -1.0]]),
    }


def features(config: RtWaveNet) -> Merge:
    """Mel frames to [turns a sample; log of the voicing; what the shape follows from; mel]."""
    preset = config.preset
    return Merge(
        op="cat",
        branches=(
            heard(trunk(preset, "trunk", config.pitch_channels), config.pitches),
            trunk(preset, "shape", config.shape_channels),
            Serial(),
        ),
    )


def controls(config: RtWaveNet) -> Merge:
    """Those features to [turns a sample; complex gains of the pulses; gains of the noise; the
    gated stack's condition; levels]."""
    hidden, mel = 2 + config.shape_channels, config.preset.num_mels
    bands, bins = config.shape_bands, config.bins
    twice = Merge(op="cat", branches=(Serial(), Serial()))
    magnitudes = Serial(
        name="",
        layers=(Linear(name="magnitudes", outputs=bins, bias=False), Activation(function="exp")),
    )
    # cos(x) = sin(x + pi / 2)
    cosines = Serial(layers=(Activation(function="affine", a=1.0, b=math.pi / 2),))
    turned = Serial(
        name="",
        layers=(
            Linear(name="phases", outputs=bins, bias=False),
            Merge(op="cat", branches=(cosines, Serial())),
            Activation(function="sin"),
        ),
    )
    pulses = Serial(
        name="pulses",
        layers=(
            Channels(begin=0, end=bands),
            Merge(
                op="mul", name="", branches=(Serial(name="", layers=(magnitudes, twice)), turned)
            ),
        ),
    )
    drawn = Serial(name="noise", layers=(Channels(begin=bands, end=2 * bands), magnitudes))
    envelopes = Serial(
        name="envelopes",
        layers=(
            Channels(begin=1, end=hidden + mel),
            Linear(name="bands", outputs=2 * bands),
            Activation(function="clamp", a=LEAST_GAIN, b=LARGEST_GAIN),
            Merge(op="cat", name="", branches=(pulses, drawn)),
        ),
    )
    condition = Serial(
        name="condition",
        layers=(
            Channels(begin=2, end=hidden),
            Linear(name="out", outputs=config.condition_channels),
        ),
    )
    levels = Serial(
        name="levels",
        layers=(
            Channels(begin=hidden, end=hidden + mel),
            Activation(function="affine", a=2.0),
            Activation(function="exp"),
            Linear(name="power", outputs=config.bands),
            Activation(function="log", a=1e-30),
            Activation(function="affine", a=0.5, b=-QUIETEST),
            Activation(function="relu"),
        ),
    )
    return Merge(op="cat", branches=(Channels(begin=0, end=1), envelopes, condition, levels))


def filtered(config: RtWaveNet, name: str, gains: Layer, source: Layer, product: Layer) -> Serial:
    """The source's spectra times the gains, as bands of the filter bank."""
    # A signal's last hop lies in one frame more than there are hops.
    kept = Serial(layers=(gains, Tail()))
    spectra = Serial(layers=(source, STFT(window=config.window, hop=config.preset.hop)))
    return Serial(
        name=name,
        layers=(
            Merge(op="cat", name="", branches=(kept, spectra)),
            product,
            ISTFT(window=config.window, hop=config.preset.hop),
            Conv1d(
                name="analysis",
                outputs=config.bands,
                kernel_size=TAPS,
                stride=config.bands,
                lookahead_frames=TAPS // 2 + 1 - config.bands,
                bias=False,
            ),
        ),
    )


def harmonics(config: RtWaveNet, gains: Layer) -> Serial:
    hop = config.preset.hop
    pulses = Serial(
        layers=(Channels(begin=0, end=1), Upsample(factor=hop, mode="linear"), PulseTrain())
    )
    return filtered(config, "harmonics", gains, pulses, DeepFilter(taps=1, bins=config.bins))


def noise(config: RtWaveNet, gains: Layer) -> Serial:
    """White noise is a loop whose body always says: mean 0, log scale 0."""
    drawn = Feedback(
        name="drawn",
        body=Linear(name="body", outputs=2 * DRAWN, bias=False),
        head=Mixture(
            distribution="gaussian",
            values=DRAWN,
            min_log_scale=-1.0,
            max_log_scale=1.0,
            limit=LARGEST,
        ),
        sampler=Sampler(temperature=config.temperature),
        hop=config.preset.hop // DRAWN,
    )
    in_turn = ConvTranspose1d(
        name="in_turn", outputs=1, kernel_size=DRAWN, stride=DRAWN, bias=False
    )
    white = Serial(layers=(Channels(begin=0, end=1), drawn, in_turn))
    return filtered(config, "noise", gains, white, ComplexGain())
