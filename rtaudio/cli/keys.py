"""Single keys from a terminal, without Enter."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any


class Keys:
    """While open, pressed() gives what was typed; nothing where stdin is no terminal. The terminal
    is put back whatever happens: for Ctrl-Z too, and taken again by `fg`.

    `on_stop` and `on_continue` are called around that, in the thread that calls pressed().
    """

    def __init__(self) -> None:
        self._saved: Any = None
        self._fd = -1
        self._before: dict[int, Any] = {}  # handlers of signals
        self._stop_wanted = self._was_continued = False
        self.on_stop: Callable[[], None] = lambda: None
        self.on_continue: Callable[[], None] = lambda: None

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def __enter__(self) -> Keys:
        try:
            import termios

            if sys.stdin.isatty():
                self._fd = sys.stdin.fileno()
                self._saved = termios.tcgetattr(self._fd)
                self._take()
                self._watch_signals()
        except (ImportError, OSError, ValueError, AttributeError):
            self._fd = -1  # Windows, or no stdin: no keys
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        self.close()

    def close(self) -> None:
        """The terminal is as it was."""
        if self._fd >= 0 and self._in_foreground():
            import termios

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)

    def pressed(self, seconds: float) -> str:
        """Waits at most so long for a key; "" where there was none."""
        import select

        if self._stop_wanted:
            self._stop()
        if self._was_continued:
            self._was_continued = False
            self._take()
            self.on_continue()
        # Who reads in the background is stopped.
        if self._fd < 0 or not self._in_foreground():
            time.sleep(seconds)
            return ""
        if not select.select([self._fd], [], [], seconds)[0]:
            return ""
        typed = os.read(self._fd, 64)
        if not typed:  # the terminal has gone
            self._fd = -1
        return typed.decode("ascii", "ignore")

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not our terminal
            return True

    def _take(self) -> None:
        import termios
        import tty

        if self._in_foreground():  # who changes a terminal in the background is stopped
            with contextlib.suppress(termios.error, OSError):
                tty.setcbreak(self._fd)

    def _watch_signals(self) -> None:
        """What they ask for is done in pressed(): a handler may come in the midst of a write."""

        def note_stop(_number: int, _frame: FrameType | None) -> None:
            self._stop_wanted = True

        def note_continue(_number: int, _frame: FrameType | None) -> None:
            self._was_continued = True

        with contextlib.suppress(ValueError):  # only the main thread may
            for number, note in ((signal.SIGTSTP, note_stop), (signal.SIGCONT, note_continue)):
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:  # a shell without job control
                    signal.signal(number, note)
                    self._before[number] = before

    def _stop(self) -> None:
        """As Ctrl-Z would without us; it goes on from here."""
        self._stop_wanted = False
        self.on_stop()
        self.close()
        note = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, note)
        self._was_continued = True
