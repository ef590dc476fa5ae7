"""Keeps a stream alive: notices silence, closes with a deadline, opens again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from rtaudio.errors import RtaudioError
from rtaudio.live.portaudio import refresh, renew

LOOK_SECONDS = 0.05
STALL_PERIODS, STALL_SECONDS = 10, 0.25
REOPEN_SECONDS = 2.0  # of silence, though the stream says that it runs
FIRST_BEAT_SECONDS = 3.0  # an idle sound server takes its time to begin
CLOSE_SECONDS = 1.0
MANY_STALLS = 3  # a busy machine and too small a buffer
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 0.5


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, as a sentence."""

    time: float
    text: str


class OpenStream(Protocol):
    """What the supervisor needs of a stream."""

    @property
    def active(self) -> bool: ...
    @property
    def latency_seconds(self) -> tuple[float, float] | None: ...
    def close(self, seconds: float) -> bool: ...


class Supervisor:
    """Opens a stream and looks after it from a thread of its own.

    `open_stream(again)` opens and starts one, or raises RtaudioError; `heartbeat` is any number
    that grows while sound flows. A device that is silent is reopened, with growing pauses, until
    `give_up_seconds` have passed: then the state is "lost". `news` says what else has happened
    since it was asked last.
    """

    def __init__(
        self,
        *,
        open_stream: Callable[[bool], OpenStream],
        heartbeat: Callable[[], int],
        period_seconds: float,
        give_up_seconds: float,
        on_event: Callable[[Event], None] | None = None,
        refresh_devices: Callable[[], None] = refresh,
        renew_portaudio: Callable[[], None] = renew,
        news: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._open_stream = open_stream
        self._heartbeat = heartbeat
        self._stall_seconds = max(STALL_PERIODS * period_seconds, STALL_SECONDS)
        self._give_up_seconds = give_up_seconds
        self._on_event = on_event
        self._refresh = refresh_devices
        self._renew = renew_portaudio
        self._news = news
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._stream: OpenStream | None = None
        self.state = "stopped"
        self.reason = ""  # why the state is "lost"
        self.events: list[Event] = []
        self.counts = {"stalls": 0, "reconnections": 0}

    @property
    def device_latency(self) -> tuple[float, float] | None:
        stream = self._stream
        return stream.latency_seconds if stream is not None else None

    def start(self) -> None:
        """The first opening is the caller's: its errors are raised here."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._stream = self._open_stream(False)
        self.state = "running"
        self._thread = threading.Thread(target=self._watch, name="rtaudio-supervisor", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Closes the stream; leaves it alone if it does not close within `seconds`."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds / 2)
            self._thread = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(seconds)
        if self.state != "lost":
            self.state = "stopped"

    def _note(self, text: str) -> None:
        event = Event(time=time.time(), text=text)
        self.events = [*self.events[-99:], event]
        if self._on_event is not None:
            with contextlib.suppress(Exception):
                self._on_event(event)

    def _watch(self) -> None:
        beat, beat_at = self._heartbeat(), time.monotonic()
        patience = FIRST_BEAT_SECONDS
        while not self._stopping.wait(LOOK_SECONDS):
            now = time.monotonic()
            for text in self._news():
                self._note(text)
            if self._heartbeat() != beat:
                if self.state == "stalled":
                    self._note(f"the sound flows again after {now - beat_at:.1f} s")
                self.state = "running"
                beat, beat_at, patience = self._heartbeat(), now, 0.0
                continue
            silent = now - beat_at
            ended = self._stream is not None and not self._stream.active
            stall = self._stall_seconds + patience
            if silent > stall and self.state == "running":
                self.state = "stalled"
                self.counts["stalls"] += 1
                self._note("the device went silent")
                if self.counts["stalls"] == MANY_STALLS:
                    self._note("the device goes silent again and again; give it more time: "
                               "--latency 0.2")  # fmt: skip
            if (ended and silent > self._stall_seconds / 2) or silent > REOPEN_SECONDS + patience:
                if not self._reconnect(beat_at):
                    return
                beat, beat_at = self._heartbeat(), time.monotonic()
                patience = FIRST_BEAT_SECONDS

    def _reconnect(self, silent_since: float) -> bool:
        """False where it was in vain, or the user wants to stop."""
        self.state = "reconnecting"
        self._note("the device is gone; opening it again")
        stream, self._stream = self._stream, None
        hangs = stream is not None and not stream.close(CLOSE_SECONDS)
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.wait(wait):
            try:
                if hangs:
                    self._renew()
                    hangs = False
                self._refresh()
                self._stream = self._open_stream(True)
            except RtaudioError as error:
                away = time.monotonic() - silent_since
                if away > self._give_up_seconds:
                    return self._lose(f"gone for {away:.0f} s: {str(error).rstrip('.')}")
                wait = min(2.0 * wait, LONGEST_WAIT_SECONDS)
                continue
            if self._stopping.is_set():
                return False
            self.counts["reconnections"] += 1
            self.state = "running"
            self._note(f"back after {time.monotonic() - silent_since:.1f} s")
            return True
        return False

    def _lose(self, reason: str) -> bool:
        self.reason = reason
        self.state = "lost"
        self._note(f"the device is lost: {reason}")
        return False
