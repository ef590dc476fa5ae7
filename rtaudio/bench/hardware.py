"""What this machine can do at best on one thread: multiply-adds and weight reads a second.

Both are measured natively, at the level in use: sums that stay in registers, and reads of as many
bytes as the weights have, over and over, hot as they are in a stream. A block cannot be faster than
the slower of the two: its floor.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtaudio import _native

COMMON_LEVEL = "v3"  # what most users' processors are
_SECONDS = 0.2


@dataclass(frozen=True)
class Peak:
    """Of one thread."""

    macs_per_second: float
    bytes_per_second: float

    def floor_seconds(self, macs: float, weight_bytes: float) -> float:
        """The time that these multiply-adds and one read of the weights take at best."""
        return max(macs / self.macs_per_second, weight_bytes / self.bytes_per_second)


def measure_peak(precision: str, weight_bytes: int) -> Peak:
    """With a precision's own products, and as many bytes of weights as given."""
    return Peak(
        _native.measure_multiply_adds(precision, _SECONDS),
        _native.measure_reads(weight_bytes, _SECONDS),
    )


def device_name(device: str) -> str:
    """What a device is called in results."""
    return str(_native.query_cuda().devices[0].name) if device.startswith("cuda") else device


def device_peak(device: str, precision: str, weight_bytes: int) -> Peak | None:
    """Of one thread, or of a whole GPU, where torch is there to measure it."""
    if device == "cpu":
        return measure_peak(precision, weight_bytes)
    if not device.startswith("cuda") or importlib.util.find_spec("torch") is None:
        return None
    from rtaudio.bench.torch_peers import measure_torch_peak

    return measure_torch_peak(precision, "cuda")


def floors(peak: Peak | None, macs: float, num_bytes: float, per: float = 1.0) -> dict[str, Any]:
    """The keys of a result that say what these multiply-adds and bytes take at best, a `per`-th of
    it; none where the peak is not known."""
    if peak is None:
        return {}
    return {
        "floor_us": round(peak.floor_seconds(macs, num_bytes) * 1e6 / per, 4),
        "peak": {
            "gmacs": round(peak.macs_per_second / 1e9, 1),
            "weight_gbytes_per_second": round(peak.bytes_per_second / 1e9, 1),
        },
    }


@contextmanager
def at_level(level: str) -> Iterator[None]:
    """Streams that are opened inside run at this level."""
    before = os.environ.get("RTAUDIO_CPU_ISA")
    os.environ["RTAUDIO_CPU_ISA"] = level
    try:
        yield
    finally:
        if before is None:
            del os.environ["RTAUDIO_CPU_ISA"]
        else:
            os.environ["RTAUDIO_CPU_ISA"] = before


def lower_level(level: str) -> str | None:
    """What figures of a level are compared with: v3 for those above it."""
    return COMMON_LEVEL if level in ("v4", "v4x") else None


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
