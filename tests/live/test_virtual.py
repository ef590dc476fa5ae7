"""The virtual microphone on a real PulseAudio: made, found again, repaired, removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rtaudio.cli.main import main

from .test_faults import ON_PULSE, PATIENCE_SECONDS, check_end, flows
from .test_faults import command as command
from .test_faults import pulse as pulse


@pytest.fixture
def call(pulse, capsys, monkeypatch):
    """Runs `rtaudio virtual-mic` against the private server: exit code and what it said."""
    for name, value in pulse.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["virtual-mic", *arguments])
        return code, capsys.readouterr().out

    return run


def sources(pulse) -> str:
    return pulse.pactl("list", "short", "sources")


def players(pulse) -> list[str]:
    return pulse.pactl("list", "short", "sink-inputs").splitlines()


def test_it_is_made_once_found_repaired_and_removed(pulse, call):
    before = pulse.pactl("list", "short", "modules")
    assert call("status") == (1, "it is not there\n")
    code, out = call("start")
    assert code == 0
    assert out.startswith("made: choose the microphone 'rtaudio-mic'")
    assert "rtaudio_mic\t" in sources(pulse)
    modules = pulse.pactl("list", "short", "modules")
    code, out = call("start")
    assert code == 0
    assert out.startswith("it was there already")
    assert pulse.pactl("list", "short", "modules") == modules
    assert call("status")[0] == 0
    # A crash in between left half of it.
    pulse.pactl("unload-module", "module-remap-source")
    assert call("status") == (1, "half of it is there; start repairs it\n")
    assert call("start")[1].startswith("made")
    assert "rtaudio_mic\t" in sources(pulse)
    assert call("stop") == (0, "removed\n")
    assert call("stop") == (0, "there was nothing to remove\n")
    assert pulse.pactl("list", "short", "modules") == before


def test_without_a_sound_server_it_is_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "virtual-mic", "start"],
        env=os.environ | {"PULSE_SERVER": f"unix:{tmp_path}/nowhere", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("rtaudio virtual-mic: ")
    assert done.stderr.count("\n") == 1


def test_live_makes_it_plays_into_it_and_removes_it(pulse, command):
    before = pulse.pactl("list", "short", "modules")
    live = command(pulse.environment, "denoise", *ON_PULSE[:2], "--virtual-mic", *ON_PULSE[4:])
    live.stats_when(flows)
    feed = next(
        line.split()[0]
        for line in pulse.pactl("list", "short", "sinks").splitlines()
        if "rtaudio_mic_feed" in line
    )
    until = time.monotonic() + PATIENCE_SECONDS  # on a busy machine it may be reconnecting
    while [line.split()[1] for line in players(pulse)] != [feed]:
        assert time.monotonic() < until
        time.sleep(0.2)
    live.process.send_signal(signal.SIGINT)
    code, err, _ = live.finish()
    check_end(code, err, 130)
    assert "choose the microphone 'rtaudio-mic'" in err
    assert pulse.pactl("list", "short", "modules") == before
