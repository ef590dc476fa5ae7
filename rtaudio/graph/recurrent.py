"""Layers with a state of their own. They hold on frames outside the signal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    MAX_FRAMES,
    Chunks,
    FloatArray,
    Kernel,
    Layer,
    Recurrent,
    TensorSpec,
    check_range,
)


@frozen
class _Gated(Layer):
    hidden: int

    num_gates: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_range(self, hidden=(self.hidden, 1, MAX_CHANNELS // 4))

    def rule(self) -> Recurrent:
        return Recurrent()

    def out_channels(self, channels: int) -> int:
        return self.hidden

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        rows = self.num_gates * self.hidden
        return {
            "weight_ih": TensorSpec((rows, channels), self.hidden),
            "weight_hh": TensorSpec((rows, self.hidden), self.hidden),
            "bias_ih": TensorSpec((rows,), self.hidden),
            "bias_hh": TensorSpec((rows,), self.hidden),
        }

    def macs_per_frame(self, channels: int) -> float:
        return self.num_gates * self.hidden * (channels + self.hidden)

    def kernel(self, channels: int) -> Kernel:
        names = {n: n for n in self.tensors(channels)}
        return Kernel(self.kind, {"hidden": self.hidden}, tensors=names)


@frozen
class GRU(_Gated):
    """torch.nn.GRU, one layer: gates r, z, n; n = tanh(W x + r * (U h)), h = n + z * (h - n)."""

    kind: ClassVar[str] = "gru"
    num_gates: ClassVar[int] = 3


@frozen
class LSTM(_Gated):
    """torch.nn.LSTM, one layer: gates i, f, g, o."""

    kind: ClassVar[str] = "lstm"
    num_gates: ClassVar[int] = 4


@frozen
class RNN(_Gated):
    """torch.nn.RNN, one layer: h = function(W x + U h), tanh or relu (Elman, 1990)."""

    kind: ClassVar[str] = "rnn"
    num_gates: ClassVar[int] = 1

    function: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function not in ("tanh", "relu"):
            raise GraphError(f"rnn: function is {self.function!r}; it must be tanh or relu.")

    def kernel(self, channels: int) -> Kernel:
        ints = {"hidden": self.hidden, "relu": int(self.function == "relu")}
        return Kernel("rnn", ints, tensors={n: n for n in self.tensors(channels)})


CELLS = {"gru": 3, "lstm": 4, "rnn": 1}  # gates


@frozen
class BidirectionalRNN(Layer):
    """torch.nn.GRU, LSTM or RNN (tanh) with bidirectional=True, one layer: [forward; backward].

    Over a whole signal (a Model called) it is exact. A stream is not: it answers `chunk` frames at
    a time, and the backward cell starts from zero `lookahead` frames after them. The shorter the
    cell's memory is against the lookahead, the nearer it comes; verify_streaming says how near.
    """

    kind: ClassVar[str] = "bidirectional_rnn"

    hidden: int
    chunk: int
    lookahead_frames: int
    cell: str = "gru"

    def __post_init__(self) -> None:
        check_range(
            self,
            hidden=(self.hidden, 1, MAX_CHANNELS // 4),
            chunk=(self.chunk, 1, MAX_FRAMES),
            lookahead_frames=(self.lookahead_frames, 0, MAX_FRAMES),
        )
        if self.cell not in CELLS:
            raise GraphError(f"{self.kind}: cell is {self.cell!r}; it must be gru, lstm or rnn.")

    def rule(self) -> Chunks:
        return Chunks(self.chunk, self.lookahead_frames)

    def out_channels(self, channels: int) -> int:
        return 2 * self.hidden

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        """torch's, without its _l0."""
        rows = CELLS[self.cell] * self.hidden
        return {
            name + way: TensorSpec(shape, self.hidden)
            for way in ("", "_reverse")
            for name, shape in (
                ("weight_ih", (rows, channels)),
                ("weight_hh", (rows, self.hidden)),
                ("bias_ih", (rows,)),
                ("bias_hh", (rows,)),
            )
        }

    def macs_per_frame(self, channels: int) -> float:
        """The backward cell runs over the lookahead too."""
        rows = CELLS[self.cell] * self.hidden
        runs = 2 + self.lookahead_frames / self.chunk
        return runs * rows * (channels + self.hidden)

    def error_bound(self, tensors: Mapping[str, FloatArray]) -> float | None:
        """How far a stream's output may be from the definition's, whatever the input; None where
        the weights bound nothing.

        tanh is a contraction, so what an rnn's backward cell does not know at the end of the
        lookahead, at most sqrt(hidden), shrinks by the norm of U with every frame. The gates of a
        GRU or LSTM may stay open for ever.
        """
        norm = float(np.linalg.norm(tensors["weight_hh_reverse"], 2))
        if self.cell != "rnn" or norm >= 1.0:
            return None
        return math.sqrt(self.hidden) * norm ** (self.lookahead_frames + 1)

    def kernel(self, channels: int) -> Kernel:
        ints = {
            "cell": tuple(CELLS).index(self.cell),
            "hidden": self.hidden,
            "chunk": self.chunk,
            "lookahead": self.lookahead_frames,
        }
        return Kernel(self.kind, ints, tensors={n: n for n in self.tensors(channels)})


@frozen
class MeanSubtract(Layer):
    """x - m with a running mean: m += (1 - alpha) * (x - m) first; m starts at `initial`."""

    kind: ClassVar[str] = "mean_subtract"

    alpha: float
    initial: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, alpha=(self.alpha, 0.0, 1.0), initial=(self.initial, -1e30, 1e30))

    def rule(self) -> Recurrent:
        return Recurrent()

    def kernel(self, channels: int) -> Kernel:
        return Kernel("mean_subtract", floats={"alpha": self.alpha, "initial": self.initial})
