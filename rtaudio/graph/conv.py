"""Convolutions over time, and the gated stack of WaveNet (van den Oord et al., 1609.03499)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused, Merge, Residual, Serial
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    MAX_FRAMES,
    FloatArray,
    Kernel,
    Layer,
    Overlap,
    TensorSpec,
    Window,
    check_channels,
    check_range,
)
from rtaudio.graph.pointwise import Channels, Gate


@frozen
class Conv1d(Layer):
    """1-D convolution, weight [outputs, inputs / groups, kernel], as torch.nn.functional.conv1d.

    `lookahead_frames` counts from the last frame of the stride block: 0 is causal; the left
    padding is (kernel - 1) * dilation + 1 - stride - lookahead_frames.
    """

    kind: ClassVar[str] = "conv1d"

    outputs: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    lookahead_frames: int = 0
    bias: bool = True

    def __post_init__(self) -> None:
        check_range(
            self,
            outputs=(self.outputs, 1, MAX_CHANNELS),
            kernel_size=(self.kernel_size, 1, MAX_FRAMES),
            stride=(self.stride, 1, MAX_FRAMES),
            dilation=(self.dilation, 1, MAX_FRAMES),
            groups=(self.groups, 1, self.outputs),
            width=(self.width, 1, MAX_FRAMES),
            lookahead_frames=(self.lookahead_frames, -MAX_FRAMES, MAX_FRAMES),
        )
        if self.outputs % self.groups:
            raise GraphError(f"conv1d: {self.outputs} outputs do not split in {self.groups} groups")

    @property
    def width(self) -> int:
        return (self.kernel_size - 1) * self.dilation + 1

    def rule(self) -> Window:
        return Window(self.width, self.stride, self.lookahead_frames)

    def out_channels(self, channels: int) -> int:
        if channels % self.groups:
            raise GraphError(f"conv1d: {channels} channels do not split in {self.groups} groups")
        return self.outputs

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        inputs = channels // self.groups
        fan_in = inputs * self.kernel_size
        specs = {"weight": TensorSpec((self.outputs, inputs, self.kernel_size), fan_in)}
        if self.bias:
            specs["bias"] = TensorSpec((self.outputs,), fan_in)
        return specs

    def macs_per_frame(self, channels: int) -> float:
        return self.outputs * (channels // self.groups) * self.kernel_size / self.stride

    def kernel(self, channels: int) -> Kernel:
        return Kernel(
            "conv1d",
            {
                "kernel": self.kernel_size,
                "dilation": self.dilation,
                "stride": self.stride,
                "groups": self.groups,
            },
            tensors={n: n for n in self.tensors(channels)},
        )


@frozen
class Tail(Layer):
    """The signal, and `frames` frames of zeros after its end: an STFT has more frames than there
    are hops, and what multiplies them must last as long."""

    kind: ClassVar[str] = "tail"

    frames: int = 1

    def __post_init__(self) -> None:
        check_range(self, frames=(self.frames, 0, MAX_FRAMES))

    def rule(self) -> Window:
        return Window(1, tail=self.frames)

    def constant_floats(self, channels: int) -> int:
        return channels

    def kernel(self, channels: int) -> Kernel:
        ints = {"kernel": 1, "dilation": 1, "stride": 1, "groups": channels}
        return Kernel("conv1d", ints, tensors={"weight": np.ones((channels, 1, 1), np.float32)})


@frozen
class Linear(Layer):
    """A matrix [outputs, inputs] applied to every frame."""

    kind: ClassVar[str] = "linear"

    outputs: int
    bias: bool = True

    def __post_init__(self) -> None:
        check_range(self, outputs=(self.outputs, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        return self.outputs

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        specs = {"weight": TensorSpec((self.outputs, channels), channels)}
        if self.bias:
            specs["bias"] = TensorSpec((self.outputs,), channels)
        return specs

    def macs_per_frame(self, channels: int) -> float:
        return self.outputs * channels

    def kernel(self, channels: int) -> Kernel:
        return linear_kernel({n: n for n in self.tensors(channels)})

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {n: t[:, :, None] if n == "weight" else t for n, t in tensors.items()}


def linear_kernel(tensors: Mapping[str, str | FloatArray]) -> Kernel:
    """A linear map is a convolution of one tap."""
    ints = {"kernel": 1, "dilation": 1, "stride": 1, "groups": 1, "tail": 0, "extra": 0}
    return Kernel("conv1d", ints, tensors=tensors)


@frozen
class ConvTranspose1d(Layer):
    """Transposed convolution, weight [inputs, outputs / groups, kernel] as in torch.

    `crop` outputs are dropped on the left (torch's padding); exactly stride frames leave per
    frame, so 0 <= crop <= kernel - stride.
    """

    kind: ClassVar[str] = "conv_transpose1d"

    outputs: int
    kernel_size: int
    stride: int
    crop: int = 0
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_range(
            self,
            outputs=(self.outputs, 1, MAX_CHANNELS),
            kernel_size=(self.kernel_size, 1, MAX_FRAMES),
            stride=(self.stride, 1, self.kernel_size),
            crop=(self.crop, 0, self.kernel_size - self.stride),
            groups=(self.groups, 1, self.outputs),
        )
        if self.outputs % self.groups:
            raise GraphError(
                f"conv_transpose1d: {self.outputs} outputs do not split in {self.groups} groups"
            )

    def rule(self) -> Overlap:
        return Overlap(self.kernel_size, self.stride, self.crop)

    def out_channels(self, channels: int) -> int:
        if channels % self.groups:
            raise GraphError(
                f"conv_transpose1d: {channels} channels do not split in {self.groups} groups"
            )
        return self.outputs

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        fan_in = channels // self.groups * self.kernel_size // self.stride
        shape = (channels, self.outputs // self.groups, self.kernel_size)
        specs = {"weight": TensorSpec(shape, max(1, fan_in))}
        if self.bias:
            specs["bias"] = TensorSpec((self.outputs,), max(1, fan_in))
        return specs

    def macs_per_frame(self, channels: int) -> float:
        return channels * (self.outputs // self.groups) * self.kernel_size

    def kernel(self, channels: int) -> Kernel:
        return Kernel(
            "conv_transpose1d",
            {"kernel": self.kernel_size, "stride": self.stride, "groups": self.groups},
            tensors={n: n for n in self.tensors(channels)},
        )


@frozen
class GatedStack(Fused):
    """WaveNet's stack: per layer z = conv(x), g = tanh(z_a) * sigmoid(z_b), [r; s] = W g,
    x += r, skip += s; the output is the sum of the skips.

    Its definition is its expansion into plain layers (`expansion`); one fused kernel serves it.
    Causal: dilated convolutions of `kernel_size` taps, one layer a dilation.

    `conditioned`: the input is [x; c], where c holds for each layer the 2 * gate_channels values
    that are added to its z (V y + b of all layers in one matrix); conv has no bias of its own then.
    """

    kind: ClassVar[str] = "gated_stack"

    channels: int
    gate_channels: int
    skip_channels: int
    kernel_size: int
    dilations: tuple[int, ...]
    conditioned: bool = False

    def __post_init__(self) -> None:
        check_range(
            self,
            channels=(self.channels, 1, MAX_CHANNELS),
            gate_channels=(self.gate_channels, 1, MAX_CHANNELS),
            skip_channels=(self.skip_channels, 1, MAX_CHANNELS),
            kernel_size=(self.kernel_size, 1, 4096),
            num_layers=(len(self.dilations), 1, 1024),
        )
        for dilation in self.dilations:
            check_range(self, dilation=(dilation, 1, MAX_FRAMES // self.kernel_size))

    @property
    def condition_channels(self) -> int:
        return 2 * self.gate_channels * len(self.dilations) if self.conditioned else 0

    def out_channels(self, channels: int) -> int:
        check_range(self, condition_channels=(self.condition_channels, 0, MAX_CHANNELS))
        check_channels(self, channels, self.channels + self.condition_channels)
        return self.skip_channels

    def expansion(self) -> Serial:
        """[x; skip] travels as one signal of channels + skip_channels, the condition before it."""
        c, s, first = self.channels, self.skip_channels, self.condition_channels
        end = first + c + s
        begin: Layer = Channels(begin=0, end=c, pad=s)
        if self.conditioned:
            condition = Channels(begin=c, end=c + first)
            begin = Merge(op="cat", branches=(condition, begin))
        layers = tuple(self._layer(i) for i in range(len(self.dilations)))
        return Serial(layers=(begin, *layers, Channels(begin=first + c, end=end)))

    def _layer(self, index: int) -> Layer:
        c, first, wide = self.channels, self.condition_channels, 2 * self.gate_channels
        conv: Layer = Conv1d(
            name="conv",
            outputs=wide,
            kernel_size=self.kernel_size,
            dilation=self.dilations[index],
            bias=not self.conditioned,
        )
        past = Channels(begin=first, end=first + c)
        gate = Gate(function="tanh")
        out = Linear(name="out", outputs=c + self.skip_channels)
        layers: tuple[Layer, ...] = (past, conv, gate, out)
        if self.conditioned:
            now = Channels(begin=wide * index, end=wide * (index + 1))
            branches = (Serial(name="past", layers=(past, conv)), now)
            # The condition stays: zeros are added, channels that g lacks.
            still = Channels(begin=self.gate_channels, end=self.gate_channels + first)
            layers = (
                Merge(op="add", name="in", branches=branches),
                gate,
                Merge(op="cat", name="out", branches=(still, dataclasses.replace(out, name="x"))),
            )
        return Residual(name=f"layers.{index}", body=Serial(layers=layers))

    def macs_per_frame(self, channels: int) -> float:
        taps = 2 * self.gate_channels * self.channels * self.kernel_size
        out = self.gate_channels * (self.channels + self.skip_channels)
        return len(self.dilations) * (taps + out)

    def history(self) -> tuple[int, ...]:
        """Past frames kept by each layer."""
        return tuple((self.kernel_size - 1) * d for d in self.dilations)

    def kernel(self, channels: int) -> Kernel:
        ints = {
            "channels": self.channels,
            "gate_channels": self.gate_channels,
            "skip_channels": self.skip_channels,
            "kernel": self.kernel_size,
            "num_layers": len(self.dilations),
        }
        ints |= {f"dilation.{i}": d for i, d in enumerate(self.dilations)}
        parts = {n: n for n in ("conv.weight", "conv.bias", "out.weight", "out.bias")}
        if self.conditioned:
            parts = {"conv.weight": "in.past.conv.weight"}
            parts |= {"out.weight": "out.x.weight", "out.bias": "out.x.bias"}
        tensors = {
            f"layers.{i}.{slot}": f"layers.{i}.{name}"
            for i in range(len(self.dilations))
            for slot, name in parts.items()
        }
        kind = "conditioned_gated_stack" if self.conditioned else "gated_stack"
        return Kernel(kind, ints, tensors=tensors)

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        # The matrices of the outputs, as convolutions of one tap.
        return {
            n: np.ascontiguousarray(t[:, :, None]) if t.ndim == 2 else t for n, t in tensors.items()
        }
