"""What a layer is: an immutable description that knows its streaming rule, tensors and kernel.

A layer says *what* is computed. `rtaudio.nn` gives it its meaning in torch, `csrc/model` in native
code. Time is the last axis in comments, `[lane, channel, time]`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import Frozen, frozen

FloatArray = NDArray[np.float32]

MAX_CHANNELS = 1 << 16
MAX_FRAMES = 1 << 20


@dataclass(frozen=True)
class Pointwise:
    """Output frame t depends on input frame t alone."""


@dataclass(frozen=True)
class Window:
    """Output frame j reads inputs [j * stride + stride + lookahead - width, j * stride + stride +
    lookahead): the rule of convolutions and of the STFT. Inputs outside the signal are zero.

    `tail`: input frames past the end for which outputs are still made, so that a later overlap-add
    finds every frame that touches the signal.
    """

    width: int
    stride: int = 1
    lookahead: int = 0
    tail: int = 0

    @property
    def left(self) -> int:
        """Zeros before the first input frame in the whole-sequence definition."""
        return self.width - self.stride - self.lookahead


@dataclass(frozen=True)
class Overlap:
    """Input frame i adds to outputs [i * stride - crop, i * stride - crop + width): the rule of
    transposed convolutions and of the inverse STFT. `trim` outputs are dropped at the end."""

    width: int
    stride: int
    crop: int = 0
    trim: int = 0


@dataclass(frozen=True)
class Recurrent:
    """State moves with every valid frame and holds on frames outside the signal."""


@dataclass(frozen=True)
class Generated:
    """`factor` output frames follow each valid input frame, one after the other, from the state."""

    factor: int = 1


@dataclass(frozen=True)
class Chunks:
    """The definition looks at the whole signal. A stream answers `size` frames at a time, counted
    from the signal's begin, once it has `lookahead` more, and looks no further: it is inexact."""

    size: int
    lookahead: int


StreamingRule = Pointwise | Window | Overlap | Recurrent | Generated | Chunks


@dataclass(frozen=True)
class TensorSpec:
    """Shape and start value of a trained tensor. `fan_in` > 0: uniform in +-1/sqrt(fan_in)."""

    shape: tuple[int, ...]
    fan_in: int = 0
    fill: float = 0.0
    trained: bool = True


@dataclass(frozen=True)
class Kernel:
    """How a layer is served natively: the operation's kind, its numbers and its tensors.

    Values of `tensors` are names of the layer's own tensors (str) or constant arrays.
    """

    kind: str
    ints: Mapping[str, int] = dataclasses.field(default_factory=dict)
    floats: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tensors: Mapping[str, str | FloatArray] = dataclasses.field(default_factory=dict)
    control: str = ""
    constant: str = ""


@frozen
class Layer(Frozen):
    """Base of all layers. `name` is the layer's segment in tensor paths (default: its index)."""

    kind: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Layer]]] = {}

    name: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.kind:
            Layer.registry[cls.kind] = cls

    def rule(self) -> StreamingRule:
        return Pointwise()

    def out_channels(self, channels: int) -> int:
        """Channels out for `channels` in. Raises GraphError if the layer cannot take them."""
        return channels

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        """The layer's stored tensors, by name, for that many input channels."""
        return {}

    def num_layers(self, channels: int) -> int:
        """Operations that it stands for."""
        return 1

    def constant_floats(self, channels: int) -> int:
        """Values in the constant arrays of `kernel`; known without making them."""
        return 0

    def macs_per_frame(self, channels: int) -> float:
        """Multiply-accumulates per input frame."""
        return 0.0

    def kernel(self, channels: int) -> Kernel:
        """The native operation that serves this layer."""
        raise NotImplementedError(f"layer {self.kind!r} has no native kernel")

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Tensors as the kernel wants them (a BatchNorm folds to scale and bias)."""
        return dict(tensors)

    @property
    def ratio(self) -> Fraction:
        """Output frames per input frame."""
        rule = self.rule()
        if isinstance(rule, Window):
            return Fraction(1, rule.stride)
        if isinstance(rule, Overlap):
            return Fraction(rule.stride)
        return Fraction(rule.factor) if isinstance(rule, Generated) else Fraction(1)

    @property
    def lookahead(self) -> int:
        """Input frames after the present one that an output frame needs."""
        rule = self.rule()
        if isinstance(rule, Window):
            return rule.lookahead
        if isinstance(rule, Overlap):
            return -(-rule.crop // rule.stride)
        return rule.size - 1 + rule.lookahead if isinstance(rule, Chunks) else 0

    @property
    def exact(self) -> bool:
        """False where a stream only comes near the whole-sequence definition."""
        return not isinstance(self.rule(), Chunks)


@frozen
class Composite(Layer):
    """A layer made of layers; planned recursively."""

    def children(self) -> tuple[Layer, ...]:
        raise NotImplementedError

    def segment(self, index: int) -> str:
        return self.children()[index].name or str(index)


def out_length(rule: StreamingRule, length: int) -> int:
    """Valid frames out of `length` valid frames in."""
    if length <= 0:
        return 0
    if isinstance(rule, Window):
        return -(-(length + rule.tail) // rule.stride)
    if isinstance(rule, Overlap):
        return max(0, length * rule.stride - rule.trim)
    return length * rule.factor if isinstance(rule, Generated) else length


def check_range(layer: Layer, **values: tuple[float, float, float]) -> None:
    """Raises GraphError unless low <= value <= high for each name=(value, low, high)."""
    for name, (value, low, high) in values.items():
        if not (isinstance(value, (int, float)) and math.isfinite(value) and low <= value <= high):
            raise GraphError(f"{layer.kind}: {name} is {value!r}; it must be {low:g} to {high:g}.")


def check_channels(layer: Layer, channels: int, wanted: int) -> None:
    if channels != wanted:
        raise GraphError(
            f"{layer.kind}{f' {layer.name!r}' if layer.name else ''}: {channels} channels come in, "
            f"but the layer was made for {wanted}."
        )


def split_bands(layer: Layer, channels: int, bands: int, groups: int = 1) -> int:
    """Channels of one band. Raises GraphError if they do not come out whole."""
    if channels % bands or channels // bands % groups:
        raise GraphError(
            f"{layer.kind}: {channels} channels do not split in {bands} bands of {groups} groups"
        )
    return channels // bands
