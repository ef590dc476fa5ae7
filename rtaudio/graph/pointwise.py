"""Layers in which an output frame depends on its input frame alone."""

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
    TensorSpec,
    check_range,
    split_bands,
)

# function: (meaning of a, meaning of b), empty where unused.
FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "identity": ("", ""),
    "relu": ("", ""),
    "leaky_relu": ("slope", ""),
    "tanh": ("", ""),
    "sigmoid": ("", ""),
    "silu": ("", ""),
    "elu": ("alpha", ""),
    "softplus": ("", ""),
    "exp": ("", ""),
    "log": ("floor", ""),
    "sqrt": ("", ""),
    "power": ("exponent", ""),
    "affine": ("scale", "offset"),
    "clamp": ("low", "high"),
    "abs": ("", ""),
    "square": ("", ""),
    "gelu": ("", ""),
    "sin": ("", ""),
}


@frozen
class Activation(Layer):
    """A function of each element.

    log(max(x, a)), max(x, 0) ** a (power), sqrt(max(x, 0)), a * x + b (affine), clamp to [a, b],
    leaky_relu with slope a, elu with alpha a, gelu in its tanh form; the others take no parameter.
    sin is that of x clamped to +-8192.
    """

    kind: ClassVar[str] = "activation"

    function: str
    a: float = 0.0
    b: float = 0.0

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise GraphError(
                f"activation: function is {self.function!r}; "
                f"it must be one of {', '.join(FUNCTIONS)}."
            )
        check_range(self, a=(self.a, -1e30, 1e30), b=(self.b, -1e30, 1e30))
        if self.function == "log" and self.a <= 0:
            raise GraphError(f"activation: the floor of log is {self.a}; it must be positive.")

    def kernel(self, channels: int) -> Kernel:
        index = list(FUNCTIONS).index(self.function)
        return Kernel("unary", {"function": index}, {"a": self.a, "b": self.b})


@frozen
class Gate(Layer):
    """Halves the channels: tanh(x_a) * sigmoid(x_b) ("tanh") or x_a * sigmoid(x_b) ("glu")."""

    kind: ClassVar[str] = "gate"

    function: str = "tanh"

    def __post_init__(self) -> None:
        if self.function not in ("tanh", "glu"):
            raise GraphError(f"gate: function is {self.function!r}; it must be tanh or glu.")

    def out_channels(self, channels: int) -> int:
        if channels % 2:
            raise GraphError(f"gate: {channels} channels come in; the number must be even.")
        return channels // 2

    def kernel(self, channels: int) -> Kernel:
        return Kernel("gate", {"tanh": int(self.function == "tanh")})


@frozen
class Modulate(Layer):
    """Input [values; shifts; scales], a third of the channels each: scales * values + shifts
    (feature-wise linear modulation, Perez et al., 1709.07871)."""

    kind: ClassVar[str] = "modulate"

    def out_channels(self, channels: int) -> int:
        if channels % 3:
            raise GraphError(f"modulate: {channels} channels come in; they must be three times C.")
        return channels // 3

    def kernel(self, channels: int) -> Kernel:
        return Kernel("modulate")


@frozen
class PReLU(Layer):
    """x where x > 0, else slope[channel] * x. All `bands` of a map share their slopes; as many
    bands as channels is a single slope for all."""

    kind: ClassVar[str] = "prelu"

    bands: int = 1

    def __post_init__(self) -> None:
        check_range(self, bands=(self.bands, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        split_bands(self, channels, self.bands)
        return channels

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        return {"slope": TensorSpec((channels // self.bands,), fill=0.25)}

    def kernel(self, channels: int) -> Kernel:
        return Kernel("prelu", tensors={"slope": "slope"})

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {"slope": np.tile(tensors["slope"], self.bands)}


@frozen
class LayerNorm(Layer):
    """(x - mean) / sqrt(var + eps) * scale + bias over the channels of each frame, or of each of
    the `bands` of a map (one scale and bias a channel of a band)."""

    kind: ClassVar[str] = "layer_norm"

    eps: float = 1e-5
    bands: int = 1

    def __post_init__(self) -> None:
        check_range(self, eps=(self.eps, 1e-12, 1.0), bands=(self.bands, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        split_bands(self, channels, self.bands)
        return channels

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        size = (channels // self.bands,)
        return {"scale": TensorSpec(size, fill=1.0), "bias": TensorSpec(size)}

    def kernel(self, channels: int) -> Kernel:
        tensors = {"scale": "scale", "bias": "bias"}
        if self.bands == 1:
            return Kernel("layer_norm", floats={"eps": self.eps}, tensors=tensors)
        return Kernel("band_norm", {"bands": self.bands}, {"eps": self.eps}, tensors)


@frozen
class BatchNorm(Layer):
    """BatchNorm1d with running statistics, or BatchNorm2d of maps of `bands`; natively one scale
    and one bias a channel."""

    kind: ClassVar[str] = "batch_norm"

    eps: float = 1e-5
    bands: int = 1

    def __post_init__(self) -> None:
        check_range(self, eps=(self.eps, 1e-12, 1.0), bands=(self.bands, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        split_bands(self, channels, self.bands)
        return channels

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        size = (channels // self.bands,)
        return {
            "scale": TensorSpec(size, fill=1.0),
            "bias": TensorSpec(size),
            "mean": TensorSpec(size, trained=False),
            "variance": TensorSpec(size, fill=1.0, trained=False),
        }

    def kernel(self, channels: int) -> Kernel:
        return Kernel("affine", tensors={"scale": "scale", "bias": "bias"})

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        if not (tensors["variance"] >= 0).all():
            raise GraphError("batch_norm: a running variance is negative; export the model again.")
        t = {n: v.astype(np.float64) for n, v in tensors.items()}
        scale = t["scale"] / np.sqrt(t["variance"] + self.eps)
        bias = t["bias"] - t["mean"] * scale
        folded = {"scale": scale, "bias": bias}
        return {n: np.tile(v, self.bands).astype(np.float32) for n, v in folded.items()}


@frozen
class Channels(Layer):
    """Channels [begin, end) of the input (those it lacks read as zero), then `pad` zeros."""

    kind: ClassVar[str] = "channels"

    begin: int
    end: int
    pad: int = 0

    def __post_init__(self) -> None:
        check_range(
            self,
            begin=(self.begin, 0, MAX_CHANNELS),
            end=(self.end, self.begin + 1, MAX_CHANNELS),
            pad=(self.pad, 0, MAX_CHANNELS),
        )

    def out_channels(self, channels: int) -> int:
        return self.end - self.begin + self.pad

    def kernel(self, channels: int) -> Kernel:
        return Kernel("channels", {"begin": self.begin, "end": self.end, "pad": self.pad})


@frozen
class WithConstant(Layer):
    """The input's channels, then those of a constant port: what a lane is given at its reset, a
    speaker for instance."""

    kind: ClassVar[str] = "with_constant"

    constant: str
    count: int

    def __post_init__(self) -> None:
        check_range(self, count=(self.count, 1, MAX_CHANNELS))
        if not self.constant:
            raise GraphError("with_constant: constant is empty; give the name of a constant port.")

    def out_channels(self, channels: int) -> int:
        check_range(self, out_channels=(channels + self.count, 1, MAX_CHANNELS))
        return channels + self.count

    def kernel(self, channels: int) -> Kernel:
        return Kernel("with_constant", {"count": self.count}, constant=self.constant)


@frozen
class Blend(Layer):
    """Input [wet; dry], halves of the channels: wet + c * (dry - wet), c a control port's value."""

    kind: ClassVar[str] = "blend"

    control: str

    def __post_init__(self) -> None:
        if not self.control:
            raise GraphError("blend: control is empty; give the name of a control port.")

    def out_channels(self, channels: int) -> int:
        if channels % 2:
            raise GraphError(f"blend: {channels} channels come in; the number must be even.")
        return channels // 2

    def kernel(self, channels: int) -> Kernel:
        return Kernel("blend", control=self.control)
