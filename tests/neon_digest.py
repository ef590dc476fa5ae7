"""Shipped models on 64-bit ARM: the digests must be the pinned ones, as on every machine.

    python tests/neon_digest.py COMMAND ...

COMMAND runs build/neon/run_program, by an emulator if need be.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rtaudio.runtime.digests import pinned
from rtaudio.runtime.laws import reference_input
from rtaudio.runtime.model import STREAM_TICKS, load
from rtaudio.runtime.registry import open_model, shipped_models


def words(*values: Any) -> str:
    """Values in a row; a list is its length and its items, a dict its length and its pairs."""
    out = []
    for value in values:
        if isinstance(value, dict):
            value = [len(value), *(each for pair in value.items() for each in pair)]
            out += map(str, value)
        elif isinstance(value, (list, tuple)):
            out += [str(len(value)), *map(str, value)]
        else:
            out.append(str(value))
    return " ".join(out)


def digest(command: list[str], name: str) -> str:
    file = open_model(name)
    program, graph = file.program, file.graph
    x = reference_input(graph)
    lines = [words(program.input, program.output, len(program.controls), len(program.buffers))]
    lines += [words([b.channels, b.frames, b.delay]) for b in program.buffers]
    lines.append(words(len(program.operations)))
    for op in program.operations:
        maps = (dict(op.ints), dict(op.floats), dict(op.tensors))
        lines.append(words(op.kind, list(op.inputs), op.output, op.control, *maps))
    tensors = {n: np.ascontiguousarray(t, "<f4") for n, t in file.program_tensors.items()}
    lines.append(words(len(tensors)))
    lines += [words(n, t.shape) for n, t in tensors.items()]
    controls = [control.to_kernel(control.default) for control in graph.controls]
    lines.append(words(controls, len(x), STREAM_TICKS))
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / each for each in ("program", "floats", "output")]
        paths[0].write_text("\n".join(lines))
        paths[1].write_bytes(b"".join(t.tobytes() for t in [*tensors.values(), x.astype("<f4")]))
        subprocess.run([*command, *map(str, paths)], check=True)
        return hashlib.sha256(paths[2].read_bytes()).hexdigest()


def main() -> int:
    wrong = 0
    for name in shipped_models():
        got, wanted = digest(sys.argv[1:], name), pinned(load(name).fingerprint())
        print(f"{'pass' if got == wanted else 'FAIL'}  {name} on neon: {got}")
        wrong += got != wanted
    return wrong


if __name__ == "__main__":
    sys.exit(main())
