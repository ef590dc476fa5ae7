"""Ctrl-C and SIGTERM end the work between two blocks, so that no output is left half-written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether the user asked to stop. Read by every worker between blocks."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()

    def wait(self) -> None:
        self._event.wait()


@contextmanager
def catch_interrupts() -> Iterator[Interrupt]:
    """The first signal is noted; a second one raises KeyboardInterrupt wherever the program is.

    An exception at a random place could fall between making a temporary file and noting its name.
    """
    interrupt = Interrupt()

    def note(_number: int, _frame: FrameType | None) -> None:
        if interrupt():
            raise KeyboardInterrupt
        interrupt.set()

    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    # nohup and `&` in a script ask to ignore some of them; that wish stands.
    caught = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, note)
    try:
        yield interrupt
    finally:
        for number in caught:
            signal.signal(number, before[number])
