"""Tells of a model that cannot keep up, and of a device that does not let it."""

from __future__ import annotations

from collections.abc import Iterator

CALM_SECONDS = 1.0  # the engine tries the model again and again; only then it is over


class Overload:
    """Once for each trouble."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = 0.0

    def news(self, overloaded: bool, now: float) -> Iterator[str]:
        """What there is to say at that time, in seconds."""
        if overloaded:
            self._last = now
            if self._began is None:
                self._began = now
                yield "the model cannot keep up; it rests, and is tried again"
        elif self._began is not None and now - self._last > CALM_SECONDS:
            yield f"the model keeps up again after {self._last - self._began:.1f} s"
            self._began = None


class WorkerDelay:
    """Frames by which a worker's blocks are late: they change where a device asks for several
    blocks at once."""

    def __init__(self, delay: int, sample_rate: int) -> None:
        self._told = delay
        self._sample_rate = sample_rate

    def news(self, delay: int) -> Iterator[str]:
        ms = 1e3 * (delay - self._told) / self._sample_rate
        self._told = delay
        if ms > 0.0:
            yield (
                f"the device asks for several blocks at once; {ms:.0f} ms more latency let the "
                "model keep up"
            )
        elif ms < 0.0:
            yield f"the device asks for its blocks evenly again: {-ms:.0f} ms less latency"
