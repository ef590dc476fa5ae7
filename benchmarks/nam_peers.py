"""A guitar-amp WaveNet in our engine and in others written in C++, in turns, one sample's time.

    python -m benchmarks.nam_peers FILE.nam OURS NAME=COMMAND ... [--level v3] [--json FILE]

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
from tests.neon_digest import Case, text_of

ROUNDS = 5
BLOCKS = (1, 16, 64)
LINE = re.compile(r"block +(\d+): median ([\d.]+) .* pass ([\d.]+)\)")
SAME_ENERGY = 0.01


def write_program(file: Path, folder: Path) -> list[str]:
    """The program and the floats that nam_rtaudio reads."""
    model = open_model(str(file))
    tensors, silence = model.program_tensors, np.zeros((0, 1), np.float32)
    case = Case(file.name, model.program, tensors, model.graph, "fp32", silence, "")
    (folder / "program").write_text(text_of(case))
    floats = [np.ascontiguousarray(each, "<f4").tobytes() for each in tensors.values()]
    (folder / "floats").write_bytes(b"".join(floats))
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
    if not all(block in found for block in BLOCKS):
        raise SystemExit(f"{command[0]} printed no line of times for blocks of {BLOCKS}")
    return {block: found[block] for block in BLOCKS}


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
    parser = argparse.ArgumentParser(description="An amplifier's WaveNet beside C++ engines.")
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
