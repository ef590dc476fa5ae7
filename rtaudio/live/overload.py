"""Tells of a model that cannot keep up, once for each trouble."""

from __future__ import annotations

from collections.abc import Iterator

CALM_SECONDS = 1.0  # the engine tries the model again and again; only then it is over


class Overload:
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
