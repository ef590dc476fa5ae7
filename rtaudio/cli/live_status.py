"""What `rtaudio live` shows: a few lines that stay in place, or one line a second."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rtaudio.cli.progress import fancy

if TYPE_CHECKING:
    from rich.live import Live as Screen
    from rich.text import Text

    from rtaudio.live import Stats

LOWEST_DB = -60.0
HOLD_SECONDS = 1.5
NARROW, WIDE = 72, 96
KEYS = "space A/B   + - amount   m mute   r reset   q quit"


def status_line(stats: Stats) -> str:
    """One plain line: for logs and pipes."""
    parts = [
        f"{stats.seconds:8.1f} s",
        stats.state + (", bypass" if stats.bypass else "") + (", mute" if stats.mute else ""),
        f"in {stats.input_rms_db:6.1f} dB",
        f"out {stats.output_rms_db:6.1f} dB",
        f"load {100 * stats.load_p50:.1f}/{100 * stats.load_p99:.1f} %",
        f"latency {stats.total_latency_ms:.1f} ms",
        f"glitches {stats.glitches}",
    ]
    return "  ".join(parts)


class PeakHold:
    """The highest level of the last moments."""

    def __init__(self) -> None:
        self._value, self._until = LOWEST_DB, 0.0

    def __call__(self, level: float, now: float) -> float:
        if level >= self._value or now >= self._until:
            self._value, self._until = level, now + HOLD_SECONDS
        return self._value


class Display:
    """Shows Stats on stderr, ten times a second where that is a terminal."""

    def __init__(self, title: str, amount: str, *, quiet: bool, keys: bool) -> None:
        self._title = title
        self.amount = amount
        self._keys = keys
        self._quiet = quiet
        self._fancy = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not quiet
        self._screen: Screen | None = None
        self._holds = {"in": PeakHold(), "out": PeakHold()}
        self._glitches = (0, 0.0)  # how many, and when the last one was seen
        self.period_seconds = 0.1 if self._fancy else 1.0

    def __enter__(self) -> Display:
        if self._fancy:
            from rich.console import Console
            from rich.live import Live as Screen

            console = Console(stderr=True, highlight=False)
            self._screen = Screen(console=console, auto_refresh=False, transient=True)
            self._screen.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    def say(self, line: str) -> None:
        """An event; it stays above the status."""
        if self._screen is not None:
            self._screen.console.print(line, markup=False, soft_wrap=True)
        else:
            encoding = sys.stderr.encoding or "utf-8"
            sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def show(self, stats: Stats) -> None:
        if self._screen is not None:
            width = self._screen.console.width
            self._screen.update(self._panel(stats, width, time.monotonic()), refresh=True)
        elif not self._quiet:
            self.say(status_line(stats))

    def _panel(self, stats: Stats, width: int, now: float) -> Text:
        from rich.text import Text

        if stats.glitches > self._glitches[0]:
            self._glitches = (stats.glitches, now)
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        color = {"running": "green", "overload": "yellow"}.get(stats.state, "red")
        state = [stats.state] + ["bypass"] * stats.bypass + ["mute"] * stats.mute
        text.append(fancy("● ", "* "), color)
        text.append(", ".join(state), f"bold {color}")
        minutes, seconds = divmod(int(stats.seconds), 60)
        text.append(f"  {self._title}  {minutes}:{seconds:02d}\n")
        bar = max(10, min(50, width - 28))
        self._append_level(text, "in", stats.input_rms_db, stats.input_peak_db, bar, now)
        self._append_level(text, "out", stats.output_rms_db, stats.output_peak_db, bar, now)
        reduction = f"-{stats.reduction_db:.0f} dB" if stats.reduction_db >= 0.5 else "0 dB"
        text.append(f"reduction {reduction:>7}")
        text.append(f"   amount {self.amount}   " if self.amount else "   ")
        load = f"load {100 * stats.load_p50:.1f} % p99 {100 * stats.load_p99:.1f} %"
        text.append(load, "yellow" if stats.load_p99 > 0.7 else "")
        text.append("   " if width >= WIDE else "\n")
        since = f", last {now - self._glitches[1]:.0f} s ago" if stats.glitches else ""
        text.append(f"glitches {stats.glitches}{since}\n", "red" if stats.glitches else "")
        parts = fancy(" + ", " + ").join(
            f"{name} {value:.1f}" for name, value in stats.latency_ms.items() if value >= 0.05
        )
        text.append(f"latency {stats.total_latency_ms:.1f} ms")
        text.append(f" = {parts}\n" if parts and width >= NARROW else "\n", "dim")
        if self._keys:
            text.append(KEYS if width >= NARROW else "space A/B + - m r q", "dim")
        return text

    def _append_level(
        self, text: Text, name: str, rms: float, peak: float, width: int, now: float
    ) -> None:
        def cell(level: float) -> int:
            return round(width * (min(0.0, max(LOWEST_DB, level)) - LOWEST_DB) / -LOWEST_DB)

        held = self._holds[name](peak, now)
        full, mark = cell(rms), min(width - 1, cell(held))
        block, empty, tick = fancy("█", "#"), fancy("·", "."), fancy("│", "|")
        text.append(f"{name:<4}")
        for i in range(width):
            color = "red" if i >= cell(-3.0) else "yellow" if i >= cell(-12.0) else "green"
            if i == mark and held > LOWEST_DB:
                text.append(tick, f"bold {color}")
            else:
                text.append(block if i < full else empty, color if i < full else "dim")
        clipped = "  clip" if held >= -0.1 else ""
        text.append(f" {max(-99.0, rms):6.1f} dB peak {max(-99.0, held):6.1f}")
        text.append(f"{clipped}\n", "bold red")
