"""Writes the programs that fuzz_program.cpp begins with: every layer kind, and small models.

python -m tests.fuzz.make_corpus DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from rtaudio.graph import Graph, lower
from rtaudio.models.denoiser import RtTcn, rt_tcn
from rtaudio.runtime.laws import graph_of

from ..laws.catalogue import EXAMPLES
from ..laws.random_graphs import random_graph

INDEX_FILL = 16  # kIndexFill of program_text.h
NUM_FORMATS = 5  # those of WeightFormat, and calibration
SMALL = RtTcn(
    core_bins=21,
    num_bands=6,
    complex_bins=5,
    filter_bins=5,
    channels=4,
    dilations=(1, 2),
    hidden=4,
)


def text_of(graph: Graph, precision: int) -> str:
    """The program of a graph in the words of program_text.h."""
    program, tensors = lower(graph, graph.initial_tensors())
    lines = [f"program {program.input} {program.output} {len(program.controls)}"]
    lines.append(f"precision {precision} 0")
    lines += [f"buffer {b.channels} {b.frames} {b.delay}" for b in program.buffers]
    for op in program.operations:
        lines.append(" ".join(map(str, ("op", op.kind, op.output, op.control, *op.inputs))))
        lines += [f"int {name} {value}" for name, value in op.ints.items()]
        lines += [f"float {name} {value!r}" for name, value in op.floats.items()]
        lines += [f"tensor {slot} {name}" for slot, name in op.tensors.items()]
    indices = {  # of gather: whole numbers below its input's channels
        op.tensors["index"]: INDEX_FILL + program.buffers[op.inputs[0]].channels
        for op in program.operations
        if op.kind == "gather"
    }
    for name, tensor in tensors.items():
        lines.append(" ".join(map(str, ("data", name, indices.get(name, 0), 0, *tensor.shape))))
    return "\n".join(lines) + "\n"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {name: graph_of(layer, channels) for name, (layer, channels) in EXAMPLES.items()}
    graphs |= {f"random {seed}": random_graph(seed) for seed in range(40)}
    graphs["rt-tcn"] = rt_tcn(SMALL, 8000)
    for i, (name, graph) in enumerate(graphs.items()):
        text = text_of(graph, i % NUM_FORMATS)
        (folder / name.replace(" ", "_")).write_text(text)


if __name__ == "__main__":
    main()
