"""What this machine can do at best on one thread: multiply-adds and weight reads a second.

The multiply-adds are measured with NumPy's own BLAS on a 512 x 512 product, in a process of its
own so that it runs on one thread and at the wanted level. The reads are matrix-vector products,
each way round, with a matrix as large as the weights, hot as they are in a stream. A block cannot
be faster than the slower of the two: its floor.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# OpenBLAS calls the levels after processors.
_CORE_OF_LEVEL = {"v2": "Nehalem", "v3": "Haswell", "v4": "SkylakeX", "v4x": "SkylakeX"}

_PROBE = """
import sys, time
import numpy as np
def best(run, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        before = time.perf_counter(); run(); times.append(time.perf_counter() - before)
    return min(times)
a = np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)
out = np.empty_like(a)
multiply = best(lambda: np.matmul(a, a, out=out), 0.5)
side = max(32, round((int(sys.argv[1]) / 4) ** 0.5))
weights, x = np.ones((side, side), np.float32), np.ones(side, np.float32)
y = np.empty_like(x)
read = min(best(lambda m=m: np.matmul(m, x, out=y), 0.3) for m in (weights, weights.T))
print(512**3 / multiply, weights.nbytes / read)
"""


@dataclass(frozen=True)
class Peak:
    """Of one thread."""

    macs_per_second: float
    bytes_per_second: float

    def floor_seconds(self, macs: float, weight_bytes: float) -> float:
        """The time that these multiply-adds and one read of the weights take at best."""
        return max(macs / self.macs_per_second, weight_bytes / self.bytes_per_second)


def measure_peak(level: str, weight_bytes: int) -> Peak:
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    if level in _CORE_OF_LEVEL:
        environment["OPENBLAS_CORETYPE"] = _CORE_OF_LEVEL[level]
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, str(weight_bytes)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    macs, read = map(float, done.stdout.split())
    return Peak(macs, read)


def describe_machine() -> dict[str, str | int]:
    """What a figure belongs to; no name of the host."""
    machine: dict[str, str | int] = {
        "cpu": cpu_name(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    # An audio thread has real-time priority; a figure taken with it says so (chrt -f 50 ...).
    if hasattr(os, "sched_getscheduler"):
        policies = {getattr(os, "SCHED_FIFO", -1): "fifo", getattr(os, "SCHED_RR", -2): "rr"}
        policy = policies.get(os.sched_getscheduler(0))
        if policy is not None:
            machine["scheduler"] = f"{policy} {os.sched_getparam(0).sched_priority}"
    return machine


def cpu_name() -> str:
    """The processor's own name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
