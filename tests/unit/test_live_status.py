"""What `rtaudio live` shows and does while it runs, without a sound card."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import subprocess
import sys
import termios
from argparse import Namespace
from types import SimpleNamespace

import pytest
from rich.text import Text

from rtaudio.cli.interrupt import Interrupt
from rtaudio.cli.keys import Keys
from rtaudio.cli.live_status import Display, PeakHold, status_line
from rtaudio.cli.live_watch import Silence, StatsWriter, Watch, silence_sentence
from rtaudio.cli.main import DEVICE_LOST, DONE, INTERRUPTED
from rtaudio.cli.terminal import Screen
from rtaudio.live import Event, Stats


def stats(**changes: object) -> Stats:
    values: dict[str, object] = {
        "state": "running",
        "seconds": 61.0,
        "input_peak_db": -3.0,
        "input_rms_db": -20.0,
        "output_peak_db": -9.0,
        "output_rms_db": -32.0,
        "load_p50": 0.01,
        "load_p99": 0.04,
        "load_worst": 0.1,
        "latency_ms": {"input buffer": 5.0, "model": 10.0, "worker": 0.0, "output buffer": 5.0},
        "bypass": False,
        "mute": False,
        "placement": "inline",
        "glitches": 0,
        "counts": {},
    }
    return Stats(**(values | changes))  # type: ignore[arg-type]


def test_the_plain_line_says_it_all():
    line = status_line(stats(bypass=True, glitches=2))
    for part in ("61.0 s", "running, bypass", "in  -20.0 dB", "out  -32.0 dB", "latency 20.0 ms"):
        assert part in line
    assert "glitches 2" in line


@pytest.fixture
def terminal(monkeypatch):
    """A terminal that is not there: (screen, file, a function that resizes it)."""
    file = io.StringIO()
    size = SimpleNamespace(columns=80)
    monkeypatch.setattr(file, "fileno", lambda: 9, raising=False)
    monkeypatch.setattr(file, "isatty", lambda: True)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((size.columns, 24)))
    monkeypatch.setenv("TERM", "xterm-256color")
    return file, size


def display_on(file, **options) -> Display:
    return Display(file, "denoise  48 kHz", "12 dB", **({"quiet": False, "keys": True} | options))


@pytest.mark.parametrize("width", [30, 40, 60, 80, 140])
def test_the_status_fits_its_terminal(width, terminal):
    display = display_on(terminal[0])
    shown = stats(glitches=3, state="overload", bypass=True, input_peak_db=0.0)
    text = display._panel(shown, width, 100.0).plain
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "overload, bypass" in lines[0]
    flowing = " ".join(text.split())
    for part in (
        "reduction -12 dB",
        "amount 12 dB",
        "load 1.0 % p99 4.0 %",
        "glitches 3, last 0 s ago",
        "latency 20.0 ms = input buffer 5.0 + model 10.0 + output buffer 5.0",
        "space A/B + - amount m mute r reset q quit",
        "clip",
    ):
        assert part in flowing
    assert ("peak" in text) == (width >= 60)


def test_without_keys_and_amount_they_are_not_shown(terminal):
    display = Display(terminal[0], "wire", "", quiet=False, keys=False)
    text = display._panel(stats(), 80, 100.0).plain
    assert "amount" not in text
    assert "quit" not in text


def test_a_dumb_terminal_and_a_pipe_get_plain_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with display_on(terminal[0]) as display:
        display.show(stats())
        display.show(stats(seconds=62.0))
        display.say("the \x1b[31mdevice\n is gone")
    lines = terminal[0].getvalue().splitlines()
    assert lines[0] == "latency 20.0 ms = input buffer 5.0 + model 10.0 + output buffer 5.0"
    assert lines[1:3] == [status_line(stats()), status_line(stats(seconds=62.0))]
    assert lines[3] == "the \\x1b[31mdevice\\n is gone"
    assert "\x1b" not in terminal[0].getvalue()
    assert max(map(len, lines)) <= 140


def test_quiet_shows_events_alone(terminal):
    with display_on(terminal[0], quiet=True) as display:
        display.show(stats())
        display.say("an event")
    assert terminal[0].getvalue() == "an event\n"


def test_no_color_means_no_color(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with display_on(terminal[0]) as display:
        display.show(stats(glitches=1))
    codes = set(terminal[0].getvalue().split("\x1b[")[1:])
    assert not [code for code in codes if code.startswith(("3", "4", "9", "1;3", "38"))]


def test_a_narrower_terminal_is_drawn_over_completely(terminal):
    file, size = terminal
    screen = Screen(file)
    screen.draw(Text("x" * 80 + "\n" + "y" * 30))
    file.truncate(0)
    size.columns = 40  # the terminal itself has wrapped the first line
    screen.draw(Text("short"))
    assert "\x1b[3A" in file.getvalue()
    file.truncate(0)
    screen.close()
    assert "\x1b[1A" in file.getvalue()
    assert file.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_a_line_is_cut_where_a_terminal_is_very_narrow(terminal):
    file, size = terminal
    size.columns = 10
    Screen(file).draw(Text("a" * 30))
    assert "a" * 9 + "\N{HORIZONTAL ELLIPSIS}" in file.getvalue()
    assert "a" * 10 not in file.getvalue()


def test_peaks_are_held_for_a_while():
    hold = PeakHold()
    assert hold(-10.0, 0.0) == -10.0
    assert hold(-30.0, 1.0) == -10.0
    assert hold(-30.0, 1.6) == -30.0
    assert hold(-5.0, 1.7) == -5.0


class FakeLive:
    """What Watch needs of a Live."""

    def __init__(self) -> None:
        self.state, self.bypass, self.mute = "running", False, False
        self.attenuation_limit_db: float | None = None
        self.has_attenuation_limit = True
        self.recording_error = self.reason_lost = ""
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def stats(self) -> Stats:
        return stats(state=self.state)


class Typed:
    """Keys that are pressed one after the other; then `at_end` happens."""

    def __init__(self, keys: str, at_end=lambda: None) -> None:
        self._keys, self._at_end = list(keys), at_end

    def pressed(self, seconds: float) -> str:
        if not self._keys:
            self._at_end()
            return ""
        return self._keys.pop(0)


def watch(
    keys: Typed, live: FakeLive, interrupt: Interrupt, **changes
) -> tuple[Watch, io.StringIO]:
    said = io.StringIO()
    values = {
        "live": live,
        "display": Display(said, "denoise", "no limit", quiet=True, keys=True),
        "keys": keys,
        "interrupt": interrupt,
        "args": Namespace(duration=None, virtual_speaker=False),
        "write_stats": StatsWriter(None),
        "events": [],
        "repair": None,
    }
    return Watch(**(values | changes)), said


def test_keys_do_what_they_say():
    live, interrupt = FakeLive(), Interrupt()
    looked = watch(Typed(" m-", interrupt.set), live, interrupt)[0]
    assert looked.run() == INTERRUPTED
    assert (live.bypass, live.mute, live.attenuation_limit_db) == (True, True, 57.0)
    assert looked.display.amount == "57 dB"
    looked = watch(Typed(" mr+x-" + 30 * "-" + "q"), live, interrupt=Interrupt())[0]
    assert looked.run() == DONE
    assert (live.bypass, live.mute, live.resets) == (False, False, 1)
    assert live.attenuation_limit_db == 0.0


def test_a_lost_device_ends_it_and_events_are_said():
    live, interrupt = FakeLive(), Interrupt()

    def lose() -> None:
        live.state, live.recording_error = "lost", "the recording ends early: full"

    looked, said = watch(Typed("", lose), live, interrupt, events=[Event(time=0.0, text="it went")])
    assert looked.run() == DEVICE_LOST
    lines = said.getvalue().splitlines()
    assert lines == [
        "rtaudio live: it went",
        "rtaudio live: the recording ends early: full; the sound goes on",
    ]


def test_two_seconds_of_zeros_are_told_once_and_again_after_sound():
    silence = Silence()
    zeros, quiet = stats(input_peak_db=-120.0), stats(input_peak_db=-100.0)
    assert [silence(zeros, t) for t in (0.0, 1.0, 2.0, 3.0, 9.0)] == [0, 0, 1, 0, 0]
    assert not silence(quiet, 10.0)
    assert [silence(zeros, t) for t in (11.0, 12.0, 13.0)] == [0, 0, 1]
    stalled = stats(state="stalled", input_peak_db=-120.0)
    fresh = Silence()
    assert not any(fresh(stalled, t) for t in (0.0, 2.0, 4.0))


def test_the_advice_about_zeros_is_the_systems():
    assert "Privacy & Security > Microphone" in silence_sentence("darwin")
    assert "Let desktop apps" in silence_sentence("win32")
    assert "muted" in silence_sentence("linux")
    assert "muted" in silence_sentence("freebsd14")


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_sound_goes_on_where_the_disk_is_full():
    said = io.StringIO()
    display = Display(said, "wire", "", quiet=True, keys=False)
    write = StatsWriter(FullDisk(), "stats.json")
    write(stats(), 0.0, display, last=False)
    write(stats(), 5.0, display, last=False)
    assert said.getvalue() == (
        "rtaudio live: --stats-json stats.json ends here: no space left on device\n"
    )


def test_stats_are_written_each_second_and_at_the_end():
    file = io.StringIO()
    display = Display(io.StringIO(), "wire", "", quiet=True, keys=False)
    write = StatsWriter(file, "-")
    for now, last in ((0.0, False), (0.5, False), (1.0, False), (1.2, True)):
        write(stats(seconds=now), now, display, last=last)
    assert [json.loads(line)["seconds"] for line in file.getvalue().splitlines()] == [0.0, 1.0, 1.2]


OWN = """
import os, sys
from rtaudio.cli.terminal import own_stderr
with own_stderr() as (file, kept):
    os.write(2, b"ALSA lib: noise\\n")
    print("our line", file=file, flush=True)
    os.write(2, b"JACK: more noise\\n")
print("after", *kept, sep="|", file=sys.stderr)
"""


def test_what_drivers_print_is_kept_from_the_terminal():
    done = subprocess.run([sys.executable, "-c", OWN], capture_output=True, text=True, check=True)
    assert done.stderr == "our line\nafter|ALSA lib: noise|JACK: more noise\n"


FLOOD = """
import os
from rtaudio.cli.terminal import own_stderr
with own_stderr() as (file, kept):
    for _ in range(5000):
        try:
            os.write(2, 99 * b"x" + b"\\n")
        except BlockingIOError:
            pass
"""


def test_a_flood_of_driver_noise_blocks_nobody():
    subprocess.run([sys.executable, "-c", FLOOD], check=True, timeout=60)


HANG = """
import os, signal, sys, time
from rtaudio.cli.interrupt import catch_interrupts
from rtaudio.cli.live_watch import ending_in_time
with catch_interrupts() as interrupt:
    with ending_in_time(interrupt, lambda: print("put back", flush=True), sys.stderr):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
"""


def test_what_hangs_is_left_behind():
    done = subprocess.run(
        [sys.executable, "-c", HANG], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == INTERRUPTED
    assert done.stdout == "put back\n"
    assert done.stderr == "rtaudio live: ended; something did not answer in time\n"


def test_the_terminal_is_put_back(monkeypatch):
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    with os.fdopen(follower) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with Keys() as keys:
            assert keys.open
            assert termios.tcgetattr(follower) != before
            os.write(leader, b"q")
            assert keys.pressed(5.0) == "q"
        assert termios.tcgetattr(follower) == before
    os.close(leader)
