"""Faults made for real: servers that are killed, devices that go and come.

Each return is timed and printed. On a busy machine it may take longer through no fault of the
program, so each fault is made up to three times, and one return must be in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import rtaudio

from .jack import Server
from .playing import Player, playing
from .pulse import Pulse

RECOVERY_SECONDS = 2.0  # what is promised
TRIES = 3
ON_PULSE = {"input_device": "rt_mic", "output_device": "rt_speaker", "latency": 0.05}


def flows(stats: dict[str, Any]) -> bool:
    return stats["state"] == "running" and stats["seconds"] > 0.0


def is_gone(stats: dict[str, Any]) -> bool:
    return stats["state"] != "running"


def seconds_to_return(player: Player, what: str, bring_back: Callable[[], object]) -> float:
    """From when the device is back until sound flows again."""
    player.wait_for(is_gone)
    heard = player.stats()["seconds"]
    bring_back()
    began = time.monotonic()
    player.wait_for(lambda stats: flows(stats) and stats["seconds"] > heard)
    seconds = time.monotonic() - began
    print(f"{what} is back: sound after {seconds:.2f} s")
    return seconds


def returns(
    player: Player, what: str, take_away: Callable[[], object], bring_back: Callable[[], object]
) -> Iterator[float]:
    """Seconds of each return, as often as asked for."""
    while True:
        player.wait_for(flows)
        take_away()
        yield seconds_to_return(player, what, bring_back)


def check_returns(times: Iterator[float], least: int = 1) -> int:
    """How many it took until one was in time."""
    for number, seconds in enumerate(times, 1):
        if number >= least and seconds <= RECOVERY_SECONDS:
            return number
        assert number < TRIES, f"sound came {seconds:.2f} s after the device"
    raise AssertionError("no return")


class JackFault:
    """The JACK server is killed; it comes back under its name, with the rig."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._rig = server.start_rig("counter", 10**9)

    def take_away(self) -> None:
        self.server.kill()
        self._rig.stop()

    def bring_back(self) -> None:
        self.server.start()
        self._rig = self.server.start_rig("counter", 10**9)

    def stop(self) -> None:
        self._rig.stop()


def test_a_killed_jack_server(serve):
    """Twice at least: PortAudio hangs on to each dead server, and gets a new copy each time."""
    fault = JackFault(serve())
    try:
        with playing(fault.server, rtaudio.DEFAULT_DENOISER, block_samples=128) as player:
            times = returns(player, "the JACK server", fault.take_away, fault.bring_back)
            number = check_returns(times, least=2)
            assert player.stats()["counts"]["reconnections"] == number
            player.finish()
        assert player.process.returncode == 0
    finally:
        fault.stop()


def test_a_killed_pulseaudio(pulse):
    with playing(pulse, rtaudio.DEFAULT_DENOISER, **ON_PULSE) as player:
        check_returns(returns(player, "PulseAudio", pulse.kill, pulse.start))
        player.finish()
    assert player.process.returncode == 0


def test_a_speaker_that_is_removed(pulse):
    with playing(pulse, rtaudio.DEFAULT_DENOISER, **ON_PULSE) as player:
        assert player.wait_for(flows)["drift_ppm"] is not None  # two devices, two clocks
        times = returns(player, "the speaker", pulse.remove_speaker, pulse.add_speaker)
        number = check_returns(times)
        assert player.stats()["counts"]["reconnections"] >= number


def suspend_microphone(pulse: Pulse, *, on: bool) -> None:
    pulse.pactl("suspend-source", "mic", str(int(on)))


def test_a_microphone_that_is_suspended(pulse):
    suspend = partial(suspend_microphone, pulse)
    with playing(pulse, "wire", **ON_PULSE) as player:
        times = returns(player, "the microphone", partial(suspend, on=True),
                        partial(suspend, on=False))  # fmt: skip
        check_returns(times)
