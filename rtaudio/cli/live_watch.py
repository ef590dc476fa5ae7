"""What `rtaudio live` does while the sound runs: shows it, obeys keys, and ends in time."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, TextIO

from rtaudio.cli.interrupt import Interrupt
from rtaudio.cli.keys import Keys
from rtaudio.cli.live_status import Display
from rtaudio.cli.main import DEVICE_LOST, DONE, INTERRUPTED

if TYPE_CHECKING:
    from rtaudio.live import Event, Live, Stats

AMOUNT_STEP_DB = 3.0
MOST_DB = 60.0  # from here on: no limit
POLL_SECONDS = 0.1
STATS_SECONDS = 1.0
SILENT_SECONDS = 2.0
END_SECONDS = 0.6  # after Ctrl-C; the process's own end takes a moment too

# Two seconds of exact zeros are no quiet room: something keeps the microphone from us.
SILENT_ADVICE = {
    "darwin": "allow this terminal in System Settings > Privacy & Security > Microphone, then "
    "start it and rtaudio again",
    "win32": "switch on Settings > Privacy & security > Microphone > Let desktop apps access your "
    "microphone",
    "linux": "it may be muted, or another one is meant (rtaudio devices, and -i)",
}


def silence_sentence(platform: str) -> str:
    advice = SILENT_ADVICE.get(platform, SILENT_ADVICE["linux"])
    return f"nothing but zeros comes from the microphone: {advice}"


class Silence:
    """Notices, once, that the input is digital silence."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._told = False

    def __call__(self, stats: Stats, now: float) -> bool:
        from rtaudio.live.stats import FLOOR_DB

        if stats.state != "running" or stats.input_peak_db > FLOOR_DB:
            self._since = None
            self._told = self._told and stats.input_peak_db <= FLOOR_DB
            return False
        if self._since is None:
            self._since = now
        if self._told or now - self._since < SILENT_SECONDS:
            return False
        self._told = True
        return True


@dataclass
class StatsWriter:
    """A line of JSON each second. A full disk ends it, not the sound."""

    file: IO[str] | None
    name: str = ""
    _written: float = field(default=-math.inf, init=False)

    def __call__(self, stats: Stats, now: float, display: Display, *, last: bool) -> None:
        if self.file is None or (not last and now - self._written < STATS_SECONDS - 0.01):
            return
        self._written = now
        try:
            self.file.write(json.dumps(stats.as_json()) + "\n")
            self.file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            display.say(f"rtaudio live: --stats-json {self.name} ends here: "
                        f"{(error.strerror or str(error)).lower()}")  # fmt: skip
            self.file = None


@dataclass
class Watch:
    """Until the user, the time or the device ends it."""

    live: Live
    display: Display
    keys: Keys
    interrupt: Interrupt
    args: argparse.Namespace
    write_stats: StatsWriter
    events: list[Event]
    repair: Callable[[], None] | None  # makes the virtual device again after a server's restart
    _silence: Silence = field(default_factory=Silence, init=False)
    _recording_error: str = field(default="", init=False)

    def run(self) -> int:
        live, display = self.live, self.display
        began, shown = time.monotonic(), -math.inf
        while not self.interrupt():
            for key in self.keys.pressed(min(POLL_SECONDS, display.period_seconds)):
                if key in "qQ\x04":
                    return DONE
                self._obey(key)
            self._tell()
            now = time.monotonic()
            ended = self.args.duration is not None and now - began >= self.args.duration
            if now - shown >= display.period_seconds - 0.01 or ended:
                shown = now
                stats = live.stats()
                display.show(stats)
                self.write_stats(stats, now, display, last=ended)
                # Nobody may speak for long on the other side of a speaker.
                if not self.args.virtual_speaker and self._silence(stats, now):
                    display.say(f"rtaudio live: {silence_sentence(sys.platform)}")
            if live.state == "lost":
                return DEVICE_LOST
            if ended:
                return DONE
        return INTERRUPTED

    def _tell(self) -> None:
        while self.events:
            event = self.events.pop(0)
            if event.text != self.live.reason_lost:  # said at the end
                self.display.say(f"rtaudio live: {event.text}")
            if self.repair is not None and self.live.state == "reconnecting":
                threading.Thread(target=self.repair, daemon=True).start()
        error = self.live.recording_error
        if error != self._recording_error:
            self._recording_error = error
            self.display.say(f"rtaudio live: {error}; the sound goes on")

    def _obey(self, key: str) -> None:
        live = self.live
        if key == " ":
            live.bypass = not live.bypass
        elif key == "m":
            live.mute = not live.mute
        elif key == "r":
            live.reset()
        elif key in "+=-" and live.has_attenuation_limit:
            limit = live.attenuation_limit_db
            step = -AMOUNT_STEP_DB if key == "-" else AMOUNT_STEP_DB
            value = max(0.0, min(MOST_DB, MOST_DB if limit is None else limit) + step)
            live.attenuation_limit_db = math.inf if value >= MOST_DB else value
            self.display.amount = amount(live)


def amount(live: Live) -> str:
    """Of noise that may be removed, to be shown; empty where there is no such control."""
    if not live.has_attenuation_limit:
        return ""
    limit = live.attenuation_limit_db
    return "no limit" if limit is None or not limit < MOST_DB else f"{limit:g} dB"


@contextlib.contextmanager
def ending_in_time(
    interrupt: Interrupt, put_back: Callable[[], None], terminal: TextIO
) -> Iterator[None]:
    """Ctrl-C ends within a second even where a sound server, a disk or a pipe holds us.

    `put_back`: what must not stay behind; it may not wait for anything.
    """
    ended = threading.Event()

    def watch() -> None:
        interrupt.wait()
        if ended.wait(END_SECONDS):
            return
        try:
            put_back()
            # Closed where the main thread has come that far meanwhile; then stderr is itself again.
            number = 2 if terminal.closed else terminal.fileno()
            os.write(number, b"rtaudio live: ended; something did not answer in time\n")
        finally:
            os._exit(INTERRUPTED)

    threading.Thread(target=watch, name="rtaudio-end", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
