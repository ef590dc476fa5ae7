"""Layers with a state of their own. They hold on frames outside the signal."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
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
