"""Layers that change the rate by a whole factor: repetition, interpolation, pooling."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import MAX_CHANNELS, Kernel, Layer, Overlap, Window, check_range

MAX_FACTOR = 1 << 16
POOLS = ("mean", "max", "max_with_index")


@frozen
class Upsample(Layer):
    """`factor` frames for each one: the frame itself ("repeat"), or straight lines from each frame
    to the next ("linear"), which needs one frame of lookahead and ends in zero after the last."""

    kind: ClassVar[str] = "upsample"

    factor: int
    mode: str = "repeat"

    def __post_init__(self) -> None:
        check_range(self, factor=(self.factor, 1, MAX_FACTOR))
        if self.mode not in ("repeat", "linear"):
            raise GraphError(f"upsample: mode is {self.mode!r}; it must be repeat or linear.")

    def rule(self) -> Overlap:
        if self.mode == "repeat":
            return Overlap(self.factor, self.factor)
        return Overlap(2 * self.factor - 1, self.factor, crop=self.factor - 1)

    def macs_per_frame(self, channels: int) -> float:
        return float(channels * self.factor) if self.mode == "linear" else 0.0

    def kernel(self, channels: int) -> Kernel:
        ints = {"factor": self.factor, "linear": int(self.mode == "linear")}
        return Kernel("upsample", ints)


@frozen
class Pool(Layer):
    """One frame for each `size`: their mean or maximum, a channel; blocks begin with the signal.

    "max_with_index" also gives, as channels after the maxima, where in its block each of them was:
    0 to size - 1, the first one where several are equal. Unpool takes both.
    """

    kind: ClassVar[str] = "pool"

    size: int
    mode: str

    def __post_init__(self) -> None:
        check_range(self, size=(self.size, 1, MAX_FACTOR))
        if self.mode not in POOLS:
            raise GraphError(f"pool: mode is {self.mode!r}; it must be one of {', '.join(POOLS)}.")

    def rule(self) -> Window:
        return Window(self.size, self.size)

    def out_channels(self, channels: int) -> int:
        if self.mode != "max_with_index":
            return channels
        check_range(self, out_channels=(2 * channels, 1, MAX_CHANNELS))
        return 2 * channels

    def kernel(self, channels: int) -> Kernel:
        return Kernel("pool", {"size": self.size, "mode": POOLS.index(self.mode)})


@frozen
class Unpool(Layer):
    """Input [values; indices], halves of the channels: `size` frames of zeros with each value at
    its index (Zeiler and Fergus, 1311.2901)."""

    kind: ClassVar[str] = "unpool"

    size: int

    def __post_init__(self) -> None:
        check_range(self, size=(self.size, 1, MAX_FACTOR))

    def rule(self) -> Overlap:
        return Overlap(self.size, self.size)

    def out_channels(self, channels: int) -> int:
        if channels % 2:
            raise GraphError(f"unpool: {channels} channels come in; the number must be even.")
        return channels // 2

    def kernel(self, channels: int) -> Kernel:
        return Kernel("unpool", {"size": self.size})
