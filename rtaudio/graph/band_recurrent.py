"""Recurrent layers over maps [band, channel] (channel index band * C + c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    FloatArray,
    Kernel,
    Layer,
    Recurrent,
    TensorSpec,
    check_range,
    split_bands,
)

CELLS = {"gru": 3, "lstm": 4}  # gates


@frozen
class _BandCells(Layer):
    """`groups` cells of `hidden` units, each on its share of the channels; outputs side by side."""

    bands: int
    hidden: int
    groups: int = 1
    cell: str = "gru"

    def __post_init__(self) -> None:
        check_range(
            self,
            bands=(self.bands, 1, MAX_CHANNELS),
            hidden=(self.hidden, 1, 1 << 14),
            groups=(self.groups, 1, 1 << 14),
            units=(self.hidden * self.cells, 1, 1 << 14),
        )
        if self.cell not in CELLS:
            raise GraphError(f"{self.kind}: cell is {self.cell!r}; it must be gru or lstm.")

    @property
    def directions(self) -> int:
        return 1

    @property
    def cells(self) -> int:
        return self.groups * self.directions

    def out_channels(self, channels: int) -> int:
        inputs = split_bands(self, channels, self.bands, self.groups)
        units = self.cells * self.hidden
        check_range(
            self,
            out_channels=(self.bands * units, 1, MAX_CHANNELS),
            # The engine's matrices hold zeros between the groups.
            weights=(CELLS[self.cell] * units * max(units, inputs), 1, 1 << 24),
        )
        return self.bands * units

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        """torch's tensors, stacked: [group, direction, gates * hidden, ...]."""
        inputs = split_bands(self, channels, self.bands, self.groups) // self.groups
        rows = (self.groups, self.directions, CELLS[self.cell] * self.hidden)
        return {
            "weight_ih": TensorSpec((*rows, inputs), self.hidden),
            "weight_hh": TensorSpec((*rows, self.hidden), self.hidden),
            "bias_ih": TensorSpec(rows, self.hidden),
            "bias_hh": TensorSpec(rows, self.hidden),
        }

    def macs_per_frame(self, channels: int) -> float:
        inputs = channels // self.bands // self.groups
        rows = self.cells * CELLS[self.cell] * self.hidden
        return float(self.bands * rows * (inputs + self.hidden))

    def numbers(self) -> dict[str, int]:
        return {
            "lstm": int(self.cell == "lstm"),
            "bands": self.bands,
            "hidden": self.cells * self.hidden,
        }

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """All cells as one, with zeros between them: lanes [group][direction][hidden]."""
        folded = {}
        for name, tensor in tensors.items():
            gates = tensor.reshape(self.cells, CELLS[self.cell], self.hidden, -1)
            if name.startswith("bias"):
                folded[name] = gates.swapaxes(0, 1).reshape(-1)
                continue
            blocks = self.groups if name == "weight_ih" else self.cells
            depth = gates.shape[3]
            dense = np.zeros((gates.shape[1], self.cells, self.hidden, blocks, depth), np.float32)
            for cell in range(self.cells):
                dense[:, cell, :, cell * blocks // self.cells] = gates[cell]
            folded[name] = dense.reshape(-1, blocks * depth)
        return folded


@frozen
class BandRNN(_BandCells):
    """A GRU or LSTM over time at every band, with the same weights and a state a band."""

    kind: ClassVar[str] = "band_rnn"

    def rule(self) -> Recurrent:
        return Recurrent()

    def kernel(self, channels: int) -> Kernel:
        return Kernel(
            "band_recurrent", self.numbers(), tensors={n: n for n in self.tensors(channels)}
        )


@frozen
class BandScan(_BandCells):
    """A GRU or LSTM along the bands of each frame, from zero; `bidirectional`: [forward, backward]
    side by side in each group. It remembers nothing between frames."""

    kind: ClassVar[str] = "band_scan"

    bidirectional: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def kernel(self, channels: int) -> Kernel:
        ints = self.numbers() | {"groups": self.groups, "directions": self.directions}
        return Kernel("band_scan", ints, tensors={n: n for n in self.tensors(channels)})
