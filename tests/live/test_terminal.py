"""`rtaudio live` in a shell with job control: Ctrl-Z gives the terminal back, fg takes it again."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .playing import rig_on

LIVE = f"{sys.executable} -m rtaudio live wire -i rig -o rig --allow-feedback"
CURSOR_OFF, CURSOR_ON = b"\x1b[?25l", b"\x1b[?25h"


class Shell:
    """`sh` on a terminal of its own. It leaves the terminal's modes to its programs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(
                "/bin/sh", ["sh", "-i"], environment | {"PS1": "", "ENV": "", "TERM": "xterm"}
            )

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_until(self, wanted: bytes) -> bytes:
        """What is shown from now on, up to that."""
        shown, until = b"", time.monotonic() + 30.0
        while wanted not in shown:
            assert time.monotonic() < until, shown[-2000:]
            if select.select([self._terminal], [], [], 1.0)[0]:
                shown += os.read(self._terminal, 65536)
        return shown

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self.pid, 0)


@contextmanager
def shell(environment: dict[str, str]) -> Iterator[Shell]:
    opened = Shell(environment)
    try:
        yield opened
    finally:
        opened.close()


def test_control_z_and_fg(serve):
    server = serve(period=480)
    with rig_on(server, "counter", 10**9), shell(server.environment) as sh:
        sh.type(LIVE + "\n")
        sh.read_until(b"space A/B")
        sh.type("\x1a")
        assert CURSOR_ON in sh.read_until(b"Stopped")
        sh.type("stty -a; echo d''one\n")
        modes = sh.read_until(b"done").split()
        assert b"icanon" in modes
        assert b"echo" in modes
        sh.type("fg\n")
        assert CURSOR_OFF in sh.read_until(b"space A/B")
        sh.type(" ")
        sh.read_until(b"bypass")
        sh.type("q")
        sh.read_until(CURSOR_ON)
        sh.type("echo code $?\n")
        sh.read_until(b"code 0")


def test_it_may_begin_in_the_background(serve):
    """Who changes the terminal there is stopped by the system."""
    server = serve(period=480)
    with rig_on(server, "counter", 10**9), shell(server.environment) as sh:
        sh.type(LIVE + " &\n")
        sh.read_until(b"running")
        sh.type("fg\n")
        time.sleep(0.5)
        sh.type("q")
        sh.read_until(CURSOR_ON)
        sh.type("echo code $?\n")
        sh.read_until(b"code 0")
