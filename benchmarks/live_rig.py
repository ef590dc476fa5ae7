"""What the rows of live.py have in common: servers, and runs that a stall may spoil."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live import test_rig
from tests.live.jack import Server, Verdict, compile_rig
from tests.live.pulse import Pulse

RATE = 48_000
TRIES = 4


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; `measured` as people read it, `details` as numbers."""

    case: str
    must: str
    goal: str = ""
    measured: str
    held: bool
    goal_held: bool | None = None
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def jack(period: int) -> Iterator[tuple[Server, Path]]:
    """A JACK server with the rig, and a folder."""
    with tempfile.TemporaryDirectory() as name:
        server = Server(compile_rig(Path(name)), period=period)
        try:
            yield server, Path(name)
        finally:
            server.stop()


@contextmanager
def pulseaudio() -> Iterator[Pulse]:
    with tempfile.TemporaryDirectory() as name:
        server = Pulse(Path(name))
        try:
            yield server
        finally:
            server.stop()


def until_calm(attempt: Callable[[], Verdict], period: int) -> list[Verdict]:
    """All attempts: again only where the rig's own clock shows that the whole machine stood still
    for half a period."""
    found = []
    for _ in range(TRIES):
        found.append(attempt())
        stalled = found[-1].stall_ms >= test_rig.STALL_PERIODS * 1e3 * period / RATE
        if found[-1].altered == 0 or not stalled:
            break
    return found


def told(verdicts: list[Verdict]) -> str:
    last, failed = verdicts[-1], verdicts[:-1]
    text = f"{last.altered} of {last.frames / 1e6:g} million"
    if failed:
        worst = max(each.stall_ms for each in failed)
        times = "once" if len(failed) == 1 else f"{len(failed)} times"
        text += f" (repeated {times}: the machine stood still for up to {worst:.0f} ms)"
    return text
