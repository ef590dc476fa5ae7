"""One line of the report of `rtaudio doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report. `advice` is a sentence; `broken` makes the exit code 1."""

    topic: str
    text: str
    advice: str = ""
    broken: bool = False
