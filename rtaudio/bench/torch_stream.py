"""A model's plan block by block in torch, as one writes it for a GPU: what torch can do with the
same weights, eager, compiled, or as a CUDA graph.

States are buffers that each call writes in place, and nothing else changes between calls. So the
start of a signal is not masked: from zero states on, answers are the model's once its receptive
field is full, or at once where nothing looks ahead and no memory sees a bias.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from rtaudio.bench.torch_layers import Fixed, Overlapped, Pointwise, Recurred, Stack, Windowed
from rtaudio.bench.torch_refine import Memory, Refined, white
from rtaudio.errors import RtaudioError
from rtaudio.graph.composite import Fused
from rtaudio.graph.conv import GatedStack
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray, Overlap, Recurrent, Window
from rtaudio.graph.plan import Delay, Join, Node, Plan, join_path
from rtaudio.graph.refine import Refine
from rtaudio.graph.spectral import BandFilter, Cepstrum, MinimumPhase
from rtaudio.nn.functions import FUNCTIONS
from rtaudio.nn.net import join
from rtaudio.runtime.model import Model


class Joined(nn.Module):
    def __init__(self, op: str) -> None:
        super().__init__()
        self.op = op

    def forward(self, *branches: Tensor) -> Tensor:
        return join(self.op, list(branches))


class Delayed(nn.Module):
    def __init__(self, lanes: int, channels: int, frames: int) -> None:
        super().__init__()
        self.memory = Memory(lanes, channels, frames)

    def forward(self, x: Tensor) -> Tensor:
        return self.memory(x)[:, :, : x.shape[2]]  # type: ignore[no-any-return]


class TorchStream(nn.Module):
    """forward(x): [lane, channel, k * block] to the output port's frames, its delay included."""

    def __init__(
        self,
        model: Model,
        lanes: int,
        sample_rate: int | None = None,
        noise: Callable[..., Tensor] = white,
    ) -> None:
        """Raises RtaudioError for a layer that has no peer in torch. `noise`: as in `Refined`."""
        super().__init__()
        graph = model.graph_at(sample_rate or model.sample_rate)
        self.plan: Plan = graph.plan
        self.parts = nn.ModuleList()
        for node in self.plan.nodes:
            tensors = _tensors(node, graph, model)
            self.parts.append(_part(node, tensors, lanes, graph, noise))

    def forward(self, x: Tensor) -> Tensor:
        signals = {self.plan.source.buffer: x}
        for node, part in zip(self.plan.nodes, self.parts, strict=True):
            signals[node.output.buffer] = part(*(signals[s.buffer] for s in node.inputs))
        return signals[self.plan.output.buffer]


def _tensors(node: Node, graph: Graph, model: Model) -> dict[str, FloatArray]:
    if isinstance(node.layer, Join | Delay):
        return {}
    if isinstance(node.layer, Fused | Refine):
        start = f"{node.path}." if node.path else ""
        return {
            n[len(start) :]: model.tensors[n] for n in graph.tensor_specs if n.startswith(start)
        }
    specs = node.layer.tensors(node.inputs[0].channels)
    return {n: model.tensors[join_path(node.path, n)] for n in specs}


def _part(
    node: Node,
    tensors: dict[str, FloatArray],
    lanes: int,
    graph: Graph,
    noise: Callable[..., Tensor],
) -> nn.Module:
    layer, channels = node.layer, node.inputs[0].channels
    if isinstance(layer, Join):
        return Joined(layer.op)
    if isinstance(layer, Delay):
        return Delayed(lanes, channels, layer.frames)
    if isinstance(layer, Refine):
        return Refined(layer, tensors, lanes, noise)
    if isinstance(layer, GatedStack) and not layer.conditioned:
        return Stack(node, tensors, lanes)
    if isinstance(layer, BandFilter | Cepstrum | MinimumPhase):
        return Fixed(node, tensors, lanes)
    if layer.kind not in FUNCTIONS:
        raise RtaudioError(f"the peer in torch knows no layers of kind {layer.kind}.")
    for rule, kind in ((Window, Windowed), (Overlap, Overlapped), (Recurrent, Recurred)):
        if isinstance(layer.rule(), rule):
            return kind(node, tensors, lanes)
    return Pointwise(node, tensors, lanes, graph)
