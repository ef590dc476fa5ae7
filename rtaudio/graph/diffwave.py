"""DiffWave's network (2009.09761): dilated gated layers that are told a step and a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Merge, Residual, Serial
from rtaudio.graph.conv import Conv1d, Linear
from rtaudio.graph.frozen import frozen
from rtaudio.graph.heads import Part
from rtaudio.graph.layer import MAX_FRAMES, FloatArray, Kernel, Layer, check_range
from rtaudio.graph.pointwise import Activation, Channels, Gate

HALF = 0.5**0.5
_LAYER_PATHS = {
    "conv": "z.past.conv",
    "condition": "z.now.condition",
    "out": "out",
    "step": "z.past.moved.step.embed",
}


@frozen
class DiffWave(Part):
    """DiffWave's network (2009.09761, figure 2a): what noise stands in x, `values` channels, given
    `condition` channels and the step.

    Per layer z = conv(h + W_e e) + V c, [r; s] = W (tanh(z_a) sigmoid(z_b)), h = (h + r) / sqrt(2),
    skip += s; e is the step's embedding. The convolutions look as far ahead as back, or not at all
    where `causal`.
    """

    kind: ClassVar[str] = "diffwave"

    values: int = 1
    condition: int
    channels: int
    kernel_size: int = 3
    dilations: tuple[int, ...]
    embedding: int = 128
    embedding_hidden: int = 512
    causal: bool = False

    def __post_init__(self) -> None:
        check_range(
            self,
            values=(self.values, 1, 16),
            condition=(self.condition, 1, 1024),
            channels=(self.channels, 1, 512),
            kernel_size=(self.kernel_size, 1, 7),
            num_layers=(len(self.dilations), 1, 256),
            embedding=(self.embedding, 4, 1024),
            embedding_hidden=(self.embedding_hidden, 1, 4096),
            depth=(self.kernel_size * self.channels + self.condition, 1, 3000),
        )
        if self.embedding % 2 or (self.kernel_size % 2 == 0 and not self.causal):
            raise GraphError(
                f"diffwave: an embedding of {self.embedding} and a kernel of {self.kernel_size}: "
                "the first must be even, the second odd unless the network is causal."
            )
        for dilation in self.dilations:
            check_range(self, dilation=(dilation, 1, MAX_FRAMES // 8 // self.kernel_size))

    @property
    def history(self) -> int:
        """Frames that an output frame sees besides its own."""
        return (self.kernel_size - 1) * sum(self.dilations)

    @property
    def lookahead(self) -> int:
        return 0 if self.causal else self.history // 2

    def macs_per_frame(self, channels: int) -> float:
        c = self.channels
        each = 2 * c * (self.kernel_size * c + self.condition) + 2 * c * c
        return len(self.dilations) * each + c * (c + 2 * self.values)

    def body(self) -> Serial:
        """The network in plain layers: [x; condition; embedding] to the noise in x. The embedding
        is a signal here, the same in every frame."""
        p, k, c = self.values, self.condition, self.channels
        x = (Channels(begin=0, end=p), Linear(name="input", outputs=c), _function("relu"))
        embedding = (
            Channels(begin=p + k, end=p + k + self.embedding),
            Linear(name="first", outputs=self.embedding_hidden),
            _function("silu"),
            Linear(name="second", outputs=self.embedding_hidden),
            _function("silu"),
        )
        start = Merge(
            op="cat",
            name="in",
            branches=(
                Serial(name="x", layers=(*x, Channels(begin=0, end=c, pad=c))),
                Channels(begin=p, end=p + k),
                Serial(name="embedding", layers=embedding),
            ),
        )
        layers = (self._layer(i, d) for i, d in enumerate(self.dilations))
        end = (
            Channels(begin=c, end=2 * c),
            Activation(function="affine", a=len(self.dilations) ** -0.5),
            Linear(name="skip", outputs=c),
            _function("relu"),
            Linear(name="output", outputs=p),
        )
        return Serial(layers=(start, *layers, *end))

    def _layer(self, index: int, dilation: int) -> Layer:
        """[h; skip; condition; e] to the same."""
        c, k = self.channels, self.condition
        rest = k + self.embedding_hidden
        step = (Channels(begin=2 * c + k, end=2 * c + rest), Linear(name="embed", outputs=c))
        moved = Merge(
            op="add",
            name="moved",
            branches=(Channels(begin=0, end=c), Serial(name="step", layers=step)),
        )
        conv = Conv1d(
            name="conv",
            outputs=2 * c,
            kernel_size=self.kernel_size,
            dilation=dilation,
            lookahead_frames=0 if self.causal else (self.kernel_size - 1) // 2 * dilation,
        )
        now = (Channels(begin=2 * c, end=2 * c + k), Linear(name="condition", outputs=2 * c))
        z = Merge(
            op="add",
            name="z",
            branches=(Serial(name="past", layers=(moved, conv)), Serial(name="now", layers=now)),
        )
        out = (Linear(name="out", outputs=2 * c), Channels(begin=0, end=2 * c, pad=rest))
        halved = Serial(layers=(Channels(begin=0, end=c), Activation(function="affine", a=HALF)))
        scaled = Merge(op="cat", branches=(halved, Channels(begin=c, end=2 * c + rest)))
        body = Residual(name="body", body=Serial(layers=(z, Gate(function="tanh"), *out)))
        return Serial(name=f"layers.{index}", layers=(body, scaled))

    def paths(self) -> dict[str, str]:
        """Where the body has each matrix and its bias, by short names."""
        found = {"input": "in.x.input", "skip": "skip", "output": "output"}
        found |= {f"embedding.{n}": f"in.embedding.{n}" for n in ("first", "second")}
        for i in range(len(self.dilations)):
            for name, path in _LAYER_PATHS.items():
                found[f"layers.{i}.{name}"] = f"layers.{i}.body.{path}"
        return found

    def kernel(self, channels: int) -> Kernel:
        ints = {
            "values": self.values,
            "condition": self.condition,
            "channels": self.channels,
            "kernel": self.kernel_size,
            "causal": int(self.causal),
            "num_layers": len(self.dilations),
        }
        ints |= {f"dilation.{i}": d for i, d in enumerate(self.dilations)}
        tensors = {
            f"{slot}.{part}": f"{path}.{part}"
            for slot, path in self.paths().items()
            if not slot.startswith("embedding.") and not slot.endswith(".step")
            for part in ("weight", "bias")
        }
        return Kernel("refine", ints, tensors={**tensors, "steps": "steps"})

    def embed(self, timesteps: tuple[float, ...]) -> NDArray[np.float64]:
        """The embedding of each step, [steps, embedding], a fraction of a step between two rows of
        the table of whole ones. The table is that of LMNT's diffwave: the frequencies
        10^(4 i / (n - 1)) and their products are rounded to float32, as its weights know them."""
        half = self.embedding // 2
        exponents = np.arange(half, dtype=np.float32) * np.float32(4.0) / np.float32(half - 1)
        frequencies = (10.0 ** exponents.astype(np.float64)).astype(np.float32)

        def row(step: float) -> NDArray[np.float64]:
            angles = (np.float32(step) * frequencies).astype(np.float64)
            table = np.concatenate([np.sin(angles), np.cos(angles)])
            return table.astype(np.float32).astype(np.float64)

        rows = []
        for step in timesteps:
            low, high = row(np.floor(step)), row(np.ceil(step))
            rows.append(low + (high - low) * (step - np.floor(step)))
        return np.stack(rows)

    def step_vectors(
        self, timesteps: tuple[float, ...], tensors: Mapping[str, FloatArray]
    ) -> FloatArray:
        """W_e e + b of each step and layer, [steps, layers, channels]."""
        paths = self.paths()

        def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
            weight, bias = (tensors[f"{paths[name]}.{part}"] for part in ("weight", "bias"))
            return np.asarray(x @ weight.astype(np.float64).T + bias.astype(np.float64))

        e = self.embed(timesteps)
        for name in ("embedding.first", "embedding.second"):
            e = linear(e, name)
            e = e / (1.0 + np.exp(-e))
        vectors = [linear(e, f"layers.{i}.step") for i in range(len(self.dilations))]
        return np.stack(vectors, axis=1).astype(np.float32)


def _function(name: str) -> Activation:
    return Activation(function=name)
