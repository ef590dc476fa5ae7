"""stderr as a place that this program alone writes to, and lines on it that stay where they are."""

from __future__ import annotations

import collections
import contextlib
import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.text import Text

MOST_LINES = 200  # that are kept of what drivers print


@contextlib.contextmanager
def own_stderr() -> Iterator[tuple[TextIO, collections.deque[str]]]:
    """stderr as it was, and the last lines of what anybody else prints there meanwhile.

    ALSA, JACK and PortAudio print past Python, from any of their threads and at any time: that
    would tear the status line apart, and lines of ours would be lost while it is silenced.
    """
    kept: collections.deque[str] = collections.deque(maxlen=MOST_LINES)
    if os.name != "posix":
        yield sys.stderr, kept
        return
    sys.stderr.flush()
    saved = os.dup(2)
    read_end, write_end = os.pipe()
    # Who prints from an audio thread must never wait for the reader.
    os.set_blocking(write_end, False)
    os.dup2(write_end, 2)
    os.close(write_end)
    reader = threading.Thread(target=_keep, args=(read_end, kept), daemon=True)
    reader.start()
    encoding = sys.stderr.encoding or "utf-8"
    ours = open(os.dup(saved), "w", encoding=encoding, errors="backslashreplace")  # noqa: PTH123, SIM115
    try:
        yield ours, kept
    finally:
        with contextlib.suppress(OSError, ValueError):
            ours.close()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        reader.join(0.1)  # its end of the pipe is the last, unless a child has the other


def _keep(read_end: int, kept: collections.deque[str]) -> None:
    with open(read_end, encoding="utf-8", errors="replace") as pipe:
        for line in pipe:
            kept.append(line.rstrip())


class Screen:
    """Some lines at the bottom of a terminal, drawn again and again; others scroll above them.

    Unlike rich.live it counts its rows anew when the terminal has become narrower.
    """

    def __init__(self, file: IO[str]) -> None:
        from rich.console import Console

        self._file = file
        self._console = Console(file=file, highlight=False, force_terminal=True)
        self._widths: list[int] = []  # of the lines that are drawn
        self.open()

    def open(self) -> None:
        """Also after close()."""
        self._write("\x1b[?25l")  # no cursor

    @property
    def width(self) -> int:
        try:
            columns = os.get_terminal_size(self._file.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return columns or 80  # a terminal that says 0 does not know

    def draw(self, text: Text) -> None:
        width = self.width
        lines = text.split("\n", allow_blank=True)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        back = self._back(width)
        self._widths = [line.cell_len for line in lines]
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line, soft_wrap=True, end="\x1b[K\n")
        # Over what was there, in one piece: nothing flickers.
        self._write(back + capture.get() + "\x1b[J")

    def say(self, line: str) -> None:
        """Above the drawn lines, which come back with the next drawing."""
        width = self.width
        back, self._widths = self._back(width), []
        rows = textwrap.wrap(line, width, break_on_hyphens=False)
        self._write(back + "".join(f"{row}\x1b[K\n" for row in rows) + "\x1b[J")

    def close(self) -> None:
        """The terminal is as it was."""
        self._write(self._back(self.width) + "\x1b[J\x1b[?25h")
        self._widths = []

    def _back(self, width: int) -> str:
        """To the first of the drawn lines; those that no longer fit take several rows."""
        rows = sum(max(1, -(-cells // width)) for cells in self._widths)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()
