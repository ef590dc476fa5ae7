"""Live on the rig in a process of its own, and the rig."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .jack import Rig, Server
from .pulse import Pulse

PATIENCE_SECONDS = 120.0
PLAY = Path(__file__).with_name("play.py")


def python(
    environment: Mapping[str, str], *arguments: object, preload: Path | None = None, **options: Any
) -> subprocess.Popen[str]:
    """A Python process; `preload`: a library that stands before all others."""
    command = [sys.executable, *[str(each) for each in arguments]]
    extra = {} if preload is None else {"LD_PRELOAD": str(preload)}
    return subprocess.Popen(command, env={**environment, **extra}, text=True, **options)


class Player:
    """play.py at work: stats() and sleep() while it runs, finish() to end it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def _ask(self, order: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def stats(self) -> dict[str, Any]:
        return self._ask("stats")

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first counters that fulfil it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition(stats := self.stats()):
            assert time.monotonic() < until, stats
            time.sleep(0.01)
        return stats

    def sleep(self, seconds: float) -> dict[str, Any]:
        """The model sleeps for so long twice a block from now on."""
        return self._ask(f"sleep {seconds}")

    def finish(self) -> dict[str, Any]:
        """Its last counters."""
        out, _ = self.process.communicate("", timeout=PATIENCE_SECONDS)
        found: dict[str, Any] = json.loads(out)
        return found


@contextlib.contextmanager
def playing(
    server: Server | Pulse, model: str, *busy: str, preload: Path | None = None, **config: Any
) -> Iterator[Player]:
    """`busy`: what keeps Python's threads at work beside it. `config`: LiveConfig's."""
    process = python(
        server.environment, PLAY, json.dumps(config), model, *busy,
        preload=preload, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "playing"
        yield Player(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def rig_on(server: Server, *arguments: object) -> Iterator[Rig]:
    rig = server.start_rig(*arguments)
    try:
        yield rig
    finally:
        rig.stop()
