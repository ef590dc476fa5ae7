"""WaveNet as a vocoder (van den Oord et al., 1609.03499): frames of mels in, samples out, each
drawn from what the network makes of those before.

    y = conditioner(mels), at some rate up to the sample rate
    c = V y + b                                     ("v": of all layers at once, once a frame of y)
    x = embedding of the sample before              ("x")
    per array, per layer: z = conv(x) + c, h = tanh(z_a) sigmoid(z_b) or f(z), [r; s] = W h,
                          x += r, skip += s
    parameters = W relu(... W relu(skip))           ("head.0", "head.1", ...)

A further array starts from a matrix of the skips of the one before ("next"), and all skips are
added. A context stack (section 2.6) is a smaller network over a longer past of the same samples,
whose skips are part of the condition ("context").
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Channels,
    ConstantPort,
    Conv1d,
    ConvTranspose1d,
    Embedding,
    Feedback,
    GatedStack,
    Graph,
    Layer,
    Linear,
    Merge,
    MuLawSoftmax,
    Residual,
    Sampler,
    Serial,
    StreamPort,
    Upsample,
    WithConstant,
)
from rtaudio.graph.heads import Head
from rtaudio.graph.plan import plan

UPSAMPLINGS = ("repeat", "linear", "transposed")


@dataclass(frozen=True, kw_only=True)
class Array:
    """Layers of one width, one a dilation. `function`: None for the gate of tanh and sigmoid, whose
    halves have `hidden` channels each; else f, and z has `hidden` channels."""

    channels: int
    hidden: int
    dilations: tuple[int, ...]
    kernel_size: int = 2
    function: Activation | None = None

    @property
    def condition_channels(self) -> int:
        return self.hidden * (1 if self.function else 2) * len(self.dilations)


@dataclass(frozen=True, kw_only=True)
class Context:
    """A context stack: gated layers over the samples, whose skips join the condition."""

    channels: int
    skip_channels: int
    dilations: tuple[int, ...]
    kernel_size: int = 2


@dataclass(frozen=True, kw_only=True)
class WaveNet:
    """`hop` samples for a frame of `mel_channels`. `conditioner` maps frames to features at a rate
    that divides the hop (`upsampling` makes one); what is left of the hop is repetition, which
    costs nothing. `head_channels`: the hidden layers between the skips and the parameters."""

    sample_rate: int
    hop: int
    mel_channels: int = 80
    arrays: tuple[Array, ...]
    skip_channels: int
    head_channels: tuple[int, ...]
    head: Head = field(default_factory=MuLawSoftmax)
    sampler: Sampler = field(default_factory=Sampler)
    start: float = 0.0
    conditioner: Layer = field(default_factory=Serial)
    speaker_channels: int = 0  # of a constant port "speaker" beside the features; 0: none
    context: Context | None = None


def wavenet_vocoder(config: WaveNet) -> Graph:
    """The graph; its input is [mels], or [mels; voiced] where the sampler reads that flag. Raises
    GraphError for sizes that do not fit one another."""
    if not config.arrays:
        raise GraphError("a WaveNet needs an array of layers; there is none.")
    ratio = plan(config.conditioner, config.mel_channels).output.rate
    if ratio.denominator != 1 or config.hop % ratio.numerator:
        raise GraphError(
            f"the conditioner makes {ratio} frames of each; that must divide the hop {config.hop}."
        )
    wide = sum(array.condition_channels for array in config.arrays)
    features: list[Layer] = [named(config.conditioner, "features")]
    constants: tuple[ConstantPort, ...] = ()
    if config.speaker_channels:
        constants = (ConstantPort(name="speaker", channels=config.speaker_channels),)
        features.append(WithConstant(constant="speaker", count=config.speaker_channels))
    condition: Layer = Serial(name="condition", layers=(*features, Linear(name="v", outputs=wide)))
    mels = config.mel_channels
    if config.sampler.needs_voiced:
        mels += 1
        flag = Channels(begin=mels - 1, end=mels)
        condition = Merge(
            op="cat",
            name="inputs",
            branches=(
                Serial(name="mels", layers=(Channels(begin=0, end=mels - 1), condition)),
                Serial(name="voiced", layers=(flag, Upsample(factor=ratio.numerator))),
            ),
        )
    loop = Feedback(
        name="loop",
        body=body(config, wide),
        head=config.head,
        sampler=config.sampler,
        hop=config.hop // ratio.numerator,
        start=config.start,
    )
    return Graph(
        body=Serial(layers=(condition, loop)),
        sample_rate=max(1, round(config.sample_rate / config.hop)),
        input=StreamPort(name="mel", channels=mels, unit="log mel, voiced flag last where read"),
        output=StreamPort(name="audio"),
        constants=constants,
    )


def upsampling(kind: str, channels: int, factors: tuple[int, ...]) -> Layer:
    """A conditioner: frames to a rate higher by the product of `factors`, by repetition, along
    straight lines, or by transposed convolutions of two frames' width, whose lookahead the plan
    declares."""
    if kind not in UPSAMPLINGS:
        raise GraphError(f"upsampling is {kind!r}; it must be one of {', '.join(UPSAMPLINGS)}.")
    if kind != "transposed":
        return Serial(layers=tuple(Upsample(factor=f, mode=kind) for f in factors))
    return Serial(
        layers=tuple(
            ConvTranspose1d(outputs=channels, kernel_size=2 * f, stride=f, crop=f // 2)
            for f in factors
        )
    )


def body(config: WaveNet, wide: int) -> Layer:
    """[condition (wide); sample before] to the head's parameters."""
    first = config.arrays[0]
    before = Channels(begin=wide, end=wide + 1)
    condition: Layer = Channels(begin=0, end=wide)
    if config.context is not None:
        far = Serial(name="context", layers=(before, *_context(config, config.context, wide)))
        condition = Merge(op="add", name="c", branches=(condition, far))
    x = Serial(name="x", layers=(before, _input(config, first.channels)))
    layers: list[Layer] = [Merge(op="cat", name="in", branches=(x, condition)), _rest(config, 0)]
    for i, outputs in enumerate((*config.head_channels, config.head.num_parameters)):
        layers += [Activation(function="relu"), Linear(name=f"head.{i}", outputs=outputs)]
    return Serial(layers=tuple(layers))


def _input(config: WaveNet, channels: int) -> Layer:
    if isinstance(config.head, MuLawSoftmax):
        return Embedding(name="embed", levels=config.head.levels, outputs=channels)
    return Linear(name="embed", outputs=channels)


def _context(config: WaveNet, context: Context, wide: int) -> tuple[Layer, ...]:
    stack = GatedStack(
        name="stack",
        channels=context.channels,
        gate_channels=context.channels,
        skip_channels=context.skip_channels,
        kernel_size=context.kernel_size,
        dilations=context.dilations,
    )
    out = Linear(name="v", outputs=wide, bias=False)
    return _input(config, context.channels), stack, out


def _rest(config: WaveNet, index: int) -> Layer:
    """[x; condition of this array and of those after it] to the sum of all their skips."""
    array, skip = config.arrays[index], config.skip_channels
    end = array.channels + array.condition_channels
    stack = _stack(array, skip, f"arrays.{index}")
    if index + 1 == len(config.arrays):
        return stack
    rest = sum(each.condition_channels for each in config.arrays[index + 1 :])
    own = Serial(name="now", layers=(Channels(begin=0, end=end), stack))
    later = Linear(name=f"next.{index}", outputs=config.arrays[index + 1].channels)
    on = Merge(
        op="cat",
        name="x",
        branches=(
            Serial(name="from", layers=(Channels(begin=0, end=skip), later)),
            Channels(begin=skip, end=skip + rest),
        ),
    )
    following = Serial(name="then", layers=(on, _rest(config, index + 1)))
    return Serial(
        name="all",
        layers=(
            Merge(op="cat", name="in", branches=(own, Channels(begin=end, end=end + rest))),
            Merge(op="add", name="sum", branches=(Channels(begin=0, end=skip), following)),
        ),
    )


def _stack(array: Array, skip: int, name: str) -> Layer:
    if array.function is None:
        return GatedStack(
            name=name,
            channels=array.channels,
            gate_channels=array.hidden,
            skip_channels=skip,
            kernel_size=array.kernel_size,
            dilations=array.dilations,
            conditioned=True,
        )
    # [c; x; skip] as one signal; c stays as it is, since h lacks the channels that are added.
    c, x = array.condition_channels, array.channels
    start = Merge(
        op="cat",
        branches=(Channels(begin=x, end=x + c), Channels(begin=0, end=x, pad=skip)),
    )
    layers = tuple(_plain(array, skip, i) for i in range(len(array.dilations)))
    end = Channels(begin=c + x, end=c + x + skip)
    return Serial(name=name, layers=(start, *layers, end))


def _plain(array: Array, skip: int, index: int) -> Layer:
    c, x, hidden = array.condition_channels, array.channels, array.hidden
    conv = Conv1d(
        name="conv",
        outputs=hidden,
        kernel_size=array.kernel_size,
        dilation=array.dilations[index],
        bias=False,
    )
    assert array.function is not None
    past = Serial(name="past", layers=(Channels(begin=c, end=c + x), conv))
    now = Channels(begin=index * hidden, end=(index + 1) * hidden)
    out = Linear(name="x", outputs=x + skip)
    still = Channels(begin=hidden, end=hidden + c)
    layers = (
        Merge(op="add", name="in", branches=(past, now)),
        array.function,
        Merge(op="cat", name="out", branches=(still, out)),
    )
    return Residual(name=f"layers.{index}", body=Serial(layers=layers))


def named(layer: Layer, name: str) -> Layer:
    """The same layers, with their tensors under `name`."""
    return Serial(name=name, layers=layer.layers if isinstance(layer, Serial) else (layer,))
