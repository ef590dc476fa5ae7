"""Faults made for real: servers that are killed, devices that go and come.

Each time is printed; the limit here is wide because a busy machine is no fault of the program.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rtaudio

from .playing import Player, playing

RECOVERY_SECONDS = 2.0  # what is promised
ON_PULSE = {"input_device": "rt_mic", "output_device": "rt_speaker", "latency": 0.05}


def flows(stats: dict[str, Any]) -> bool:
    return stats["state"] == "running" and stats["seconds"] > 0.0


def is_gone(stats: dict[str, Any]) -> bool:
    return stats["state"] != "running"


def expect_return(player: Player, what: str, bring_back: Callable[[], object]) -> dict[str, Any]:
    """Sound flows again soon after the device is back."""
    player.wait_for(is_gone)
    heard = player.stats()["seconds"]
    bring_back()
    began = time.monotonic()
    stats = player.wait_for(lambda stats: flows(stats) and stats["seconds"] > heard)
    seconds = time.monotonic() - began
    print(f"{what} is back: sound after {seconds:.2f} s")
    assert seconds <= 3 * RECOVERY_SECONDS
    return stats


def test_a_killed_jack_server(serve):
    """Twice: PortAudio hangs on to each dead server, and a new copy of it is made each time."""
    server = serve()
    rigs = [server.start_rig("counter", 10**9)]
    try:
        with playing(server, rtaudio.DEFAULT_DENOISER, block_samples=128) as player:
            for number in (1, 2):
                player.wait_for(flows)
                server.kill()
                rigs[-1].stop()

                def bring_back() -> None:
                    server.start()
                    rigs.append(server.start_rig("counter", 10**9))

                stats = expect_return(player, "the JACK server", bring_back)
                assert stats["counts"]["reconnections"] == number
            player.finish()
        assert player.process.returncode == 0
    finally:
        for rig in rigs:
            rig.stop()


def test_a_killed_pulseaudio(pulse):
    with playing(pulse, rtaudio.DEFAULT_DENOISER, **ON_PULSE) as player:
        player.wait_for(flows)
        pulse.kill()
        expect_return(player, "PulseAudio", pulse.start)
        player.finish()
    assert player.process.returncode == 0


def test_a_speaker_that_is_removed(pulse):
    with playing(pulse, rtaudio.DEFAULT_DENOISER, **ON_PULSE) as player:
        assert player.wait_for(flows)["drift_ppm"] is not None  # two devices, two clocks
        pulse.remove_speaker()
        stats = expect_return(player, "the speaker", pulse.add_speaker)
        assert stats["counts"]["reconnections"] == 1


def test_a_microphone_that_is_suspended(pulse):
    with playing(pulse, "wire", **ON_PULSE) as player:
        player.wait_for(flows)
        pulse.pactl("suspend-source", "mic", "1")
        expect_return(player, "the microphone", lambda: pulse.pactl("suspend-source", "mic", "0"))
