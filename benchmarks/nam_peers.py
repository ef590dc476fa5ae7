"""A guitar-amp WaveNet in our engine and in others written in C++, in turns, one sample's time.

    python benchmarks/nam_peers.py FILE.nam OURS NAME=COMMAND ... [--level v3] [--json FILE]

OURS is benchmarks/peers/nam_rtaudio.cpp, linked with librtaudio_engine.a; the other drivers there
want their engines' sources and get FILE.nam after their COMMAND. All print the same lines. An
engine whose output has another energy computes another network; tanh is approximated by some.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rtaudio.bench.denoise import SCHEMA
from rtaudio.bench.hardware import describe_machine
from rtaudio.runtime.registry import open_model
from tests.neon_digest import words

ROUNDS = 5
LINE = re.compile(r"block (\d+) us ([\d.]+) energy ([\d.]+)")
SAME_ENERGY = 0.01


def write_program(file: Path, folder: Path) -> list[str]:
    """The program and the floats that nam_rtaudio reads."""
    model = open_model(str(file))
    program = model.program
    buffers = [[b.channels, b.frames, b.delay] for b in program.buffers]
    operations = [
        [*map(words, (op.kind, list(op.inputs), op.output, op.control))]
        + [words(dict(each)) for each in (op.ints, op.floats, op.tensors)]
        for op in program.operations
    ]
    tensors = {n: np.ascontiguousarray(t, "<f4") for n, t in model.program_tensors.items()}
    controls = [each.to_kernel(each.default) for each in model.graph.controls]
    lines = [words(program.input, program.output, len(program.controls), len(buffers))]
    lines += [words(each) for each in buffers]
    lines += [str(len(operations)), *(" ".join(each) for each in operations), str(len(tensors))]
    lines += [words(n, t.shape) for n, t in tensors.items()]
    lines.append(words(controls, 0, 64))
    (folder / "program").write_text("\n".join(lines))
    (folder / "floats").write_bytes(b"".join(t.tobytes() for t in tensors.values()))
    return [str(folder / "program"), str(folder / "floats")]


def run(command: list[str], level: str) -> dict[int, tuple[float, float]]:
    """us a sample and energy of each block size."""
    told = subprocess.run(
        command,
        env=os.environ | {"RTAUDIO_CPU_ISA": level},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {int(b): (float(us), float(e)) for b, us, e in LINE.findall(told.stdout)}
    if not found:
        raise SystemExit(f"{command[0]} printed no line of times")
    return found


def measure(commands: dict[str, list[str]], level: str) -> dict[str, dict[str, float]]:
    """Medians over turns."""
    times: dict[str, dict[int, list[float]]] = {name: {} for name in commands}
    energies = {}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            for block, (us, energy) in run(command, level).items():
                times[name].setdefault(block, []).append(us)
                energies[name] = energy
    for name, energy in energies.items():
        if abs(energy / energies["rtaudio"] - 1) > SAME_ENERGY:
            raise SystemExit(f"{name} computes another network: energy {energy}")
    return {
        name: {str(block): round(median(us), 4) for block, us in each.items()}
        for name, each in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("ours")
    parser.add_argument("peers", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--level", default="v3")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {"rtaudio": [args.ours, *write_program(args.file, Path(folder))]}
        for each in args.peers:
            name, _, command = each.partition("=")
            commands[name] = [*command.split(), str(args.file)]
        times = measure(commands, args.level)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": "nam-peers",
        "model": "nam-standard",
        "precision": "fp32",
        "isa": args.level,
        "threads": 1,
        "sample_rate": 48_000,
        "us_per_sample": times,
        "machine": describe_machine(),
    }
    for name, each in times.items():
        print(f"{name:16s}", *(f"block {block}: {us:.3f} us" for block, us in each.items()))
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
