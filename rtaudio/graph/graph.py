"""A graph: a layer with named ports and rates, everything a model is but its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.layer import FloatArray, Layer, TensorSpec
from rtaudio.graph.plan import Plan, join_path, plan
from rtaudio.graph.refine import Refine


@dataclass(frozen=True, kw_only=True)
class StreamPort:
    """Frames that flow: `channels` wide, values in `unit`."""

    name: str
    channels: int = 1
    unit: str = "full scale = 1"


@dataclass(frozen=True, kw_only=True)
class ControlPort:
    """A number that may change while the stream runs, ramped over 5 ms of signal time.

    The kernel's value is the value itself; for unit "dB" it is 10 ** (-value / 20), and zero from
    `high` on.
    """

    name: str
    default: float
    low: float
    high: float
    unit: str = ""

    def __post_init__(self) -> None:
        # 10 ** (200 / 20) is the largest factor anybody needs, and the least.
        largest = 200.0 if self.unit == "dB" else 1e30
        if not -largest <= self.low <= self.high <= largest:
            raise GraphError(
                f"control {self.name!r}: its range [{self.low}, {self.high}] must rise and lie "
                f"within {-largest:g} and {largest:g}."
            )
        if not self.low <= self.default <= self.high:
            raise GraphError(
                f"control {self.name!r}: default {self.default} is outside "
                f"[{self.low}, {self.high}]."
            )

    def clamp(self, value: float) -> float:
        """The nearest value in the port's range. NaN counts as the default."""
        return self.default if math.isnan(value) else min(max(value, self.low), self.high)

    def to_kernel(self, value: float) -> float:
        """Clamps and converts a user's value."""
        value = self.clamp(value)
        if self.unit != "dB":
            return value
        return 0.0 if value >= self.high else float(10.0 ** (-value / 20.0))


@dataclass(frozen=True, kw_only=True)
class ConstantPort:
    """Numbers that a lane is given at its reset and keeps: a speaker. Zeros where none are."""

    name: str
    channels: int
    unit: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.channels <= 1 << 16:
            raise GraphError(f"constant {self.name!r}: {self.channels} channels; give 1 to 65536.")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """`body` between an input and an output port at `sample_rate` (Hz of the input's frames)."""

    body: Layer
    sample_rate: int
    input: StreamPort
    output: StreamPort
    controls: tuple[ControlPort, ...] = ()
    constants: tuple[ConstantPort, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.sample_rate <= 10_000_000:
            raise GraphError(f"sample_rate is {self.sample_rate}; it must be 1 to 10000000 Hz.")
        if self.plan.output.channels != self.output.channels:
            raise GraphError(
                f"the graph makes {self.plan.output.channels} channels, but its output port "
                f"{self.output.name!r} has {self.output.channels}."
            )
        known = {c.name for c in self.controls}
        if len(known) != len(self.controls) or "" in known:
            raise GraphError("two control ports have the same name, or one has none.")
        ports = {c.name: c.channels for c in self.constants}
        if len(ports) != len(self.constants) or "" in ports:
            raise GraphError("two constant ports have the same name, or one has none.")
        for node in self.plan.nodes:
            kernel = node.layer.kernel(node.inputs[0].channels)
            if kernel.constant and ports.get(kernel.constant) != kernel.ints["count"]:
                raise GraphError(
                    f"{node.path}: there is no constant port {kernel.constant!r} of "
                    f"{kernel.ints['count']} channels."
                )
            control = kernel.control
            if control and control not in known:
                raise GraphError(f"{node.path}: there is no control port {control!r}.")

    @cached_property
    def plan(self) -> Plan:
        return plan(self.body, self.input.channels)

    @cached_property
    def tensor_specs(self) -> dict[str, TensorSpec]:
        """Every stored tensor by its path. Two layers have one path only where they are one layer
        in two parts of an Unrolled."""
        specs: dict[str, TensorSpec] = {}
        parts: dict[str, set[int]] = {}
        for node in self.plan.nodes:
            for name, spec in node_tensors(node.layer, node.inputs[0].channels).items():
                path = join_path(node.path, name)
                seen = parts.setdefault(path, set())
                if path in specs and (specs[path] != spec or node.part in seen):
                    raise GraphError(f"two layers own tensor {path!r}; give them other names.")
                if path.startswith("constant."):
                    raise GraphError("a layer may not be named 'constant'; give it another name.")
                seen.add(node.part)
                specs[path] = spec
        return specs

    def initial_tensors(self, seed: int = 0) -> dict[str, FloatArray]:
        """Random start values, the same for the same seed."""
        rng = np.random.default_rng(seed)
        tensors: dict[str, FloatArray] = {}
        for name, spec in self.tensor_specs.items():
            if spec.fan_in:
                bound = spec.fan_in**-0.5
                tensors[name] = rng.uniform(-bound, bound, spec.shape).astype(np.float32)
            else:
                tensors[name] = np.full(spec.shape, spec.fill, np.float32)
        return tensors

    def check_tensors(self, tensors: Mapping[str, FloatArray]) -> None:
        """Raises GraphError for a missing, misshapen or non-finite tensor."""
        for name, spec in self.tensor_specs.items():
            if name not in tensors:
                raise GraphError(f"tensor {name!r} is missing.")
            tensor = tensors[name]
            if tuple(tensor.shape) != spec.shape:
                raise GraphError(
                    f"tensor {name!r} has shape {tensor.shape}; the graph needs {spec.shape}."
                )
            if not np.isfinite(tensor).all():
                raise GraphError(f"tensor {name!r} holds values that are not finite.")

    @property
    def makes_audio(self) -> bool:
        """True where as many frames of as many channels leave as enter: a denoiser."""
        return self.plan.output.rate == 1 and self.output.channels == self.input.channels

    @property
    def num_parameters(self) -> int:
        return sum(math.prod(s.shape) for s in self.tensor_specs.values())

    @property
    def macs_per_second(self) -> float:
        return self.plan.macs_per_frame * self.sample_rate


def inner_plan(layer: Layer, channels: int) -> Plan | None:
    """The plan of a node that holds nodes of its own, else None."""
    if isinstance(layer, Fused):
        return plan(layer.expansion(), channels)
    if isinstance(layer, Refine):
        return layer.body_plan()
    return layer.body_plan(channels) if isinstance(layer, Feedback) else None


def node_tensors(layer: Layer, channels: int) -> dict[str, TensorSpec]:
    """Stored tensors of one planned node; a fused composite has those of its expansion, a feedback
    or a refinement those of its body."""
    inner = inner_plan(layer, channels)
    if inner is None:
        return layer.tensors(channels)
    return {
        join_path(node.path, name): spec
        for node in inner.nodes
        for name, spec in node_tensors(node.layer, node.inputs[0].channels).items()
    }
