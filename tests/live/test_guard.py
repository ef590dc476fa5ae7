"""The audio threads of a whole Python neither allocate nor lock nor wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import rtaudio

from .playing import playing, rig_on

FORBIDDEN = ("allocations", "locks", "waits")
DO_WRONG = """
import ctypes
library = ctypes.CDLL(None)
library.guard_do_wrong()
print(*(getattr(library, f"guard_{name}")() for name in ("allocations", "locks", "waits")))
"""


def test_the_counter_counts(guard):
    done = subprocess.run(
        [sys.executable, "-c", DO_WRONG],
        env=os.environ | {"LD_PRELOAD": str(guard)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2", "1", "1"]


@pytest.mark.parametrize("placement", ["inline", "worker"])
def test_audio_threads_only_compute(serve, guard, tmp_path, placement):
    server = serve(period=128)
    config = {"block_samples": 128, "placement": placement, "record": str(tmp_path)}
    with (
        rig_on(server, "counter", 10**9),
        playing(server, rtaudio.DEFAULT_DENOISER, "gc", preload=guard, **config) as player,
    ):
        before = player.stats()
        time.sleep(1.5)
        after = player.stats()
    calls = after["callbacks"] - before["callbacks"]
    done = {name: after[name] - before[name] for name in FORBIDDEN}
    print(f"{placement}: {calls} callbacks, {done}")
    assert calls > 100
    assert done == {"allocations": 0, "locks": 0, "waits": 0}
