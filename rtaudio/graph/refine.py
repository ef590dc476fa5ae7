"""Diffusion: a network that is run several times, from noise to sound (DDPM, 2006.11239; DiffWave,
2009.09761).

    Serial(layers=(
        ConvTranspose1d(outputs=80, ...), ...,                    # mel frames to the sample rate
        Refine(network=DiffWave(channels=64, ...), scales=..., weights=..., deviations=...),
    ))

A step needs a network's output alone, so all steps run at once: each is `lookahead` samples behind
the one before it, with queues of its own, and samples flow through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Merge, Residual, Serial
from rtaudio.graph.conv import Conv1d, Linear
from rtaudio.graph.frozen import frozen
from rtaudio.graph.heads import Part
from rtaudio.graph.layer import (
    MAX_FRAMES,
    FloatArray,
    Kernel,
    Layer,
    Window,
    check_range,
)
from rtaudio.graph.plan import Plan, plan
from rtaudio.graph.pointwise import Activation, Channels, Gate

MAX_STEPS = 1000
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


@frozen
class Refine(Layer):
    """`network`, run once a step: x = scale (x - weight network(x, condition, timestep)) +
    deviation z, in the order of the steps, from x = z on; `clip` limits x to -1..1 after each.

    The input is [condition], or [condition; spread] where `shaped`: z, which is noise of variance
    1, is then multiplied by the spread (PriorGrad, 2106.06406). A step is a place in `scales`,
    `weights`, `deviations` and `timesteps`; a Scheduler's coefficients, the noisiest first, are
    such. Noise is drawn at the frame's number and the number of steps that follow. `trained`, if
    given, are the betas of the chain whose steps the timesteps count.
    """

    kind: ClassVar[str] = "refine"

    network: Layer
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    deviations: tuple[float, ...]
    timesteps: tuple[float, ...]
    trained: tuple[float, ...] = ()
    clip: bool = False
    shaped: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.network, DiffWave):
            raise GraphError("refine: its network must be a diffwave.")
        steps = len(self.scales)
        check_range(self, steps=(steps, 1, MAX_STEPS))
        for name in ("weights", "deviations", "timesteps"):
            if len(getattr(self, name)) != steps:
                raise GraphError(
                    f"refine: {len(getattr(self, name))} {name} and {steps} scales; give one of "
                    "each a step."
                )
        last = len(self.trained) - 1 if self.trained else 1e5
        for beta in self.trained:
            check_range(self, beta=(beta, 0.0, 1.0))
        for scale, weight in zip(self.scales, self.weights, strict=True):
            check_range(self, scale=(scale, 0.0, 1e3), weight=(weight, 0.0, 1e3))
        for deviation, timestep in zip(self.deviations, self.timesteps, strict=True):
            check_range(self, deviation=(deviation, 0.0, 1e3), timestep=(timestep, 0.0, last))
        check_range(self, trained=(len(self.trained), 0, 100_000))
        check_range(self, lookahead=(steps * self.inner.lookahead, 0, MAX_FRAMES))

    @property
    def inner(self) -> DiffWave:
        assert isinstance(self.network, DiffWave)  # checked at construction
        return self.network

    def rule(self) -> Window:
        steps = len(self.scales)
        return Window(steps * self.inner.history + 1, 1, steps * self.inner.lookahead)

    def out_channels(self, channels: int) -> int:
        wanted = self.inner.condition + int(self.shaped)
        if channels != wanted:
            raise GraphError(
                f"refine: {channels} channels come in, but its network takes {wanted}."
            )
        return self.inner.values

    def body_plan(self) -> Plan:
        """The network's, in plain layers."""
        return _plan_body(self.inner)

    def num_layers(self, channels: int) -> int:
        return len(self.inner.dilations) + 3

    def constant_floats(self, channels: int) -> int:
        steps, network = len(self.scales), self.inner
        return steps * (3 + len(network.dilations) * network.channels)

    def macs_per_frame(self, channels: int) -> float:
        return len(self.scales) * self.inner.macs_per_frame(channels)

    def kernel(self, channels: int) -> Kernel:
        kernel = self.inner.kernel(channels)
        ints = {"steps": len(self.scales), "clip": int(self.clip), "shaped": int(self.shaped)}
        table = np.array([self.scales, self.weights, self.deviations], np.float32).T
        return Kernel(
            kernel.kind,
            {**kernel.ints, **ints},
            tensors={**kernel.tensors, "coefficients": np.ascontiguousarray(table)},
        )

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {**tensors, "steps": self.inner.step_vectors(self.timesteps, tensors)}


@lru_cache(maxsize=64)
def _plan_body(network: DiffWave) -> Plan:
    return plan(network.body(), network.values + network.condition + network.embedding)


def _function(name: str) -> Activation:
    return Activation(function=name)
