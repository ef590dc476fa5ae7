"""Signals that the program handles, while a sound server's threads are at work in it.

The system gives a signal, as SIGCONT after Ctrl-Z and fg, to any thread that takes it. Where that
is libjack's its read() fails: it gives the server up, and PortAudio would abort the program.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .jack import Server
from .playing import PATIENCE_SECONDS, python, rig_on

SIGNALLED = Path(__file__).with_name("signalled.py")


def after_signals(server: Server, who_loads_portaudio: str) -> dict[str, Any]:
    with rig_on(server, "counter", 10**9):
        process = python(server.environment, SIGNALLED, who_loads_portaudio, stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_no_signal_reaches_a_sound_servers_threads(serve):
    heard = after_signals(serve(period=480), "rtaudio")
    assert not any("gone" in text for text in heard["events"])
    assert heard["seconds"] >= 0.5


def test_the_sound_comes_back_where_one_does(serve):
    """PortAudio's threads that the program had before us take signals."""
    heard = after_signals(serve(period=480), "program")
    assert any("back after" in text for text in heard["events"])
    assert heard["seconds"] >= 0.5
