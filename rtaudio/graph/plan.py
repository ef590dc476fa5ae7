"""The plan pass: delays, blocks and lengths of a whole graph, computed and never written by hand.

A signal that travels through the graph carries its delay (frames before the first valid one).
Strided layers get extra input frames so that their delay is whole; branches of a Merge are aligned
by Delay nodes. The rules are those of the shared streaming specification, section 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused, Merge, Residual, Serial, Unrolled
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    MAX_FRAMES,
    Chunks,
    Composite,
    Generated,
    Kernel,
    Layer,
    Overlap,
    Recurrent,
    Window,
    out_length,
)

MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_TICK_MACS = 1 << 37  # some seconds of one core
MAX_CONSTANTS = 1 << 24  # values in windows and filter banks
MAX_FIELD = 1 << 40  # of a receptive field, in source frames


@frozen
class Delay(Layer):
    """`frames` frames later. Inserted by the plan alone."""

    kind: ClassVar[str] = "delay"

    frames: int

    def kernel(self, channels: int) -> Kernel:
        return Kernel("delay", {"frames": self.frames})


@frozen
class Join(Layer):
    """The node in which a Merge ends: add, mul or cat of its inputs. Made by the plan alone."""

    kind: ClassVar[str] = "join"

    op: str

    def kernel(self, channels: int) -> Kernel:
        return Kernel(self.op)


@dataclass(frozen=True)
class Signal:
    """What a layer's output carries: everything the next layer has to know."""

    buffer: int
    channels: int
    rate: Fraction  # frames per source frame
    delay: int  # frames, at this rate
    past: Fraction | None  # receptive field in source frames; None = unbounded
    future: Fraction


@dataclass(frozen=True)
class Node:
    """One operation of the plan."""

    path: str
    layer: Layer
    inputs: tuple[Signal, ...]
    output: Signal
    extra: int = 0  # frames a window ends before the newest one (stride alignment)
    part: int = 0  # of an Unrolled; layers at one path in two parts share their tensors


@dataclass(frozen=True)
class Plan:
    """A graph made ready to stream: nodes in order of execution."""

    source: Signal
    output: Signal
    nodes: tuple[Node, ...]
    block: int = field(default=1)  # source frames a tick must hold
    num_layers: int = 0  # a stack counts as its layers

    @property
    def signals(self) -> tuple[Signal, ...]:
        return (self.source, *(node.output for node in self.nodes))

    def frames_per_tick(self, signal: Signal) -> int:
        return int(signal.rate * self.block)

    @property
    def tick_frames(self) -> int:
        """Frames of a tick where the rate is highest."""
        return max(self.frames_per_tick(signal) for signal in self.signals)

    @property
    def exact(self) -> bool:
        """False where a layer's stream only comes near its definition (Chunks)."""
        return all(node.layer.exact for node in self.nodes)

    @property
    def lookahead_samples(self) -> int:
        """Source frames after the present one that the output needs."""
        return math.ceil(self.output.future)

    @property
    def receptive_past(self) -> int | None:
        """Source frames before the present one that the output may need; None: all of them."""
        return None if self.output.past is None else math.ceil(self.output.past)

    @property
    def macs_per_frame(self) -> float:
        """Multiply-accumulates per source frame."""
        return float(
            sum(
                node.layer.macs_per_frame(node.inputs[0].channels) * float(node.inputs[0].rate)
                for node in self.nodes
            )
        )

    @property
    def constant_floats(self) -> int:
        """Values in windows and filter banks."""
        return sum(n.layer.constant_floats(n.inputs[0].channels) for n in self.nodes)

    def lengths(self, source_length: int) -> dict[int, int]:
        """Valid frames of every buffer for a source of that many frames."""
        lengths = {self.source.buffer: source_length}
        for node in self.nodes:
            shortest = min(lengths[s.buffer] for s in node.inputs)
            lengths[node.output.buffer] = out_length(node.layer.rule(), shortest)
        return lengths

    def output_length(self, source_length: int) -> int:
        """Frames of the answer: those of the definition, at most the source's own duration."""
        wanted = math.ceil(source_length * self.output.rate)
        return min(self.lengths(source_length)[self.output.buffer], wanted)


def plan(layer: Layer, channels: int) -> Plan:
    """Plans `layer` for a source of `channels` channels. Raises GraphError where it cannot run."""
    return _Planner(channels).run(layer)


class _Planner:
    def __init__(self, channels: int) -> None:
        if not 1 <= channels <= MAX_CHANNELS:
            raise GraphError(f"the source has {channels} channels; it must be 1 to {MAX_CHANNELS}.")
        self.nodes: list[Node] = []
        self.num_layers = 0
        self.block = 1
        self.part = 0
        self.source = Signal(0, channels, Fraction(1), 0, Fraction(0), Fraction(0))

    def run(self, layer: Layer) -> Plan:
        output = self.visit(layer, self.source, "", 0)
        for node in self.nodes:
            self.check_tick(int(node.output.rate * self.block))
        planned = Plan(self.source, output, tuple(self.nodes), self.block, self.num_layers)
        if planned.macs_per_frame * self.block > MAX_TICK_MACS:
            raise GraphError(
                f"one tick of this graph takes {planned.macs_per_frame * self.block:.3g} "
                f"multiply-accumulates, over {MAX_TICK_MACS}; make its layers smaller."
            )
        if planned.constant_floats > MAX_CONSTANTS:
            raise GraphError(
                f"windows and filter banks hold {planned.constant_floats} values, over "
                f"{MAX_CONSTANTS}; use smaller ones."
            )
        return planned

    def check_tick(self, frames: int) -> None:
        if frames > MAX_FRAMES:
            raise GraphError(
                f"one tick of this graph is {frames} frames, over {MAX_FRAMES}; "
                "use strides with common factors."
            )

    def visit(self, layer: Layer, signal: Signal, path: str, depth: int) -> Signal:
        if depth > MAX_DEPTH:
            raise GraphError(f"layers are nested deeper than {MAX_DEPTH} levels.")
        if isinstance(layer, Serial):
            for i, child in enumerate(layer.layers):
                signal = self.visit(child, signal, join_path(path, layer.segment(i)), depth + 1)
            return signal
        if isinstance(layer, Residual):
            inner = self.visit(layer.body, signal, join_path(path, layer.segment(0)), depth + 1)
            return self.join("add", (inner, signal), path)
        if isinstance(layer, Merge):
            branches = tuple(
                self.visit(child, signal, join_path(path, layer.segment(i)), depth + 1)
                for i, child in enumerate(layer.branches)
            )
            return self.join(layer.op, branches, path)
        if isinstance(layer, Unrolled):
            outer = self.part
            for self.part, child in enumerate(layer.parts()):
                signal = self.visit(child, signal, path, depth + 1)
            self.part = outer
            return signal
        if isinstance(layer, Composite) and not isinstance(layer, Fused):
            raise GraphError(f"layer kind {layer.kind!r} cannot be planned.")
        return self.leaf(layer, signal, path)

    def leaf(self, layer: Layer, signal: Signal, path: str) -> Signal:
        channels = layer.out_channels(signal.channels)
        rule = layer.rule()
        delay, extra = signal.delay, 0
        past, future = signal.past, signal.future
        rate = signal.rate * layer.ratio
        step = 1 / signal.rate  # source frames per input frame
        if isinstance(layer, Fused):
            past = None if past is None else past + sum(layer.history()) * step
        elif isinstance(rule, Window):
            wanted = signal.delay + rule.lookahead
            delay = max(0, -(-wanted // rule.stride))
            extra = delay * rule.stride - wanted
            past = None if past is None else past + rule.left * step
            future = future + (rule.stride - 1 + rule.lookahead) * step
        elif isinstance(rule, Overlap):
            delay = signal.delay * rule.stride + rule.crop
            past = (
                None if past is None else past + (rule.width - 1 - rule.crop) * step / rule.stride
            )
            future = future + rule.crop * step / rule.stride
        elif isinstance(rule, Generated):
            delay, past = signal.delay * rule.factor, None
        elif isinstance(rule, Chunks):
            # Chunks begin with the signal and end with a tick.
            delay = -(-(signal.delay + rule.lookahead) // rule.size) * rule.size
            past, future = None, future + (rule.size - 1 + rule.lookahead) * step
            self.block = math.lcm(self.block, (rate / rule.size).denominator)
        elif isinstance(rule, Recurrent):
            past = None
        if delay > MAX_FRAMES:
            raise GraphError(f"{path or layer.kind}: its delay of {delay} frames is too long.")
        return self.emit(path, layer, (signal,), channels, rate, delay, past, future, extra)

    def join(self, op: str, branches: tuple[Signal, ...], path: str) -> Signal:
        rates = {b.rate for b in branches}
        if len(rates) > 1:
            raise GraphError(
                f"{path or 'merge'}: branches run at different rates "
                f"({', '.join(str(r) for r in sorted(rates))} frames per source frame)."
            )
        if op != "cat" and len({b.channels for b in branches}) > 1:
            sizes = ", ".join(str(b.channels) for b in branches)
            raise GraphError(f"{path or 'merge'}: {op} needs equal channels, not {sizes}.")
        delay = max(b.delay for b in branches)
        aligned = tuple(
            b
            if b.delay == delay
            else self.emit(
                path,
                Delay(frames=delay - b.delay),
                (b,),
                b.channels,
                b.rate,
                delay,
                b.past,
                b.future,
            )
            for b in branches
        )
        pasts = [b.past for b in branches]
        past = None if None in pasts else max(p for p in pasts if p is not None)
        channels = sum(b.channels for b in branches) if op == "cat" else branches[0].channels
        if channels > MAX_CHANNELS:
            raise GraphError(f"{path or 'merge'}: {channels} channels are over {MAX_CHANNELS}.")
        future = max(b.future for b in branches)
        return self.emit(path, Join(op=op), aligned, channels, rates.pop(), delay, past, future)

    def emit(
        self,
        path: str,
        layer: Layer,
        inputs: tuple[Signal, ...],
        channels: int,
        rate: Fraction,
        delay: int,
        past: Fraction | None,
        future: Fraction,
        extra: int = 0,
    ) -> Signal:
        self.num_layers += layer.num_layers(inputs[0].channels)
        if self.num_layers > MAX_NODES:
            raise GraphError(f"the graph has more than {MAX_NODES} operations.")
        # Source frames are whole: frame j sees up to the one at floor(j / rate + future).
        future = Fraction(math.floor(future * rate.numerator), rate.numerator)
        if past is not None:
            past = Fraction(math.floor(past * rate.numerator), rate.numerator)
        # Checked at every layer, so that no number grows beyond what can be run anyway.
        self.block = math.lcm(self.block, rate.denominator)
        self.check_tick(max(self.block, rate.numerator))
        for span in (past or Fraction(0), future):
            if abs(span.numerator) > MAX_FIELD:
                raise GraphError(
                    f"{path or layer.kind}: the receptive field is too long; use smaller sizes."
                )
        output = Signal(len(self.nodes) + 1, channels, rate, delay, past, future)
        self.nodes.append(Node(path, layer, inputs, output, extra, self.part))
        return output


def join_path(prefix: str, segment: str) -> str:
    return f"{prefix}.{segment}" if prefix and segment else prefix or segment


def leaves(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer that is not a composite, with its path, in order."""
    if isinstance(layer, Composite):
        for i, child in enumerate(layer.children()):
            yield from leaves(child, join_path(path, layer.segment(i)))
    else:
        yield path, layer
