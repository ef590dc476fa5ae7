"""A model that sleeps for two seconds, on a real audio server: what is heard, and the way back."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import soundfile

import rtaudio

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


@pytest.mark.parametrize("fallback", [None, "rt-tcn"])
def test_a_model_that_sleeps(serve, guard, tmp_path, fallback):
    server = serve(period=480)
    config = {"block_samples": 480, "placement": "worker", "fallback": fallback}
    for _ in range(TRIES):  # a stall of the machine is an overload too
        takes = tmp_path / str(time.monotonic_ns())
        with (
            rig_on(server, "counter", 10**9),
            playing(server, rtaudio.DEFAULT_DENOISER, preload=guard, record=str(takes), **config)
            as player,
        ):  # fmt: skip
            time.sleep(0.5)
            player.sleep(0.02)  # twice a block: four times what there is
            time.sleep(OVERLOAD_SECONDS)
            slept = player.sleep(0.0)
            seconds, stats = recovery(player)
            paths = player.finish()["recordings"]
        if seconds <= RECOVERY_SECONDS:
            break
    counts = slept["counts"]
    print(f"fallback {fallback}: back {seconds:.2f} s after the overload, {counts['overloads']} "
          f"rests, {counts['concealed_frames'] / 480:.0f} blocks concealed, "
          f"{counts['fallback_frames'] / 480:.0f} by the fallback")  # fmt: skip
    assert counts["overloads"] > 0
    assert seconds <= RECOVERY_SECONDS
    assert stats["state"] == "running"
    assert stats["delay"] == slept["delay"]
    if fallback is not None:
        assert counts["fallback_frames"] > 0.5 * OVERLOAD_SECONDS * 48_000
    else:
        assert counts["concealed_frames"] > 0.5 * OVERLOAD_SECONDS * 48_000
        # The dry signal in its place is the input, as late as ever, bit for bit.
        x, y = (soundfile.read(path, dtype="float32")[0] for path in paths)
        late = stats["delay"]
        same = np.count_nonzero((y[late:] == x[:-late]) & (x[:-late] != 0.0))
        assert same > 0.5 * OVERLOAD_SECONDS * 48_000
