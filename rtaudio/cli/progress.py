"""What a long command shows: a bar on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import sys
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING

from rtaudio.cli.main import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def fancy(text: str, plain: str) -> str:
    """`text` where stderr can show it."""
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return text


class Reporter:
    """Lines and bars for one or several recordings; safe to call from several threads."""

    def __init__(self, who: str, *, quiet: bool, num_files: int) -> None:
        self._who = who
        self._quiet = quiet
        self._num_files = num_files
        self._progress: Progress | None = None
        self._total: TaskID | None = None

    def __enter__(self) -> Reporter:
        if self._quiet or not sys.stderr.isatty():
            return self
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            # Not to the edge: the terminal's ^C would wrap, and a line of the bar stay behind.
            BarColumn(26, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._progress.start()
        if self._num_files > 1:
            self._total = self._progress.add_task(self._count(0), total=self._num_files)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _count(self, done: int) -> str:
        return f"{done}/{self._num_files} files"

    def begin(self, name: str, frames: int | None) -> Bar:
        if self._progress is None:
            return Bar(None, None)
        label = visible(PurePath(name).name)
        label = label if len(label) <= 32 else f"{label[:14]}...{label[-15:]}"
        return Bar(self._progress, self._progress.add_task(label, total=frames or None))

    def finished_one(self) -> None:
        if self._progress is not None and self._total is not None:
            self._progress.advance(self._total)
            done = int(self._progress.tasks[0].completed)
            self._progress.update(self._total, description=self._count(done))

    def say(self, line: str) -> None:
        """A result; not shown with --quiet."""
        if not self._quiet:
            self._write(line)

    def warn(self, sentence: str) -> None:
        self._write(f"{self._who}: warning: {sentence}")

    def error(self, sentence: str) -> None:
        self._write(f"{self._who}: {' '.join(sentence.split()).rstrip('.')}")

    def _write(self, line: str) -> None:
        encoding = sys.stderr.encoding or "utf-8"
        line = visible(line).encode(encoding, "backslashreplace").decode(encoding)
        if self._progress is not None:
            self._progress.console.print(line, markup=False, soft_wrap=True)
        else:
            sys.stderr.write(f"{line}\n")


class Bar:
    """The bar of one recording, gone when it is done."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, frames: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=frames)

    def close(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.remove_task(self._task)
