"""64-bit ARM gives this machine's bits: shipped models, and every layer kind in every precision.

    python -m tests.neon_digest COMMAND ...

COMMAND runs build/neon/run_program, by an emulator if need be.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtaudio.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.program import Program, lower
from rtaudio.runtime.digests import pinned
from rtaudio.runtime.laws import graph_of, reference_input
from rtaudio.runtime.model import STREAM_TICKS, Model, load
from rtaudio.runtime.native import PRECISIONS, input_ranges
from rtaudio.runtime.registry import open_model, shipped_models

from .laws.catalogue import EXAMPLES, has_matrix

BLOCKS = 24  # of input for a layer: the emulator is slow


@dataclass
class Case:
    """A program to run there, and the SHA-256 of the output it must give."""

    name: str
    program: Program
    tensors: dict[str, FloatArray]
    graph: Graph
    precision: str
    x: FloatArray
    wanted: str


def shipped(name: str) -> Case:
    file, wanted = open_model(name), pinned(load(name).fingerprint())
    assert wanted, f"{name} has no pinned digest"
    x = reference_input(file.graph)
    return Case(name, file.program, file.program_tensors, file.graph, "fp32", x, wanted)


def example(name: str, precision: str) -> Case:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    tensors = graph.initial_tensors(1)
    x = reference_input(graph)[: BLOCKS * graph.plan.block + 1]
    stream = Model.from_graph(graph, tensors, name, precision).stream(channels=channels)
    y = np.concatenate([stream.push(x), stream.flush()])
    return Case(f"{name}, {precision}", *lower(graph, tensors), graph, precision, x, sha256(y))


def sha256(y: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(y, "<f4").tobytes()).hexdigest()


def words(*values: Any) -> str:
    """Values in a row; a list is its length and its items, a dict its length and its pairs."""
    out = []
    for value in values:
        if isinstance(value, dict):
            out += [str(len(value)), words(*(each for pair in value.items() for each in pair))]
        elif isinstance(value, (list, tuple)):
            out += [str(len(value)), *map(str, value)]
        else:
            out.append(str(value))
    return " ".join(out)


def text_of(case: Case) -> str:
    """What run_program reads of a case."""
    program, graph = case.program, case.graph
    lines = [words(program.input, program.output, len(program.controls), len(program.buffers))]
    lines += [words([b.channels, b.frames, b.delay]) for b in program.buffers]
    lines.append(words(len(program.operations)))
    for op in program.operations:
        maps = (dict(op.ints), dict(op.floats), dict(op.tensors))
        lines.append(words(op.kind, list(op.inputs), op.output, op.control, *maps))
    lines.append(words(len(case.tensors)))
    lines += [words(n, t.shape) for n, t in case.tensors.items()]
    precision = case.precision
    if any(each.kind == "refine" for each in program.operations) and precision == "int8":
        precision = "bf16dot"  # as Model does: the steps of diffusion add up what int8 loses
    ranges = input_ranges(program, case.tensors, graph) if precision == "int8" else {}
    lines.append(words(PRECISIONS.index(precision), ranges))
    controls = [control.to_kernel(control.default) for control in graph.controls]
    lines.append(words(controls, len(case.x), STREAM_TICKS))
    return "\n".join(lines)


def run(command: list[str], cases: list[Case]) -> list[str]:
    """The digests of the cases' outputs."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / each for each in ("programs", "floats", "output")]
        paths[0].write_text("\n".join([str(len(cases)), *map(text_of, cases)]))
        arrays = [array for case in cases for array in (*case.tensors.values(), case.x)]
        paths[1].write_bytes(b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays))
        subprocess.run([*command, *map(str, paths)], check=True)
        output = np.fromfile(paths[2], "<f4")
    digests, at = [], 0
    for case in cases:
        plan = case.graph.plan
        size = plan.output_length(len(case.x)) * plan.output.channels
        digests.append(sha256(output[at : at + size]))
        at += size
    return digests


def main() -> int:
    cases = [shipped(name) for name in shipped_models()]
    for name, (layer, channels) in EXAMPLES.items():
        precisions = PRECISIONS if has_matrix(layer, channels) else ("fp32",)
        cases += [example(name, precision) for precision in precisions]
    got = run(sys.argv[1:], cases)
    wrong = [f"{c.name}: {d}" for c, d in zip(cases, got, strict=True) if d != c.wanted]
    print("\n".join(f"FAIL  {each} on neon" for each in wrong))
    print(f"{len(cases) - len(wrong)} of {len(cases)} outputs on neon have this machine's bits")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
