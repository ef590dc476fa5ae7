"""Dilated layers that all see the same condition: WaveNet without feedback (1609.03499, section
2.5), as models of guitar amplifiers stack it."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused, Merge, Residual, Serial
from rtaudio.graph.conv import Conv1d, Linear
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import MAX_FRAMES, Kernel, Layer, check_channels, check_range
from rtaudio.graph.pointwise import FUNCTIONS, Activation, Channels, Gate

MAX_WIDTH = 1 << 14


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

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, self.channels + 1 + self.width)
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


def _activation(layer: Layer) -> Activation:
    assert isinstance(layer, Activation)  # checked at construction
    return layer
