"""Faults made for real: how long until the sound is as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from live_rig import Row, jack, pulseaudio

import rtaudio
from tests.live import test_overload, test_recovery
from tests.live.jack import compile_c
from tests.live.playing import playing


def recovery() -> Row:
    """Each fault three times; the worst return counts."""
    found: dict[str, list[float]] = {}

    def several(player: Any, what: str, *fault: Callable[[], object]) -> None:
        returns = test_recovery.returns(player, what, *fault)
        found[what] = [next(returns) for _ in range(3)]

    with jack(128) as (server, _):
        killed = test_recovery.JackFault(server)
        with playing(server, rtaudio.DEFAULT_DENOISER, block_samples=128) as player:
            several(player, "JACK server killed", killed.take_away, killed.bring_back)
        killed.stop()
    with pulseaudio() as pulse:
        suspend = partial(test_recovery.suspend_microphone, pulse)
        faults: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "sink removed": (pulse.remove_speaker, pulse.add_speaker),
            "PulseAudio killed": (pulse.kill, pulse.start),
            "source suspended": (partial(suspend, on=True), partial(suspend, on=False)),
        }
        for what, (away, back) in faults.items():
            with playing(pulse, rtaudio.DEFAULT_DENOISER, **test_recovery.ON_PULSE) as player:
                several(player, what, away, back)
    worst = max(max(each) for each in found.values())
    return Row(
        case="recovery after the device returns",
        must="2 s",
        measured=f"{worst:.2f} s at worst ("
        + ", ".join(f"{what} {max(each):.2f}" for what, each in found.items())
        + ")",
        held=worst <= 2.0,
        details=found,
    )


def overload() -> Row:
    found = {}
    with jack(480) as (server, folder):
        guard = compile_c("guard.c", folder / "guard.so", "-shared", "-fPIC", "-ldl")
        for fallback in (None, "rt-tcn"):
            slept = test_overload.overload(server, guard, folder, fallback)
            found[str(fallback)] = slept.back_seconds
            assert slept.after["delay"] == slept.slept["delay"]
    return Row(
        case="latency back at baseline after 2 s of overload",
        must="1 s",
        measured=f"{max(found.values()):.2f} s, and never off it: late blocks are replaced",
        held=max(found.values()) <= 1.0,
        details=found,
    )
