"""What `rtaudio live` shows: a few lines that stay in place, or one line a second."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from rtaudio.cli.main import visible
from rtaudio.cli.progress import fancy
from rtaudio.cli.terminal import Screen

if TYPE_CHECKING:
    from rich.text import Text

    from rtaudio.live import Stats

LOWEST_DB = -60.0
HOLD_SECONDS = 1.5
WIDE = 56  # from here on the peak stands beside its bar in full
LONGEST_BAR = 60
HIGH_LOAD = 0.7
PARTS_MS = 1.0  # a change of the latency that is worth another line
COLORS = {"running": "green", "overload": "yellow", "fallback": "yellow"}  # of states; red: others
KEYS = ("space A/B", "+ - amount", "m mute", "r reset", "q quit")


def status_line(stats: Stats) -> str:
    """One plain line: for logs and pipes."""
    parts = [
        f"{stats.seconds:8.1f} s",
        state_of(stats),
        f"in {stats.input_rms_db:6.1f} dB peak {stats.input_peak_db:6.1f}",
        f"out {stats.output_rms_db:6.1f} dB peak {stats.output_peak_db:6.1f}",
        f"reduction {stats.reduction_db:.0f} dB",
        f"load {100 * stats.load_p50:.1f}/{100 * stats.load_p99:.1f} %",
        f"latency {stats.total_latency_ms:.1f} ms",
        f"glitches {stats.glitches}",
    ]
    return "  ".join(parts)


def state_of(stats: Stats) -> str:
    return ", ".join([stats.state] + ["bypass"] * stats.bypass + ["mute"] * stats.mute)


def latency_parts(latency_ms: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.1f}" for name, value in latency_ms.items() if value >= 0.05]


class PeakHold:
    """The highest level of the last moments."""

    def __init__(self) -> None:
        self._value, self._until = LOWEST_DB, 0.0

    def __call__(self, level: float, now: float) -> float:
        if level >= self._value or now >= self._until:
            self._value, self._until = level, now + HOLD_SECONDS
        return self._value


class Display:
    """Shows Stats on `file`, ten times a second where that is a terminal."""

    def __init__(self, file: TextIO, title: str, amount: str, *, quiet: bool, keys: bool) -> None:
        self._file = file
        self._title = title
        self.amount = amount
        self._keys = keys
        self._quiet = quiet
        fancy_terminal = file.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._screen = Screen(file) if fancy_terminal and not quiet else None
        self._holds = {"in": PeakHold(), "out": PeakHold()}
        self._glitches = (0, 0.0)  # how many, and when the last one was seen
        self._told_latency = 0.0
        self.period_seconds = 0.1 if self._screen else 1.0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The terminal is as it was."""
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def pause(self) -> None:
        """The terminal is another program's, until go_on()."""
        if self._screen is not None:
            self._screen.close()

    def go_on(self) -> None:
        if self._screen is not None:
            self._screen.open()

    def say(self, line: str) -> None:
        """An event; it stays above the status."""
        if self._screen is not None:
            self._screen.say(visible(line))
        else:
            self._file.write(visible(line) + "\n")
            self._file.flush()

    def show(self, stats: Stats) -> None:
        if self._screen is not None:
            self._screen.draw(self._panel(stats, self._screen.width, time.monotonic()))
        elif not self._quiet:
            if abs(stats.total_latency_ms - self._told_latency) >= PARTS_MS:
                self._told_latency = stats.total_latency_ms
                parts = " + ".join(latency_parts(stats.latency_ms))
                self.say(f"latency {stats.total_latency_ms:.1f} ms = {parts}")
            self.say(status_line(stats))

    def _panel(self, stats: Stats, width: int, now: float) -> Text:
        from rich.text import Text

        if stats.glitches > self._glitches[0]:
            self._glitches = (stats.glitches, now)
        color = COLORS.get(stats.state, "red")
        minutes, seconds = divmod(int(stats.seconds), 60)
        state = Text.assemble((fancy("● ", "* "), color), (state_of(stats), f"bold {color}"))
        load = f"load {100 * stats.load_p50:.1f} % p99 {100 * stats.load_p99:.1f} %"
        since = f", last {now - self._glitches[1]:.0f} s ago" if stats.glitches else ""
        reduction = f"-{stats.reduction_db:.0f} dB" if stats.reduction_db >= 0.5 else "0 dB"
        figures = [
            *([] if stats.mute else [Text(f"reduction {reduction:<6}")]),
            *([Text(f"amount {self.amount}")] if self.amount else []),
            Text(load, "yellow" if stats.load_p99 > HIGH_LOAD else ""),
            Text(f"glitches {stats.glitches}{since}", "red" if stats.glitches else ""),
        ]
        parts = [Text(f"latency {stats.total_latency_ms:.1f} ms")]
        signs = ["=", *["+"] * len(stats.latency_ms)]
        parts += [
            Text(f"{sign} {part}", "dim")
            for sign, part in zip(signs, latency_parts(stats.latency_ms), strict=False)
        ]
        rows = [
            *_flow([state, Text(self._title), Text(f"{minutes}:{seconds:02d}")], width, "  "),
            self._level("in", stats.input_rms_db, stats.input_peak_db, width, now),
            self._level("out", stats.output_rms_db, stats.output_peak_db, width, now),
            *_flow(figures, width, "   "),
            *_flow(parts, width, " "),
            *_flow([Text(key, "dim") for key in KEYS] if self._keys else [], width, "   "),
        ]
        return Text("\n").join(rows)

    def _level(self, name: str, rms: float, peak: float, width: int, now: float) -> Text:
        from rich.text import Text

        held = self._holds[name](peak, now)
        clipped = held >= -0.1
        rms, held = max(-99.0, rms), max(-99.0, held)
        full = f" {rms:5.1f} dB  peak {held:5.1f} "
        numbers = full if width >= WIDE else f" {rms:3.0f} dB "
        length = max(4, min(LONGEST_BAR, width - 4 - len(numbers) - 4))

        def cell(value: float) -> int:
            return round(length * (min(0.0, max(LOWEST_DB, value)) - LOWEST_DB) / -LOWEST_DB)

        level, mark = cell(rms), min(length - 1, cell(held))
        block, empty, tick = fancy("█", "#"), fancy("·", "."), fancy("│", "|")
        text = Text(f"{name:<4}")
        for i in range(length):
            color = "red" if i >= cell(-3.0) else "yellow" if i >= cell(-12.0) else "green"
            if i == mark and held > LOWEST_DB:
                text.append(tick, f"bold {color}")
            else:
                text.append(block if i < level else empty, color if i < level else "dim")
        text.append(numbers)
        text.append("clip" if clipped else "", "bold red")
        return text


def _flow(items: Iterable[Text], width: int, space: str) -> list[Text]:
    """Side by side as far as there is room, then on the next row."""
    rows: list[Text] = []
    for item in items:
        if rows and rows[-1].cell_len + len(space) + item.cell_len <= width:
            rows[-1].append(space).append_text(item)
        else:
            rows.append(item)
    return rows
