"""`Net(graph)`: the whole-sequence meaning of a graph in torch, for training and as the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused, Merge, Residual, Serial, Unrolled
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import Chunks, FloatArray, Layer, Overlap, Recurrent, Window, out_length
from rtaudio.graph.noise import Noise, NoiseSpectrum
from rtaudio.graph.plan import join_path
from rtaudio.graph.refine import Refine
from rtaudio.nn import maps as _maps  # noqa: F401  (registers its functions)
from rtaudio.nn import streams as _streams  # noqa: F401  (likewise)
from rtaudio.nn.functions import FUNCTIONS, Controls, Tensors


@dataclass(frozen=True)
class _Context:
    """What a run is given besides its input."""

    controls: Controls  # and constants
    noise: tuple[int, int] = (0, 0)
    values: Tensor | None = None  # a feedback's, where they are known
    found: list[Tensor] = field(default_factory=list)  # the parameters of its head then


class Net(nn.Module):
    """The graph as a torch module.

    forward(x) takes [lane, channel, time] of any length and returns the whole answer,
    plan.output_length(time) frames. Tensors are parameters named by their paths with dots as "/"
    (torch forbids dots); `export()` and `load()` speak paths. `.double()` makes it the oracle.
    """

    def __init__(self, graph: Graph, tensors: Mapping[str, FloatArray] | None = None) -> None:
        super().__init__()
        self.graph = graph
        values = graph.initial_tensors() if tensors is None else tensors
        graph.check_tensors(values)
        for name, spec in graph.tensor_specs.items():
            value = torch.from_numpy(np.array(values[name], np.float32))
            if spec.trained:
                self.register_parameter(_mangle(name), nn.Parameter(value))
            else:
                self.register_buffer(_mangle(name), value)

    def export(self) -> dict[str, FloatArray]:
        """The tensors by path, float32."""
        state = self.state_dict()
        return {n: state[_mangle(n)].float().cpu().numpy() for n in self.graph.tensor_specs}

    def load(self, tensors: Mapping[str, FloatArray]) -> None:
        """Raises GraphError if they do not fit."""
        self.graph.check_tensors(tensors)
        values = {_mangle(n): torch.from_numpy(tensors[n]) for n in self.graph.tensor_specs}
        self.load_state_dict(values)

    def forward(
        self,
        x: Tensor,
        controls: Mapping[str, float] | None = None,
        noise: tuple[int, int] = (0, 0),
        constants: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """`noise`: seed and stream of what a feedback draws; `constants`: [lane, channel] each."""
        values = self.kernel_controls(controls, x) | self.constant_values(constants, x)
        return self._forward(x, _Context(values, noise))

    def parameters_of(
        self, x: Tensor, values: Tensor, constants: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The parameters [lane, parameter, time] of a feedback's head where its `values` [lane,
        width, time] are given, as they are fed back (`head.encode(audio)`): all at once, for
        training and for the likelihood (`log_probability`)."""
        ports = self.kernel_controls(None, x) | self.constant_values(constants, x)
        context = _Context(ports, values=values)
        self._forward(x, context)
        if len(context.found) != 1:
            raise GraphError(f"the graph has {len(context.found)} feedbacks; it must have one.")
        return context.found[0]

    def _forward(self, x: Tensor, context: _Context) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self.graph.input.channels:
            raise GraphError(
                f"Net takes [lane, {self.graph.input.channels}, time], not {tuple(x.shape)}."
            )
        y = self._run(self.graph.body, x, "", context)
        return y[:, :, : self.graph.plan.output_length(x.shape[2])]

    def run(self, layer: Layer, x: Tensor, path: str) -> Tensor:
        """A part of the graph by itself; `path` is where it stands."""
        return self._run(layer, x, path, _Context({}))

    def kernel_controls(self, controls: Mapping[str, float] | None, like: Tensor) -> Controls:
        given = controls or {}
        return {
            c.name: like.new_tensor(c.to_kernel(given.get(c.name, c.default)))
            for c in self.graph.controls
        }

    def constant_values(self, given: Mapping[str, Tensor] | None, x: Tensor) -> Controls:
        """[lane, channel] of each constant port, zeros where nothing is given."""
        return {
            f"constant {c.name}": (given or {}).get(c.name, x.new_zeros(x.shape[0], c.channels))
            for c in self.graph.constants
        }

    def tensors_at(self, layer: Layer, channels: int, path: str) -> Tensors:
        return {n: getattr(self, _mangle(join_path(path, n))) for n in layer.tensors(channels)}

    def _run(self, layer: Layer, x: Tensor, path: str, context: _Context) -> Tensor:
        if isinstance(layer, Serial):
            for i, child in enumerate(layer.layers):
                x = self._run(child, x, join_path(path, layer.segment(i)), context)
            return x
        if isinstance(layer, Residual):
            branches = [self._run(layer.body, x, join_path(path, layer.segment(0)), context), x]
            return _join("add", branches)
        if isinstance(layer, Merge):
            return _join(
                layer.op,
                [
                    self._run(child, x, join_path(path, layer.segment(i)), context)
                    for i, child in enumerate(layer.branches)
                ],
            )
        if isinstance(layer, Unrolled):
            for child in layer.parts():
                x = self._run(child, x, path, context)
            return x
        if isinstance(layer, Fused):
            return self._run(layer.expansion(), x, path, context)
        if isinstance(layer, Feedback):
            from rtaudio.nn.feedback import Loop, decode, teacher_forced

            if context.values is None:
                return Loop(self, layer, path, context.noise).run(x)
            context.found.append(teacher_forced(self, layer, path, x, context.values))
            return decode(layer.draws, context.values)
        if isinstance(layer, Refine):
            from rtaudio.nn.refine import Refinement

            return Refinement(self, layer, path, context.noise).run(x)
        if isinstance(layer, (Noise, NoiseSpectrum)):
            from rtaudio.nn.refine import draw

            return draw(self, layer, path, context.noise, x, 0)
        tensors = self.tensors_at(layer, x.shape[1], path)
        return whole(layer, tensors, x, context.controls)


def whole(layer: Layer, tensors: Tensors, x: Tensor, controls: Controls) -> Tensor:
    """A leaf layer over a whole sequence; outside of it inputs are zero."""
    function, rule, num_frames = FUNCTIONS[layer.kind], layer.rule(), x.shape[2]
    if isinstance(rule, Window):
        num_out = out_length(rule, num_frames)
        needed = (num_out - 1) * rule.stride + rule.width
        return function(layer, tensors, _span(x, -rule.left, needed))  # type: ignore[no-any-return]
    if isinstance(rule, Overlap):
        sums = function(layer, tensors, x)
        y = sums[:, :, rule.crop : rule.crop + out_length(rule, num_frames)]
        return y + tensors["bias"][:, None] if "bias" in tensors else y  # type: ignore[no-any-return]
    if isinstance(rule, (Recurrent, Chunks)):
        return function(layer, tensors, x, None)[0]  # type: ignore[no-any-return]
    return function(layer, tensors, x, *port_of(layer, x, controls))  # type: ignore[no-any-return]


def port_of(layer: Layer, x: Tensor, ports: Controls) -> tuple[Tensor, ...]:
    """The value of the control or of the constant that a layer reads, if it reads one."""
    kernel = layer.kernel(x.shape[1])
    name = f"constant {kernel.constant}" if kernel.constant else kernel.control
    return (ports[name],) if name else ()


def _span(x: Tensor, start: int, count: int) -> Tensor:
    """Frames [start, start + count), zero outside the signal."""
    end, num_frames = start + count, x.shape[2]
    inside = x[:, :, min(max(start, 0), num_frames) : min(max(end, 0), num_frames)]
    before = min(max(-start, 0), count)
    return F.pad(inside, (before, count - before - inside.shape[2]))


def _join(op: str, branches: list[Tensor]) -> Tensor:
    shortest = min(b.shape[2] for b in branches)
    branches = [b[:, :, :shortest] for b in branches]
    return join(op, branches)


def join(op: str, branches: list[Tensor]) -> Tensor:
    if op == "cat":
        return torch.cat(branches, dim=1)
    y = branches[0]
    for branch in branches[1:]:
        y = y + branch if op == "add" else y * branch
    return y


def _mangle(path: str) -> str:
    return path.replace(".", "/")
