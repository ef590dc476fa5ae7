"""Layers that only move channels: permutations, neighbours side by side, repetition."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    Kernel,
    Layer,
    check_channels,
    check_range,
    split_bands,
)


def gather_kernel(index: NDArray[Any]) -> Kernel:
    """Output channel c is input channel index[c], or zero where that is -1."""
    return Kernel("gather", tensors={"index": index.reshape(-1).astype(np.float32)})


@frozen
class _Arrangement(Layer):
    def constant_floats(self, channels: int) -> int:
        return self.out_channels(channels)


@frozen
class Permute(_Arrangement):
    """Channels as an array of `shape` (last axis fastest) with its axes in another `order`, as
    numpy's transpose: [F, C] to [C, F] is shape=(F, C), order=(1, 0); a shuffle of the channels
    of F bands over G groups is shape=(F, G, C // G), order=(0, 2, 1)."""

    kind: ClassVar[str] = "permute"

    shape: tuple[int, ...]
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range(self, axes=(len(self.shape), 1, 8))
        for size in self.shape:
            check_range(self, size=(size, 1, MAX_CHANNELS))
        check_range(self, channels=(math.prod(self.shape), 1, MAX_CHANNELS))
        if sorted(self.order) != list(range(len(self.shape))):
            raise GraphError(
                f"permute: order {self.order} does not name each of the {len(self.shape)} axes once"
            )

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, math.prod(self.shape))
        return channels

    def kernel(self, channels: int) -> Kernel:
        return gather_kernel(np.arange(channels).reshape(self.shape).transpose(self.order))


@frozen
class BandUnfold(_Arrangement):
    """Each band's channels beside those of its neighbours, as torch's unfold over bands: band f of
    the output is [c, k] = x[f + k - size // 2, c] for k < size, zero outside; `size` is odd."""

    kind: ClassVar[str] = "band_unfold"

    bands: int
    size: int = 3

    def __post_init__(self) -> None:
        check_range(self, bands=(self.bands, 1, MAX_CHANNELS), size=(self.size, 1, 1025))
        if self.size % 2 == 0:
            raise GraphError(f"band_unfold: size is {self.size}; it must be odd.")

    def out_channels(self, channels: int) -> int:
        split_bands(self, channels, self.bands)
        check_range(self, out_channels=(channels * self.size, 1, MAX_CHANNELS))
        return channels * self.size

    def kernel(self, channels: int) -> Kernel:
        inputs = channels // self.bands
        band = np.arange(self.bands)[:, None, None] + np.arange(self.size) - self.size // 2
        index = band * inputs + np.arange(inputs)[:, None]
        return gather_kernel(np.where((band >= 0) & (band < self.bands), index, -1))


@frozen
class Tile(_Arrangement):
    """All channels `times` times, one copy after the other: a value a channel for every band."""

    kind: ClassVar[str] = "tile"

    times: int

    def __post_init__(self) -> None:
        check_range(self, times=(self.times, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        check_range(self, out_channels=(channels * self.times, 1, MAX_CHANNELS))
        return channels * self.times

    def kernel(self, channels: int) -> Kernel:
        return gather_kernel(np.tile(np.arange(channels), self.times))
