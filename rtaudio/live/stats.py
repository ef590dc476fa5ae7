"""What the engine counted and measured, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rtaudio import _native

FLOOR_DB = -120.0
# Each is heard, or was about to be.
GLITCH_COUNTERS = (
    "input_overflows",
    "input_underflows",
    "output_underflows",
    "output_overflows",
    "missed_blocks",
    "bad_model_blocks",
    "odd_calls",
    "clock_slips",
)


def decibels(amplitude: float) -> float:
    """20 log10, but never below -120 dB."""
    return max(FLOOR_DB, 20.0 * math.log10(amplitude)) if amplitude > 0.0 else FLOOR_DB


@dataclass(frozen=True, kw_only=True)
class Stats:
    """One look at a running Live. Levels and loads are those since the look before.

    Levels in dB of full scale; loads as shares of a block's time; latency parts in ms. `drift_ppm`:
    by how much the input's clock is faster than the output's; None where they are one. `state` is
    Live.state, or while the model cannot keep up "overload" (the untouched sound is heard) or
    "fallback".
    """

    state: str
    seconds: float
    input_peak_db: float
    input_rms_db: float
    output_peak_db: float
    output_rms_db: float
    load_p50: float
    load_p99: float
    load_worst: float
    latency_ms: dict[str, float]
    bypass: bool
    mute: bool
    placement: str
    glitches: int
    counts: dict[str, int]
    drift_ppm: float | None = None

    @property
    def total_latency_ms(self) -> float:
        return sum(self.latency_ms.values())

    @property
    def reduction_db(self) -> float:
        """How much quieter the output is than the input."""
        return max(0.0, self.input_rms_db - self.output_rms_db)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "total_latency_ms": self.total_latency_ms,
            "reduction_db": self.reduction_db,
        }


def percentile(counts: Sequence[int], share: float) -> float:
    """The load that `share` of the blocks stay at or below, to within a class's width."""
    wanted = share * sum(counts)
    below = 0
    for count, upper in zip(counts, _native.live_load_classes(), strict=True):
        below += count
        if count and below >= wanted:
            return upper
    return 0.0


class Looks:
    """The differences between one snapshot of the engine and the next."""

    def __init__(self) -> None:
        self._last: Mapping[str, Any] = {}

    def grown(self, now: Mapping[str, Any], counter: str) -> int:
        return int(now[counter]) - int(self._last.get(counter, 0))

    def since_last(self, now: Mapping[str, Any]) -> dict[str, Any]:
        frames = now["frames"] - self._last.get("frames", 0)
        loads = now["model_load_counts"] or now["load_counts"]
        before = self._last.get("model_load_counts") or self._last.get("load_counts")
        recent = [a - b for a, b in zip(loads, before or [0] * len(loads), strict=True)]
        found = {
            "load_p50": percentile(recent, 0.50),
            "load_p99": percentile(recent, 0.99),
            "load_worst": max(now["load_worst"], now["model_load_worst"]),
        }
        for side in ("input", "output"):
            squares = now[f"{side}_squares"] - self._last.get(f"{side}_squares", 0.0)
            rms = math.sqrt(max(0.0, squares) / frames) if frames else 0.0
            found[f"{side}_rms_db"] = decibels(rms)
            found[f"{side}_peak_db"] = decibels(now[f"{side}_peak"])
        self._last = now
        return found


def counts_of(snapshot: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in snapshot.items() if type(value) is int}


def glitches_of(snapshot: Mapping[str, Any]) -> int:
    return sum(int(snapshot[name]) for name in GLITCH_COUNTERS)
