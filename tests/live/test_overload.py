"""A model that sleeps for two seconds, on a real audio server: what is heard, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import rtaudio

from .jack import Server
from .playing import Player, playing, rig_on

OVERLOAD_SECONDS = 2.0
RECOVERY_SECONDS = 1.0  # what is promised
TRIES = 3


def recovery(player: Player) -> tuple[float, dict[str, Any]]:
    """Seconds from the end of the trouble to the last concealed sample."""
    ended = time.monotonic()
    last, frames = ended, player.stats()["counts"]["concealed_frames"]
    while time.monotonic() - ended < 1.5 * RECOVERY_SECONDS:
        time.sleep(0.02)
        stats = player.stats()
        if stats["counts"]["concealed_frames"] + stats["counts"]["fallback_frames"] != frames:
            last = time.monotonic()
        frames = stats["counts"]["concealed_frames"] + stats["counts"]["fallback_frames"]
    return last - ended, stats


@dataclass(frozen=True)
class Overloaded:
    """A model that slept, and what came of it."""

    back_seconds: float  # from the end of the trouble to the last concealed sample
    slept: dict[str, Any]  # the counters at that end
    states: set[str]  # that were shown until then
    after: dict[str, Any]  # those of a while later
    recordings: list[str]


def watched(player: Player, seconds: float) -> Iterator[str]:
    """The states that are shown."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield player.stats()["state"]
        time.sleep(0.1)


def overload(server: Server, guard: Path, folder: Path, fallback: str | None) -> Overloaded:
    """For two seconds the model needs four times the time that there is."""
    config = {"block_samples": 480, "placement": "worker", "fallback": fallback}
    for _ in range(TRIES):  # a stall of the machine is an overload too
        takes = folder / str(time.monotonic_ns())
        with (
            rig_on(server, "counter", 10**9),
            playing(server, rtaudio.DEFAULT_DENOISER, preload=guard, record=str(takes), **config)
            as player,
        ):  # fmt: skip
            time.sleep(0.5)
            player.sleep(0.02)  # twice a block
            states = set(watched(player, OVERLOAD_SECONDS))
            slept = player.sleep(0.0)
            seconds, after = recovery(player)
            found = Overloaded(seconds, slept, states, after, player.finish()["recordings"])
        if seconds <= RECOVERY_SECONDS:
            break
    return found


@pytest.mark.parametrize("fallback", [None, "rt-tcn"])
def test_a_model_that_sleeps(serve, guard, tmp_path, fallback):
    found = overload(serve(period=480), guard, tmp_path, fallback)
    counts = found.slept["counts"]
    print(f"fallback {fallback}: back {found.back_seconds:.2f} s after the overload, "
          f"{counts['overloads']} rests, {counts['concealed_frames'] / 480:.0f} blocks concealed, "
          f"{counts['fallback_frames'] / 480:.0f} by the fallback")  # fmt: skip
    assert counts["overloads"] > 0
    assert found.back_seconds <= RECOVERY_SECONDS
    assert ("overload" if fallback is None else "fallback") in found.states
    assert found.after["state"] == "running"
    assert found.after["delay"] == found.slept["delay"]
    if fallback is not None:
        assert counts["fallback_frames"] > 0.5 * OVERLOAD_SECONDS * 48_000
    else:
        assert counts["concealed_frames"] > 0.5 * OVERLOAD_SECONDS * 48_000
        # The dry signal in its place is the input, as late as ever, bit for bit.
        x, y = (soundfile.read(path, dtype="float32")[0] for path in found.recordings)
        late = found.after["delay"]
        same = np.count_nonzero((y[late:] == x[:-late]) & (x[:-late] != 0.0))
        assert same > 0.5 * OVERLOAD_SECONDS * 48_000
