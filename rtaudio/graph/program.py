"""Lowering: a plan as a flat list of typed operations over buffers, what the native engine runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.graph import Graph, node_tensors
from rtaudio.graph.layer import FloatArray, Overlap, Window
from rtaudio.graph.plan import Node, Plan, join_path
from rtaudio.graph.strict import check_type, parse_json, quote

PROGRAM_VERSION = 1
NUMERICS_REVISION = 1


@dataclass(frozen=True)
class Buffer:
    """`frames` per tick of `channels` floats, the first `delay` of a stream not valid."""

    channels: int
    frames: int
    delay: int


@dataclass(frozen=True)
class Operation:
    """One native kernel call: where it reads and writes, its numbers, its tensors by name."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    ints: Mapping[str, int]
    floats: Mapping[str, float]
    tensors: Mapping[str, str]
    control: int = -1


@dataclass(frozen=True)
class Program:
    """Versioned, flat and complete: with its tensors it is all the native engine needs."""

    buffers: tuple[Buffer, ...]
    operations: tuple[Operation, ...]
    input: int
    output: int
    controls: tuple[str, ...]
    version: int = PROGRAM_VERSION

    def to_json(self) -> str:
        return json.dumps(
            {
                "version": self.version,
                "buffers": [[b.channels, b.frames, b.delay] for b in self.buffers],
                "operations": [
                    {
                        "kind": op.kind,
                        "inputs": list(op.inputs),
                        "output": op.output,
                        "ints": dict(op.ints),
                        "floats": dict(op.floats),
                        "tensors": dict(op.tensors),
                        "control": op.control,
                    }
                    for op in self.operations
                ],
                "input": self.input,
                "output": self.output,
                "controls": list(self.controls),
            },
            separators=(",", ":"),
        )

    @staticmethod
    def from_json(text: str) -> Program:
        """Raises ModelFileError where the text is no program; the engine checks what it says."""
        try:
            data = parse_json(text)
            if data["version"] != PROGRAM_VERSION:
                raise ModelFileError(
                    f"the program has version {data['version']!r:.60}, this rtaudio reads version "
                    f"{PROGRAM_VERSION}; update rtaudio."
                )
            return Program(
                buffers=tuple(Buffer(*_ints(b, 3)) for b in data["buffers"]),
                operations=tuple(_operation(op) for op in data["operations"]),
                input=_int(data["input"]),
                output=_int(data["output"]),
                controls=tuple(str(c) for c in data["controls"]),
            )
        except ModelFileError:
            raise
        except (
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            raise ModelFileError(
                f"the program in the model file cannot be read ({type(error).__name__}: "
                f"{quote(error)}); "
                "export the model again."
            ) from error


def _int(value: Any) -> int:
    if type(value) is not int or abs(value) >= 1 << 31:
        raise ValueError(f"expected a whole number, got {value!r:.40}")
    return value


def _ints(values: Any, count: int) -> list[int]:
    if len(values) != count:
        raise ValueError(f"expected {count} whole numbers, got {values!r:.80}")
    return [_int(v) for v in values]


def _operation(data: Any) -> Operation:
    return Operation(
        kind=str(data["kind"]),
        inputs=tuple(_int(i) for i in data["inputs"]),
        output=_int(data["output"]),
        ints={str(k): _int(v) for k, v in data["ints"].items()},
        floats={str(k): check_type(v, "float", str(k)) for k, v in data["floats"].items()},
        tensors={str(k): str(v) for k, v in data["tensors"].items()},
        control=_int(data["control"]),
    )


def lower(graph: Graph, tensors: Mapping[str, FloatArray]) -> tuple[Program, dict[str, FloatArray]]:
    """The graph's program and every tensor it names, folded and with the constants added."""
    graph.check_tensors(tensors)
    plan = graph.plan
    lowering = _Lowering(graph, tensors)
    with np.errstate(all="ignore"):  # what is not finite is said below
        lowering.run(plan, "", 0)
    program = Program(
        tuple(lowering.buffers),
        tuple(lowering.operations),
        plan.source.buffer,
        plan.output.buffer,
        lowering.controls,
    )
    return program, lowering.used


class _Lowering:
    def __init__(self, graph: Graph, tensors: Mapping[str, FloatArray]) -> None:
        plan = graph.plan
        self.controls = tuple(c.name for c in graph.controls)
        widths = [c.channels for c in graph.constants]
        # Where each constant begins in the row of all of them.
        self.constants = {c.name: sum(widths[:i]) for i, c in enumerate(graph.constants)}
        self.tensors = tensors
        self.buffers = [Buffer(s.channels, plan.frames_per_tick(s), s.delay) for s in plan.signals]
        self.operations: list[Operation] = []
        self.used: dict[str, FloatArray] = {}

    def run(self, plan: Plan, path: str, first: int) -> None:
        """Appends the operations of a plan whose buffers begin at `first`."""
        for node in plan.nodes:
            where = join_path(path, node.path)
            operation = self.node(node, where, first)
            if isinstance(node.layer, Feedback):
                self.loop(operation, node.layer.body_plan(node.inputs[0].channels), where)
            else:
                self.operations.append(operation)

    def loop(self, operation: Operation, body: Plan, path: str) -> None:
        """A feedback, and behind it the operations of its body; their buffers hold one frame."""
        first, index = len(self.buffers), len(self.operations)
        self.operations.append(operation)
        self.buffers += [Buffer(s.channels, 1, 0) for s in body.signals]
        self.run(body, path, first)
        ints = {
            "operations": len(self.operations) - index - 1,
            "source": first + body.source.buffer,
            "result": first + body.output.buffer,
        }
        self.operations[index] = replace(operation, ints={**operation.ints, **ints})

    def node(self, node: Node, path: str, first: int) -> Operation:
        channels = node.inputs[0].channels
        kernel = node.layer.kernel(channels)
        output = first + node.output.buffer
        own = {} if isinstance(node.layer, Feedback) else node_tensors(node.layer, channels)
        folded = node.layer.fold({n: self.tensors[join_path(path, n)] for n in own})
        names: dict[str, str] = {}
        for slot, source in kernel.tensors.items():
            if isinstance(source, str):
                names[slot] = join_path(path, source)
                self.used[names[slot]] = folded[source]
            else:
                names[slot] = f"constant.{output}.{slot}"
                self.used[names[slot]] = source
            if not np.isfinite(self.used[names[slot]]).all():
                raise GraphError(
                    f"{path or node.layer.kind}: its {slot} is not finite once it is folded; "
                    "weights, statistics or sizes are out of range."
                )
        rule = node.layer.rule()
        ints = dict(kernel.ints)
        if isinstance(rule, Window):
            ints |= {"tail": rule.tail, "extra": node.extra}
        if isinstance(rule, Overlap):
            ints |= {"trim": rule.trim}
        if kernel.constant:
            ints |= {"offset": self.constants[kernel.constant]}
        return Operation(
            kernel.kind,
            tuple(first + s.buffer for s in node.inputs),
            output,
            ints,
            dict(kernel.floats),
            names,
            self.controls.index(kernel.control) if kernel.control else -1,
        )
