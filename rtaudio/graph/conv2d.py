"""Convolutions of maps. A frame holds a map [band, channel], channels side by side in each band
(channel index band * C + c), so that a band is what a matrix multiplies and bands are its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    MAX_FRAMES,
    FloatArray,
    Kernel,
    Layer,
    TensorSpec,
    Window,
    check_range,
    split_bands,
)


@frozen
class _Conv2d(Layer):
    bands: int
    outputs: int
    kernel_frames: int = 1
    kernel_bands: int = 1
    stride_bands: int = 1
    padding_bands: int = 0
    dilation_frames: int = 1
    groups: int = 1
    lookahead_frames: int = 0
    bias: bool = True

    def __post_init__(self) -> None:
        check_range(
            self,
            bands=(self.bands, 1, MAX_CHANNELS),
            outputs=(self.outputs, 1, MAX_CHANNELS),
            kernel_frames=(self.kernel_frames, 1, MAX_CHANNELS),
            kernel_bands=(self.kernel_bands, 1, MAX_CHANNELS),
            stride_bands=(self.stride_bands, 1, MAX_CHANNELS),
            padding_bands=(self.padding_bands, 0, MAX_CHANNELS),
            dilation_frames=(self.dilation_frames, 1, MAX_CHANNELS),
            width=(self.width, 1, MAX_FRAMES),
            groups=(self.groups, 1, self.outputs),
            lookahead_frames=(self.lookahead_frames, -MAX_FRAMES, MAX_FRAMES),
        )
        check_range(self, out_bands=(self.out_bands, 1, MAX_CHANNELS))
        if self.outputs % self.groups:
            raise GraphError(
                f"{self.kind}: {self.outputs} outputs do not split in {self.groups} groups"
            )

    @property
    def width(self) -> int:
        return (self.kernel_frames - 1) * self.dilation_frames + 1

    @property
    def out_bands(self) -> int:
        raise NotImplementedError

    def out_channels(self, channels: int) -> int:
        split_bands(self, channels, self.bands, self.groups)
        check_range(self, out_channels=(self.out_bands * self.outputs, 1, MAX_CHANNELS))
        return self.out_bands * self.outputs

    def with_bias(self, weight: tuple[int, ...], fan_in: int) -> dict[str, TensorSpec]:
        specs = {"weight": TensorSpec(weight, fan_in)}
        if self.bias:
            specs["bias"] = TensorSpec((self.outputs,), fan_in)
        return specs

    def numbers(self) -> dict[str, int]:
        return {
            "bands": self.bands,
            "out_bands": self.out_bands,
            "kernel_frames": self.kernel_frames,
            "kernel_bands": self.kernel_bands,
            "stride_bands": self.stride_bands,
            "padding_bands": self.padding_bands,
            "dilation_frames": self.dilation_frames,
            "groups": self.groups,
        }


@frozen
class Conv2d(_Conv2d):
    """2-D convolution of maps [band, channel], weight [outputs, inputs / groups, kernel_frames,
    kernel_bands], as torch.nn.functional.conv2d over [time, band].

    Zeros pad the bands on both sides. In time it is a Conv1d: `lookahead_frames` 0 is causal.
    """

    kind: ClassVar[str] = "conv2d"

    stride_frames: int = 1
    dilation_bands: int = 1

    def __post_init__(self) -> None:
        check_range(
            self,
            stride_frames=(self.stride_frames, 1, MAX_FRAMES),
            dilation_bands=(self.dilation_bands, 1, MAX_CHANNELS),
        )
        super().__post_init__()

    @property
    def out_bands(self) -> int:
        reach = self.bands + 2 * self.padding_bands - (self.kernel_bands - 1) * self.dilation_bands
        return (reach - 1) // self.stride_bands + 1

    def rule(self) -> Window:
        return Window(self.width, self.stride_frames, self.lookahead_frames)

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        inputs = split_bands(self, channels, self.bands, self.groups) // self.groups
        taps = self.kernel_frames * self.kernel_bands
        shape = (self.outputs, inputs, self.kernel_frames, self.kernel_bands)
        return self.with_bias(shape, inputs * taps)

    def macs_per_frame(self, channels: int) -> float:
        inputs = channels // self.bands // self.groups
        taps = self.kernel_frames * self.kernel_bands
        return self.out_bands * self.outputs * inputs * taps / self.stride_frames

    def kernel(self, channels: int) -> Kernel:
        ints = self.numbers() | {
            "stride": self.stride_frames,
            "dilation_bands": self.dilation_bands,
            "transposed": 0,
        }
        return Kernel("conv2d", ints, tensors={n: n for n in self.tensors(channels)})


@frozen
class ConvTranspose2d(_Conv2d):
    """2-D transposed convolution of maps [band, channel], weight [inputs, outputs / groups,
    kernel_frames, kernel_bands] as in torch. `padding_bands` crops bands on both sides and
    `output_padding_bands` adds some at the end.

    Its stride in time is 1: frame j is the sum over k of w[k] x[j + lookahead - k * dilation].
    """

    kind: ClassVar[str] = "conv_transpose2d"

    output_padding_bands: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(
            self,
            kernel_bands=(self.kernel_bands, self.stride_bands, MAX_CHANNELS),
            output_padding_bands=(self.output_padding_bands, 0, self.stride_bands - 1),
        )

    @property
    def out_bands(self) -> int:
        full = (self.bands - 1) * self.stride_bands + self.kernel_bands
        return full - 2 * self.padding_bands + self.output_padding_bands

    def rule(self) -> Window:
        return Window(self.width, 1, self.lookahead_frames)

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        inputs = split_bands(self, channels, self.bands, self.groups)
        taps = self.kernel_frames * self.kernel_bands
        fan_in = inputs // self.groups * taps // self.stride_bands
        shape = (inputs, self.outputs // self.groups, self.kernel_frames, self.kernel_bands)
        return self.with_bias(shape, max(1, fan_in))

    def macs_per_frame(self, channels: int) -> float:
        taps = self.kernel_frames * self.kernel_bands
        return channels * (self.outputs // self.groups) * taps

    def kernel(self, channels: int) -> Kernel:
        ints = self.numbers() | {"stride": 1, "dilation_bands": 1, "transposed": 1}
        return Kernel("conv2d", ints, tensors={n: n for n in self.tensors(channels)})

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Outputs first and time turned round: in time it is a plain convolution then."""
        weight = tensors["weight"]
        inputs, outputs, frames, bands = weight.shape
        grouped = weight.reshape(self.groups, inputs // self.groups, outputs, frames, bands)
        shape = (self.groups * outputs, inputs // self.groups, frames, bands)
        turned = grouped.swapaxes(1, 2)[:, :, :, ::-1].reshape(shape)
        return {**tensors, "weight": np.ascontiguousarray(turned)}


@frozen
class BandMean(Layer):
    """The mean over the bands of a map: [band, channel] to [channel]."""

    kind: ClassVar[str] = "band_mean"

    bands: int

    def __post_init__(self) -> None:
        check_range(self, bands=(self.bands, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        return split_bands(self, channels, self.bands)

    def constant_floats(self, channels: int) -> int:
        return channels

    def macs_per_frame(self, channels: int) -> float:
        return channels

    def kernel(self, channels: int) -> Kernel:
        inputs = channels // self.bands
        conv = Conv2d(bands=self.bands, outputs=inputs, kernel_bands=self.bands, groups=inputs)
        weight = np.full((inputs, 1, 1, self.bands), 1 / self.bands, np.float32)
        ints = {**conv.kernel(channels).ints, "tail": 0, "extra": 0}
        return Kernel("conv2d", ints, tensors={"weight": weight})
