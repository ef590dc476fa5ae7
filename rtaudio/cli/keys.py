"""Single keys from a terminal, without Enter."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


class Keys:
    """While open, pressed() gives what was typed; nothing where stdin is no terminal. The terminal
    is put back whatever happens."""

    def __init__(self) -> None:
        self._saved: Any = None
        self._fd = -1

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def __enter__(self) -> Keys:
        try:
            import termios
            import tty

            if sys.stdin.isatty():
                fd = sys.stdin.fileno()
                self._saved = termios.tcgetattr(fd)
                tty.setcbreak(fd)
                self._fd = fd
        except (ImportError, OSError, ValueError, AttributeError):
            self._fd = -1  # Windows, or no stdin: no keys
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The terminal is as it was."""
        if self._fd >= 0:
            import termios

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)

    def pressed(self, seconds: float) -> str:
        """Waits at most so long for a key; "" where there was none."""
        import os
        import select
        import time

        if self._fd < 0:
            time.sleep(seconds)
            return ""
        if not select.select([self._fd], [], [], seconds)[0]:
            return ""
        typed = os.read(self._fd, 64)
        if not typed:  # the terminal has gone
            self._fd = -1
        return typed.decode("ascii", "ignore")
