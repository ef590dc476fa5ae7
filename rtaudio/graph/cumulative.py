"""Norms over all that has been heard so far, and attention over the last frames."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import Kernel, Layer, Recurrent, TensorSpec, check_range


@frozen
class CumulativeNorm(Layer):
    """(x - mean) / sqrt(var + eps) * scale + bias, with mean and variance over all frames up to
    this one: over all channels together (cLN of Conv-TasNet, 1809.07454) or of each channel."""

    kind: ClassVar[str] = "cumulative_norm"

    per_channel: bool = False
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_range(self, eps=(self.eps, 1e-12, 1.0))

    def rule(self) -> Recurrent:
        return Recurrent()

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        return {"scale": TensorSpec((channels,), fill=1.0), "bias": TensorSpec((channels,))}

    def kernel(self, channels: int) -> Kernel:
        return Kernel(
            "cumulative_norm",
            {"per_channel": int(self.per_channel)},
            {"eps": self.eps},
            {"scale": "scale", "bias": "bias"},
        )


@frozen
class WindowAttention(Layer):
    """Softmax attention of each frame over the last `frames` frames, itself included, without
    delay (Vaswani et al., 1706.03762). Input [query; key; value], a third of the channels each;
    a head is a run of them. Before the first frame there is nothing to attend to."""

    kind: ClassVar[str] = "window_attention"

    heads: int
    frames: int

    def __post_init__(self) -> None:
        check_range(self, heads=(self.heads, 1, 1024), frames=(self.frames, 1, 1 << 14))

    def rule(self) -> Recurrent:
        return Recurrent()

    def out_channels(self, channels: int) -> int:
        if channels % (3 * self.heads):
            raise GraphError(
                f"window_attention: {channels} channels do not split in query, key and value of "
                f"{self.heads} heads."
            )
        return channels // 3

    def macs_per_frame(self, channels: int) -> float:
        return 2.0 * self.frames * channels / 3

    def kernel(self, channels: int) -> Kernel:
        return Kernel("window_attention", {"heads": self.heads, "frames": self.frames})
