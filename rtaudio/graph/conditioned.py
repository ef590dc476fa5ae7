"""Dilated layers that all see the same condition: WaveNet without feedback (1609.03499, section
2.5), as models of guitar amplifiers stack it."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused, Merge, Residual, Serial
from rtaudio.graph.conv import Conv1d, Linear
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import MAX_FRAMES, Kernel, Layer, check_channels, check_range
from rtaudio.graph.pointwise import FUNCTIONS, Activation, Channels, Gate

MAX_WIDTH = 1 << 14
MAX_STACKS = 16


@frozen
class ConditionedStack(Fused):
    """Per layer h = f(conv(x) + V c), s += S h, x += W h + b, over [x; c; s] as one signal of
    `channels`, 1 and `skip_channels`; c stays as it is.

    `functions` are the Activation f alone, or f and g: then the convolution has two halves and
    h = f(z_a) g(z_b). `skip_channels` 0: S is the identity, and s has the `hidden` channels of h.
    Causal; a kernel size and a dilation a layer. Its definition is its expansion.
    """

    kind: ClassVar[str] = "conditioned_stack"

    channels: int
    hidden: int
    skip_channels: int = 0
    kernel_sizes: tuple[int, ...]
    dilations: tuple[int, ...]
    functions: tuple[Layer, ...]

    def __post_init__(self) -> None:
        check_range(
            self,
            channels=(self.channels, 1, MAX_WIDTH),
            hidden=(self.hidden, 1, MAX_WIDTH),
            skip_channels=(self.skip_channels, 0, MAX_WIDTH),
            num_layers=(len(self.dilations), 1, 1024),
        )
        if not 1 <= len(self.functions) <= 2 or not all(
            isinstance(each, Activation) for each in self.functions
        ):
            raise GraphError(f"{self.kind}: functions must be one activation, or two.")
        if len(self.kernel_sizes) != len(self.dilations):
            raise GraphError(
                f"{self.kind}: {len(self.kernel_sizes)} kernel sizes and {len(self.dilations)} "
                "dilations; give one of each a layer."
            )
        for size, dilation in zip(self.kernel_sizes, self.dilations, strict=True):
            check_range(self, kernel_size=(size, 1, 4096))
            check_range(self, dilation=(dilation, 1, MAX_FRAMES // size))

    @property
    def wide(self) -> int:
        """Channels of z."""
        return self.hidden * len(self.functions)

    @property
    def width(self) -> int:
        """Channels of s."""
        return self.skip_channels or self.hidden

    @property
    def total(self) -> int:
        """Channels of [x; c; s]."""
        return self.channels + 1 + self.width

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, self.total)
        return channels

    def history(self) -> tuple[int, ...]:
        pairs = zip(self.kernel_sizes, self.dilations, strict=True)
        return tuple((size - 1) * dilation for size, dilation in pairs)

    def macs_per_frame(self, channels: int) -> float:
        each = self.wide + self.hidden * (self.channels + self.skip_channels)
        return sum(self.wide * self.channels * size + each for size in self.kernel_sizes)

    def expansion(self) -> Serial:
        return Serial(
            layers=tuple(
                Residual(
                    name=f"layers.{i}",
                    body=Serial(
                        name="",
                        layers=(self._sum(size, dilation), self._function(), self._outputs()),
                    ),
                )
                for i, (size, dilation) in enumerate(
                    zip(self.kernel_sizes, self.dilations, strict=True)
                )
            )
        )

    def _sum(self, size: int, dilation: int) -> Layer:
        c, wide = self.channels, self.wide
        conv = Conv1d(name="conv", outputs=wide, kernel_size=size, dilation=dilation)
        condition = Linear(name="condition", outputs=wide, bias=False)
        return Merge(
            op="add",
            name="in",
            branches=(
                Serial(name="past", layers=(Channels(begin=0, end=c), conv)),
                Serial(name="now", layers=(Channels(begin=c, end=c + 1), condition)),
            ),
        )

    def _function(self) -> Layer:
        if len(self.functions) == 1:
            return self.functions[0]
        names = [_activation(each).function for each in self.functions]
        if names == ["tanh", "sigmoid"]:
            return Gate(function="tanh")
        halves = (
            Channels(begin=i * self.hidden, end=(i + 1) * self.hidden)
            for i in range(len(self.functions))
        )
        branches = zip(halves, self.functions, strict=True)
        return Merge(op="mul", branches=tuple(Serial(layers=pair) for pair in branches))

    def _outputs(self) -> Layer:
        skip = Linear(name="skip", outputs=self.skip_channels) if self.skip_channels else Serial()
        return Merge(
            op="cat",
            name="out",
            branches=(
                Linear(name="residual", outputs=self.channels),
                Channels(begin=self.hidden, end=self.hidden + 1),  # c stays: zero is added
                skip,
            ),
        )

    def kernel(self, channels: int) -> Kernel:
        ints = {
            "channels": self.channels,
            "hidden": self.hidden,
            "skip_channels": self.width,
            "skip_matrix": int(self.skip_channels > 0),
            "gated": len(self.functions) - 1,
            "num_layers": len(self.dilations),
        }
        floats: dict[str, float] = {}
        for name, layer in zip(("activation", "gate"), self.functions, strict=False):
            each = _activation(layer)
            ints[name] = list(FUNCTIONS).index(each.function)
            floats |= {f"{name}_a": each.a, f"{name}_b": each.b}
        for i, (size, dilation) in enumerate(zip(self.kernel_sizes, self.dilations, strict=True)):
            ints |= {f"kernel.{i}": size, f"dilation.{i}": dilation}
        parts = ["in.past.conv.weight", "in.past.conv.bias", "in.now.condition.weight"]
        parts += ["out.residual.weight", "out.residual.bias"]
        if self.skip_channels:
            parts += ["out.skip.weight", "out.skip.bias"]
        names = [f"layers.{i}.{part}" for i in range(len(self.dilations)) for part in parts]
        return Kernel("conditioned_stack", ints, floats, {n: n for n in names})


@frozen
class ConditionedNet(Fused):
    """Conditioned stacks one after the other with the matrices around them: "input" makes the
    first one's [x; c; s] of the signal, "join" the next one's of what leaves a stack, x of x, s of
    s and c as a matrix says, and "output" makes `outputs` channels of the last s (0: s leaves).
    """

    kind: ClassVar[str] = "conditioned_net"

    stacks: tuple[Layer, ...]
    outputs: int = 0

    def __post_init__(self) -> None:
        check_range(
            self,
            stacks=(len(self.stacks), 1, MAX_STACKS),
            outputs=(self.outputs, 0, MAX_WIDTH),
        )
        if not all(isinstance(each, ConditionedStack) for each in self.stacks):
            raise GraphError(f"{self.kind}: stacks must be conditioned stacks.")

    def out_channels(self, channels: int) -> int:
        return self.outputs or _stack(self.stacks[-1]).width

    def history(self) -> tuple[int, ...]:
        return tuple(each for stack in self.stacks for each in _stack(stack).history())

    def macs_per_frame(self, channels: int) -> float:
        stacks = [_stack(each) for each in self.stacks]
        macs = float(channels * stacks[0].total + stacks[-1].width * self.outputs)
        for before, after in itertools.pairwise(stacks):
            macs += (before.channels + 1) * (after.channels + 1) + before.width * after.width
        return macs + sum(each.macs_per_frame(each.total) for each in stacks)

    def expansion(self) -> Serial:
        return stacks_in_series(self.stacks, (1,) * len(self.stacks), self.outputs)

    def kernel(self, channels: int) -> Kernel:
        ints = {"num_stacks": len(self.stacks), "outputs": self.outputs}
        floats: dict[str, float] = {}
        names = ["input.weight", "input.bias"]
        for i, stack in enumerate(self.stacks):
            own, path = stack.kernel(channels), f"arrays.{i}."
            ints |= {path + name: value for name, value in own.ints.items()}
            floats |= {path + name: value for name, value in own.floats.items()}
            names += [path + name for name in own.tensors]
            if i > 0:
                parts = ("x.linear.weight", "head.conv.weight", "head.conv.bias")
                names += [f"join.{i - 1}.{part}" for part in parts]
        if self.outputs:
            names += ["output.conv.weight", "output.conv.bias"]
        return Kernel(self.kind, ints, floats, {n: n for n in names})


def stacks_in_series(
    stacks: tuple[Layer, ...], head_sizes: tuple[int, ...], outputs: int
) -> Serial:
    """The layers of a ConditionedNet, whose heads are convolutions of `head_sizes` taps here."""
    first = _stack(stacks[0])
    layers: list[Layer] = [Linear(name="input", outputs=first.total)]
    for i, (each, size) in enumerate(zip(stacks, head_sizes, strict=True)):
        stack = _stack(each)
        layers.append(dataclasses.replace(stack, name=f"arrays.{i}"))
        s = Channels(begin=stack.channels + 1, end=stack.total)
        if i + 1 == len(stacks):
            head = (Conv1d(name="conv", outputs=outputs, kernel_size=size),) if outputs else ()
            layers.append(Serial(name="output", layers=(s, *head)))
            break
        after = _stack(stacks[i + 1])
        linear = Linear(name="linear", outputs=after.channels + 1, bias=False)
        conv = Conv1d(name="conv", outputs=after.width, kernel_size=size)
        x = Serial(name="x", layers=(Channels(begin=0, end=stack.channels + 1), linear))
        to_head = Serial(name="head", layers=(s, conv))
        layers.append(Merge(op="cat", name=f"join.{i}", branches=(x, to_head)))
    return Serial(layers=tuple(layers))


def _stack(layer: Layer) -> ConditionedStack:
    assert isinstance(layer, ConditionedStack)  # checked at construction
    return layer


def _activation(layer: Layer) -> Activation:
    assert isinstance(layer, Activation)  # checked at construction
    return layer
