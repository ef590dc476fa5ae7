"""Time and memory of `import rtaudio` and loading a model, beyond importing NumPy."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from rtaudio.bench.hardware import describe_machine
from rtaudio.runtime.model import load

# Memory is the resident set at its largest, in KiB on Linux and in bytes on macOS.
_PROGRAM = """
import json, sys, time
unit = 1 if sys.platform == "darwin" else 1024
import resource
def memory(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
import numpy
clock, base = time.perf_counter(), memory()
import rtaudio
model = rtaudio.load(sys.argv[1])
loaded = time.perf_counter() - clock
rate, width = model.native_rate(48000), model.graph.input.channels
with model.stream(rate, width) as stream:
    stream.push(numpy.zeros((model.graph_at(rate).plan.block, width), numpy.float32))
first = time.perf_counter() - clock
heavy = [n for n in ("torch", "soundfile", "scipy", "matplotlib", "rich") if n in sys.modules]
print(json.dumps([loaded, first, memory() - base, heavy]))
"""


def run_startup(model: str, repeats: int = 7) -> dict[str, Any]:
    """Medians over fresh processes; the files are warm after the first, which is left out.

    Raises ModelFileError where there is no such model.
    """
    load(model)  # what is wrong with it is told from here
    # As installed: with byte code, whatever a developer's environment says.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    runs = []
    for _ in range(repeats + 1):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, model],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        runs.append(json.loads(done.stdout))
    loaded, first, memory, _ = zip(*runs[1:], strict=True)
    return {
        "schema": 1,
        "kind": "startup",
        "model": model,
        "load_ms": round(1e3 * statistics.median(loaded), 1),
        "first_block_ms": round(1e3 * statistics.median(first), 1),
        "memory_mb": round(statistics.median(memory) / 1e6, 1),
        "heavy_imports": runs[-1][3],
        "machine": describe_machine(),
    }
