"""Every CUDA kernel, on every architecture: no spills, no memory of its own beside registers, and
no more registers than its blocks can have. Reads what ptxas has said of each file (-Xptxas -v); the
command is that of the build, so that ccache answers, and one of its kind for the architectures that
the build leaves out.

    python .ci/cuda_gate.py BUILD_DIRECTORY
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import NamedTuple

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
# The most a thread may have: WaveNet's blocks are of 512 threads, all others of 256 at most.
REGISTERS = {"run_wavenet": 128}
OTHERS = 255

KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for '(?P<arch>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers",
    re.DOTALL,
)


class Kernel(NamedTuple):
    name: str
    arch: str
    stack: int
    spills: int
    registers: int

    @property
    def most_registers(self) -> int:
        return next((most for name, most in REGISTERS.items() if name in self.name), OTHERS)

    @property
    def fits(self) -> bool:
        return self.stack == 0 and self.spills == 0 and self.registers <= self.most_registers


def kernels(text: str) -> Iterator[Kernel]:
    for found in KERNEL.finditer(text):
        stack, stores, loads, registers = map(int, found.group(3, 4, 5, 6))
        yield Kernel(found["name"], found["arch"], stack, stores + loads, registers)


def ptxas_says(command: str, directory: str) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        # As Ninja has it, so that the cache knows it.
        where = rf" -MD -MT \2 -MF {scratch}/d -x cu -c \1 -o {scratch}/o"
        command = re.sub(r" -x cu -c (\S+) -o (\S+)", where, command)
        if "-Xptxas=-v" not in command:
            command += " -Xptxas=-v"  # a build without RTAUDIO_WERROR
        if which("ccache"):
            command = "ccache " + command
        done = subprocess.run(
            command, shell=True, cwd=directory, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stderr + done.stdout


def commands(built: str) -> Iterator[str]:
    yield built
    left_out = [arch[3:] for arch in ARCHITECTURES if f"{arch}]" not in built]
    if left_out:
        flags = "".join(f" '--generate-code=arch=compute_{n},code=[sm_{n}]'" for n in left_out)
        yield re.sub(r"( \S*--generate-code=\S+)+", flags, built)


def main() -> None:
    build = Path(sys.argv[1])
    entries = json.loads((build / "compile_commands.json").read_text())
    sources = [entry for entry in entries if entry["file"].endswith(".cu")]
    if not sources:
        print("this build is without CUDA: nothing to look at")
        return
    found = [
        kernel
        for entry in sources
        for command in commands(entry["command"])
        for kernel in kernels(ptxas_says(command, entry["directory"]))
    ]
    for arch in ARCHITECTURES:
        here = [kernel for kernel in found if kernel.arch == arch]
        if not here:
            sys.exit(f"no kernel was compiled for {arch}")
        print(f"{arch}: {len(here)} kernels, at most {max(k.registers for k in here)} registers")
    bad = [kernel for kernel in found if not kernel.fits]
    for kernel in bad:
        print(f"{kernel}: {kernel.most_registers} registers, no spills and no stack are allowed")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
