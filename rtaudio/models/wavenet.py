"""WaveNet without feedback (van den Oord et al., 1609.03499) as arrays of dilated layers: a mono
signal in, a mono signal out, as models of guitar amplifiers have it (NeuralAmpModelerCore).

One array, x [channels], c the audio itself, s the head's sum [head_channels]:

    x = R x                                              (matrix "input")
    for each layer: h = f(conv(x) + V c), s = s + S h, x = x + W h + b
    s = conv(s)                                          (matrix "conv")

The next array takes x and s on. `gate` makes it h = f(z_a) g(z_b) over halves of z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    ConditionedNet,
    ConditionedStack,
    Conv1d,
    Graph,
    Layer,
    Linear,
    Serial,
    StreamPort,
)
from rtaudio.graph.conditioned import MAX_STACKS, stacks_in_series


@dataclass(frozen=True, kw_only=True)
class LayerArray:
    """`kernel_sizes` and `dilations`: one a layer. `hidden` channels leave the activation;
    `head_channels` (None: hidden, and S is the identity) are summed for the head, whose convolution
    over `head_kernel_size` frames has `head_outputs`. Without `residual`, W is the identity."""

    channels: int
    kernel_sizes: tuple[int, ...]
    dilations: tuple[int, ...]
    hidden: int
    activation: Activation
    gate: Activation | None = None
    head_channels: int | None = None
    head_outputs: int
    head_kernel_size: int = 1

    @property
    def width(self) -> int:
        """Channels of the sum for the head."""
        return self.head_channels or self.hidden


@dataclass(frozen=True, kw_only=True)
class Head:
    """Activation and convolution, once a kernel size, after the last array."""

    activation: Activation
    channels: int
    kernel_sizes: tuple[int, ...]


def wavenet(arrays: tuple[LayerArray, ...], head: Head | None, sample_rate: int) -> Graph:
    """Raises GraphError for sizes that do not fit one another."""
    for before, after in pairwise(arrays):
        if before.head_outputs != after.width:
            raise GraphError(
                f"an array's head makes {before.head_outputs} channels, but the next array sums "
                f"{after.width} channels."
            )
    stacks = tuple(
        ConditionedStack(
            channels=array.channels,
            hidden=array.hidden,
            skip_channels=array.head_channels or 0,
            kernel_sizes=array.kernel_sizes,
            dilations=array.dilations,
            functions=(array.activation, *((array.gate,) if array.gate else ())),
        )
        for array in arrays
    )
    sizes, outputs = tuple(array.head_kernel_size for array in arrays), arrays[-1].head_outputs
    layers: list[Layer]
    if len(stacks) > MAX_STACKS or any(size > 1 for size in sizes[:-1]):
        layers = [replace(stacks_in_series(stacks, sizes, outputs), name="net")]
    elif sizes[-1] > 1:
        conv = Conv1d(name="conv", outputs=outputs, kernel_size=sizes[-1])
        layers = [ConditionedNet(name="net", stacks=stacks), Serial(name="output", layers=(conv,))]
    else:
        layers = [ConditionedNet(name="net", stacks=stacks, outputs=outputs)]
    if head is not None:
        for i, size in enumerate(head.kernel_sizes):
            inputs = head.channels if i else arrays[-1].head_outputs
            outputs = head.channels if i + 1 < len(head.kernel_sizes) else 1
            layers += [
                head.activation,
                Linear(name=f"head.{i}.centre", outputs=inputs),  # the identity, and a bias
                Conv1d(name=f"head.{i}.conv", outputs=outputs, kernel_size=size),
            ]
    return Graph(
        body=Serial(layers=tuple(layers)),
        sample_rate=sample_rate,
        input=StreamPort(name="audio"),
        output=StreamPort(name="audio"),
    )
