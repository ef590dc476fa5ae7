"""WaveGrad (2009.00713) as a vocoder: mel frames to speech by a U-Net that is told how much noise
there is.

The network is that of the package wavegrad (LMNT): nearest-neighbour interpolation, and a noise
level that is not scaled. Every step of refinement looks 1,141 samples ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtaudio.diffusion import SCHEDULES
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Channels,
    Conv1d,
    Graph,
    Layer,
    Linear,
    Merge,
    Modulate,
    Noise,
    NoiseLevel,
    Pool,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.models.specgrad import specgrad_noise
from rtaudio.models.steps import chain

SLOPE = 0.2
FACTORS = (2, 2, 3, 5, 5)  # samples, then blocks on the way down; the last is the mel's
DILATIONS = ((1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 1, 2), (1, 2, 1, 2))


@dataclass(frozen=True, kw_only=True)
class WaveGrad:
    """Sizes of the network; those of the package unless said. `down` are the channels at each of
    the five rates from the sample rate down, `up` those of the blocks that come back to them,
    `first` those of the mel's convolution. `betas` are those of the chain it makes speech with.
    `spectral` makes it SpecGrad: its noise has the mel's envelope, by `specgrad_tensors`."""

    mel: str = "wavegrad24"
    down: tuple[int, ...] = (32, 128, 128, 256, 512)
    up: tuple[int, ...] = (128, 128, 256, 512, 512)
    first: int = 768
    trained: tuple[float, ...] = SCHEDULES["wavegrad-6"].training_betas
    betas: tuple[float, ...] = SCHEDULES["wavegrad-6"].betas
    spectral: bool = False

    def __post_init__(self) -> None:
        hop = 1
        for factor in FACTORS:
            hop *= factor
        if self.preset.hop != hop:
            raise GraphError(
                f"wavegrad: {self.mel} has a hop of {self.preset.hop}; the network makes {hop} "
                "samples of a frame."
            )
        if len(self.down) != len(FACTORS) or len(self.up) != len(FACTORS):
            raise GraphError(f"wavegrad: it has {len(FACTORS)} rates; give channels for each.")

    @property
    def preset(self) -> MelPreset:
        return find_preset(self.mel)


def wavegrad(config: WaveGrad) -> Graph:
    """Mel frames in, hop samples a frame out."""
    steps, up = len(config.betas), Upsample(factor=config.preset.hop)
    start: tuple[Layer, ...]
    if config.spectral:
        prior = specgrad_noise(config.preset, steps)
        start = (Merge(op="cat", name="in", branches=(up, prior)),)
    else:
        noise = Noise(name="noise", steps=steps)
        start = (up, Merge(op="cat", name="in", branches=(Serial(), noise)))
    layers = (
        *start,
        chain(
            network(config),
            config.preset.num_mels,
            config.betas,
            config.trained,
            clip=True,
        ),
    )
    return Graph(
        body=Serial(layers=layers),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def network(config: WaveGrad) -> Serial:
    """[mel; x] at the sample rate to the noise in x."""
    mels = config.preset.num_mels
    first = Serial(
        layers=(
            Channels(begin=mels, end=mels + 1),
            Conv1d(name="down.0", outputs=config.down[0], kernel_size=5, lookahead_frames=2),
        )
    )
    start = Merge(op="cat", name="in", branches=(Channels(begin=0, end=mels), first))
    return Serial(layers=(start, *_level(config, 0), _conv("last", 1)))


def _level(config: WaveGrad, level: int) -> tuple[Layer, ...]:
    """[mel; d], d of the way down at this rate, to what comes back up at it."""
    mels, channels, out = config.preset.num_mels, config.down[level], config.up[level]
    factor = FACTORS[level]
    lower: tuple[Layer, ...]
    if level + 1 < len(FACTORS):
        d = Serial(
            name="d",
            layers=(Channels(begin=mels, end=mels + channels), *_down(config, level + 1, factor)),
        )
        # Every frame of the mel is repeated: the largest of some is the first of them.
        mel = Serial(layers=(Channels(begin=0, end=mels), Pool(size=factor, mode="max")))
        lower = (Merge(op="cat", name="lower", branches=(mel, d)), *_level(config, level + 1))
    else:
        mel_conv = Conv1d(
            name="first",
            outputs=config.first,
            kernel_size=3,
            stride=factor,
            dilation=factor,
            lookahead_frames=1,
        )
        lower = (Channels(begin=0, end=mels), mel_conv)
    wide = Serial(layers=(Linear(name="wide", outputs=out), Upsample(factor=factor)))
    second = Serial(
        layers=(_leaky(), Upsample(factor=factor), _conv("conv.0", out, DILATIONS[level][0]))
    )
    up = Serial(name="up", layers=(*lower, Merge(op="cat", name="block", branches=(wide, second))))
    film = Serial(
        name="film",
        layers=(
            Channels(begin=mels, end=mels + channels),
            _conv("in", channels),
            _leaky(),
            NoiseLevel(),
            _conv("out", 2 * out),
        ),
    )
    return (Merge(op="cat", name="joined", branches=(up, film)), *_block(out, DILATIONS[level]))


def _down(config: WaveGrad, level: int, factor: int) -> tuple[Layer, ...]:
    """x to the next rate: each block's first frame is kept."""
    out = config.down[level]
    ahead = 1 - factor  # the first frame of a block, not its last
    skip = Conv1d(name="skip", outputs=out, kernel_size=1, stride=factor, lookahead_frames=ahead)
    # Taps lie on frames that are kept.
    first = Conv1d(
        name="conv.0",
        outputs=out,
        kernel_size=3,
        stride=factor,
        dilation=factor,
        lookahead_frames=1,
    )
    convs = (_leaky(), first, _leaky(), _conv("conv.1", out, 2), _leaky(), _conv("conv.2", out, 4))
    return (Merge(op="add", name="block", branches=(Serial(layers=convs), skip)),)


def _block(channels: int, dilations: tuple[int, ...]) -> tuple[Layer, ...]:
    """[wide; h; shifts; scales] to the block's output: the rest of figure 2's UBlock."""
    c = channels
    film = Channels(begin=2 * c, end=4 * c)
    second = Serial(layers=(Channels(begin=c, end=4 * c), *_modulated("conv.1", c, dilations[1])))
    x = Merge(op="add", name="sum", branches=(Channels(begin=0, end=c), second))
    third = Serial(layers=_modulated("conv.2", c, dilations[2]))
    x_and_film = (Channels(begin=0, end=c), third, Channels(begin=c, end=3 * c))
    fourth = Serial(layers=(Channels(begin=c, end=4 * c), *_modulated("conv.3", c, dilations[3])))
    return (
        Merge(op="cat", name="second", branches=(x, film)),
        Merge(op="cat", name="third", branches=x_and_film),
        Merge(op="add", name="fourth", branches=(Channels(begin=0, end=c), fourth)),
    )


def _modulated(name: str, channels: int, dilation: int) -> tuple[Layer, ...]:
    return (Modulate(), _leaky(), _conv(name, channels, dilation))


def _conv(name: str, outputs: int, dilation: int = 1) -> Conv1d:
    return Conv1d(
        name=name, outputs=outputs, kernel_size=3, dilation=dilation, lookahead_frames=dilation
    )


def _leaky() -> Activation:
    return Activation(function="leaky_relu", a=SLOPE)
