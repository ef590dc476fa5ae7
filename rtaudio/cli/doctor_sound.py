"""What `rtaudio doctor` hears: does sound flow for five seconds, and how long is the round trip?"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rtaudio.cli.finding import Finding
from rtaudio.cli.terminal import own_stderr
from rtaudio.errors import DeviceError, RtaudioError

if TYPE_CHECKING:
    from rtaudio.live.loopback import Loopback

TEST_SECONDS = 5.0
LONGEST_MS = 60.0  # of a round trip; above it one hears oneself
LOUD_DB = -0.5
NAMES = {
    "late_calls": "late blocks",
    "input_overflows": "lost inputs",
    "input_underflows": "missing inputs",
    "output_underflows": "missing outputs",
    "output_overflows": "lost outputs",
    "odd_calls": "blocks of a wrong size",
    "stalls": "stalls",
}
GLITCH_ADVICE = (
    "Sound was lost: give rtaudio live a larger --blocksize or --latency high, close busy "
    "programs, and see to real-time priority."
)


def glitch_test() -> Iterator[Finding]:
    """The default devices for five seconds: a wire, but mute, so that nothing can whistle."""
    from rtaudio.live import Live, LiveConfig

    topic = "glitch test"
    try:
        live = Live(None, LiveConfig(allow_feedback=True))
        live.mute = True
        with own_stderr() as (terminal, _), live:
            print(f"listening to {live.input.name} for {TEST_SECONDS:g} s; nothing is played...",
                  file=terminal, flush=True)  # fmt: skip
            until = time.monotonic() + TEST_SECONDS
            while time.monotonic() < until and live.state != "lost":
                time.sleep(0.1)
            stats = live.stats()
    except RtaudioError as error:
        yield Finding(topic=topic, text="not possible", advice=f"{error}")
        return
    where = f"{live.input.name} > {live.output.name}, {live.sample_rate} Hz, blocks of {live.block}"
    if stats.seconds < 0.5 * TEST_SECONDS:
        yield Finding(
            topic=topic,
            text=f"{where}: {stats.seconds:.1f} s of sound came in {TEST_SECONDS:g} s",
            advice="The device opens but no sound flows: another program may hold it; restart the "
            "sound server.",
        )
        return
    late = stats.counts.get("late_calls", 0)
    yield Finding(
        topic=topic,
        text=f"{where}: {stats.glitches} glitches in {stats.seconds:.1f} s{_counted(stats.counts)}",
        advice=GLITCH_ADVICE if stats.glitches or late else "",
    )


def loopback_test(names: tuple[str, str]) -> Iterator[Finding]:
    """Raises DeviceError for names that fit nothing: those the user has given."""
    from rtaudio.live.devices import find_device
    from rtaudio.live.loopback import TEST_SECONDS as SECONDS
    from rtaudio.live.loopback import measure

    heard, played = find_device(names[0], "input"), find_device(names[1], "output")
    try:
        with own_stderr() as (terminal, _):
            print(f"playing noise on {played.name} and listening to {heard.name} for "
                  f"{SECONDS + 1:g} s...", file=terminal, flush=True)  # fmt: skip
            found = measure((heard, played))
    except DeviceError as error:
        yield Finding(topic="round trip", text="not measured", advice=f"{error}")
        return
    yield from describe(found, f"{played.name} > {heard.name}")


def describe(found: Loopback, where: str) -> Iterator[Finding]:
    rate = found.sample_rate
    echo = found.echo
    if echo is None:
        level = (
            "silence" if found.heard_peak_db <= -100 else f"{found.heard_peak_db:.0f} dB at most"
        )
        yield Finding(
            topic="round trip",
            text=f"{where}: nothing of the noise came back (heard: {level})",
            advice="Connect the output to the input by a cable, or hold the microphone to the "
            "speaker, and turn both up.",
        )
        return
    milliseconds = 1e3 * echo.round_trip / rate
    driver = ""
    if found.driver_seconds is not None:
        driver = f"; the driver says {1e3 * found.driver_seconds:.1f} ms"
    yield Finding(
        topic="round trip",
        text=f"{where}: {milliseconds:.1f} ms, {echo.round_trip} samples at {rate} Hz in blocks "
        f"of {found.block}{driver}",
        advice="The round trip is long: try rtaudio live with a smaller --blocksize, or a host "
        "API that is closer to the card (rtaudio devices)."
        if milliseconds > LONGEST_MS
        else "",
    )
    drift = f", the clocks drift by {echo.drift_ppm:.0f} ppm" if abs(echo.drift_ppm) >= 5 else ""
    clipped = found.heard_peak_db > LOUD_DB
    glitches = max(echo.glitches, found.counted_glitches)
    advice = [GLITCH_ADVICE] if glitches else []
    advice += ["The input clips: turn it down."] if clipped else []
    yield Finding(
        topic="glitch test",
        text=f"{glitches} glitches in {found.seconds:g} s (gain {_gain(echo.gain_db)} dB{drift})"
        f"{_counted(found.counts)}",
        advice=" ".join(advice),
    )


def _gain(decibels: float) -> str:
    rounded = math.floor(10.0 * decibels + 0.5) / 10.0
    return f"{rounded + 0.0:.1f}"  # no -0.0


def _counted(counts: Mapping[str, int]) -> str:
    parts = [f"{counts[key]} {name}" for key, name in NAMES.items() if counts.get(key)]
    return f": {', '.join(parts)}" if parts else ""
