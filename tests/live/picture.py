"""The picture of `rtaudio live` in README: what a real terminal showed, as SVG.

python -m tests.live.picture [SVG]: a noisy recording through the rig, `rtaudio live` in a tmux of
its own, and the screen after some seconds.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from rtaudio.demo.run import shipped_recording

from .jack import Server, compile_rig, what_is_missing

COLUMNS, ROWS, SECONDS = 100, 12, 6.0
RATE, PERIOD = 48_000, 480
SVG = Path(__file__).parents[2] / "docs" / "live.svg"
# The viewer's own fonts: a picture that fetches others from elsewhere tells them who looks at it.
FORMAT = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class Terminal:
    """A tmux of its own with one command in it."""

    def __init__(self, folder: Path, columns: int, rows: int, command: str) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("new-session", "-d", *size, command)

    def _run(self, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        return subprocess.run(
            [*self._tmux, *arguments], check=True, capture_output=True, text=True, env=environment
        ).stdout

    def screen(self) -> str:
        """With its colours, as escape codes."""
        return self._run("capture-pane", "-e", "-p").rstrip()

    def type(self, keys: str) -> None:
        self._run("send-keys", keys)

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        self._run("kill-server")


def show(folder: Path) -> str:
    x, rate = soundfile.read(shipped_recording(), dtype="float32")
    np.tile(soxr.resample(x, rate, RATE), 4).tofile(folder / "in.raw")
    server = Server(compile_rig(folder), rate=RATE, period=PERIOD)
    rig = server.start_rig("file", folder / "in.raw", folder / "out.raw")
    live = [sys.executable, "-m", "rtaudio", "live", "denoise", "-i", "rig", "-o", "rig"]
    live += ["--allow-feedback", "--blocksize", str(PERIOD)]
    settings = {name: server.environment[name] for name in server.environment if "JACK" in name}
    words = ["env", *(f"{name}={value}" for name, value in settings.items()), *live]
    terminal = Terminal(folder, COLUMNS, ROWS, shlex.join(words))
    try:
        time.sleep(SECONDS)
        return terminal.screen()
    finally:
        terminal.close()
        rig.stop()
        server.stop()


def draw(screen: str) -> str:
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(screen), soft_wrap=True)
    return console.export_svg(title="rtaudio live", theme=MONOKAI, code_format=FORMAT,
                              unique_id="rtaudio-live")  # fmt: skip


def main() -> int:
    missing = what_is_missing()
    if missing:
        print(f"picture: {missing}", file=sys.stderr)
        return 1
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SVG
    with tempfile.TemporaryDirectory() as folder:
        screen = show(Path(folder))
    print(screen)
    target.parent.mkdir(exist_ok=True)
    target.write_text(draw(screen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
