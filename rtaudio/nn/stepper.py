"""The plan run step by step in torch: the readable reference of streaming, in any precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rtaudio.graph.chain import rebuilt
from rtaudio.graph.composite import Fused
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.layer import Chunks, Layer, Overlap, Recurrent, Window
from rtaudio.graph.noise import Noise, NoiseSpectrum
from rtaudio.graph.plan import Delay, Join, Node, Plan, join_path, plan
from rtaudio.graph.refine import Refine
from rtaudio.nn.functions import FUNCTIONS, Tensors
from rtaudio.nn.net import Net, join, port_of

_ENDLESS = 1 << 62


class Stepper:
    """Streams one lane group through `net`'s plan, a whole number of ticks a call.

    All lanes share one length. The kernels are those of Net; delays, masks and holds are the
    plan's. Slow and plain on purpose: it is what the native engine is held against.
    """

    def __init__(
        self,
        net: Net,
        lanes: int,
        controls: Mapping[str, float] | None = None,
        *,
        noise: tuple[int, int] = (0, 0),
        planned: Plan | None = None,
        path: str = "",
    ) -> None:
        """`planned`: another plan of net's tensors than the graph's own, that of the part at
        `path`."""
        self.net = net
        self.plan = expanded_plan(net.graph.body, net.graph.input.channels)
        if planned is not None:
            self.plan = planned
        self.path = path
        self.noise = noise
        self.lanes = lanes
        like = next(iter(net.parameters()), torch.zeros(1, dtype=torch.get_default_dtype()))
        self.like = like.detach()
        constants = net.constant_values(None, self.like.new_zeros(lanes, 1))
        self.controls = net.kernel_controls(controls, self.like) | constants
        self.state: dict[int, Any] = {}
        self.seen: dict[int, int] = {}
        self.lengths: dict[int, int] | None = None

    def end(self, source_length: int) -> None:
        """Tells how many source frames are real; later ones are flushing."""
        self.lengths = self.plan.lengths(source_length)

    def step(self, x: Tensor) -> Tensor:
        """[lane, channel, k * block] in, the output port's frames out (delay included)."""
        buffers = {self.plan.source.buffer: x}
        with torch.no_grad():
            for node in self.plan.nodes:
                inputs = [buffers[s.buffer] for s in node.inputs]
                buffers[node.output.buffer] = self._node(node, inputs)
        for signal in self.plan.signals:
            frames = buffers[signal.buffer].shape[2]
            self.seen[signal.buffer] = self.seen.get(signal.buffer, 0) + frames
        return buffers[self.plan.output.buffer]

    def _valid(self, node: Node, num_frames: int) -> tuple[int, int]:
        signal = node.inputs[0]
        length = _ENDLESS if self.lengths is None else self.lengths[signal.buffer]
        start = self.seen.get(signal.buffer, 0)
        low = min(max(signal.delay - start, 0), num_frames)
        high = min(max(signal.delay + length - start, 0), num_frames)
        return low, max(low, high)

    def _node(self, node: Node, inputs: list[Tensor]) -> Tensor:
        layer, x, key = node.layer, inputs[0], node.output.buffer
        if isinstance(layer, Join):
            return join(layer.op, inputs)
        low, high = self._valid(node, x.shape[2])
        path = join_path(self.path, node.path)
        if isinstance(layer, Feedback):
            return self._feedback(layer, path, node, x, low, high)
        if isinstance(layer, Refine):
            return self._refine(layer, path, node, x)
        if isinstance(layer, (Noise, NoiseSpectrum)):
            from rtaudio.nn.refine import draw

            begin = self.seen.get(node.inputs[0].buffer, 0) - node.inputs[0].delay
            return draw(self.net, layer, path, self.noise, x, begin)
        tensors = self.net.tensors_at(layer, x.shape[1], path)
        function, rule = FUNCTIONS.get(layer.kind), layer.rule()
        if isinstance(layer, Delay):
            joined = torch.cat([self._kept(key, x, layer.frames), x], dim=2)
            self.state[key] = joined[:, :, joined.shape[2] - layer.frames :]
            return joined[:, :, : x.shape[2]]
        assert function is not None
        if isinstance(rule, Window):
            context = rule.width - rule.stride + node.extra
            kept = max(0, context)
            joined = torch.cat([self._kept(key, x, kept), _masked(x, low, high)], dim=2)
            self.state[key] = joined[:, :, joined.shape[2] - kept :]
            skipped = max(0, -context)  # a stride wider than the kernel leaves frames out
            seen = joined[:, :, skipped : joined.shape[2] - node.extra]
            return function(layer, tensors, seen)  # type: ignore[no-any-return]
        if isinstance(rule, Overlap):
            sums = function(layer, tensors, _masked(x, low, high)).clone()
            kept, ready = rule.width - rule.stride, x.shape[2] * rule.stride
            sums[:, :, :kept] += self._kept(key, sums, kept)
            self.state[key] = sums[:, :, ready:]
            y = sums[:, :, :ready]
            return y + tensors["bias"][:, None] if "bias" in tensors else y  # type: ignore[no-any-return]
        if isinstance(rule, Recurrent):
            y = x.new_zeros(x.shape[0], node.output.channels, x.shape[2])
            if high > low:
                part, self.state[key] = function(
                    layer, tensors, x[:, :, low:high], self.state.get(key)
                )
                y[:, :, low:high] = part
            return y
        if isinstance(rule, Chunks):
            return self._chunks(node, rule, tensors, x)
        return function(layer, tensors, x, *port_of(layer, x, self.controls))  # type: ignore[no-any-return]

    def _feedback(
        self, layer: Feedback, path: str, node: Node, x: Tensor, low: int, high: int
    ) -> Tensor:
        from rtaudio.nn.feedback import Loop

        key, hop = node.output.buffer, layer.hop
        loop = self.state.setdefault(key, Loop(self.net, layer, path, self.noise))
        y = x.new_zeros(x.shape[0], node.output.channels, x.shape[2] * hop)
        y[:, :, low * hop : high * hop] = loop.run(x[:, :, low:high])
        return y

    def _refine(self, layer: Refine, path: str, node: Node, x: Tensor) -> Tensor:
        from rtaudio.nn.refine import SteppedRefinement

        key, signal = node.output.buffer, node.inputs[0]
        if key not in self.state:
            self.state[key] = SteppedRefinement(self.net, layer, path, self.noise, signal.delay)
        length = _ENDLESS if self.lengths is None else self.lengths[signal.buffer]
        y: Tensor = self.state[key].step(x, length)
        return y

    def _chunks(self, node: Node, rule: Chunks, tensors: Tensors, x: Tensor) -> Tensor:
        key, signal = node.output.buffer, node.inputs[0]
        kept = node.output.delay - signal.delay  # frame i of `joined` is answered by frame i of y
        joined = torch.cat([self._kept(key, x, kept), x], dim=2)
        state, self.state[key] = self.state.get(-key), joined[:, :, joined.shape[2] - kept :]
        length = _ENDLESS if self.lengths is None else self.lengths[signal.buffer]
        begin = signal.delay - self.seen.get(signal.buffer, 0) + kept
        y = x.new_zeros(x.shape[0], node.output.channels, x.shape[2])
        for chunk in range(0, x.shape[2], rule.size):
            low = max(chunk, begin)
            high = min(chunk + rule.size, begin + length)
            known = min(chunk + rule.size + rule.lookahead, begin + length)
            if high > low:
                part = joined[:, :, low:known]
                y[:, :, low:high], state = FUNCTIONS[node.layer.kind](
                    node.layer, tensors, part, state, known - high
                )
        self.state[-key] = state
        return y

    def _kept(self, key: int, like: Tensor, frames: int) -> Tensor:
        if key not in self.state:
            self.state[key] = like.new_zeros(like.shape[0], like.shape[1], frames)
        return self.state[key]  # type: ignore[no-any-return]


def stream(net: Net, x: Tensor, splits: list[int], controls: Mapping[str, float]) -> Tensor:
    """Runs all of x through a Stepper in calls of `splits` ticks (repeated as needed), flushed and
    trimmed: what Net.forward(x) should equal."""
    stepper = Stepper(net, x.shape[0], controls)
    plan_, length = stepper.plan, x.shape[2]
    block, out_per_tick = plan_.block, plan_.frames_per_tick(plan_.output)
    wanted = plan_.output_length(length)
    ticks = -(-(plan_.output.delay + wanted) // out_per_tick)
    ticks = max(ticks, -(-length // block))
    padded = x.new_full((x.shape[0], x.shape[1], ticks * block), float("nan"))
    padded[:, :, :length] = x
    stepper.end(length)
    outputs, at, i = [], 0, 0
    while at < ticks:
        step = min(splits[i % len(splits)], ticks - at)
        outputs.append(stepper.step(padded[:, :, at * block : (at + step) * block]))
        at, i = at + step, i + 1
    y = torch.cat(outputs, dim=2) if outputs else x.new_zeros(x.shape[0], plan_.output.channels, 0)
    return y[:, :, plan_.output.delay : plan_.output.delay + wanted]


def _masked(x: Tensor, low: int, high: int) -> Tensor:
    if low == 0 and high == x.shape[2]:
        return x
    y = torch.zeros_like(x)
    y[:, :, low:high] = x[:, :, low:high]
    return y


def expanded_plan(body: Layer, channels: int) -> Plan:
    """The plan with fused composites by their expansions."""
    return plan(rebuilt(body, _expansion), channels)


def _expansion(layer: Layer) -> Layer:
    import dataclasses

    if isinstance(layer, Fused):
        return dataclasses.replace(rebuilt(layer.expansion(), _expansion), name=layer.name)
    return layer
