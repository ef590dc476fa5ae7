"""Every sample through a real audio server: none lost, none changed, whatever Python does."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import rtaudio

from .jack import Rig, Server, Verdict

PLAY = Path(__file__).with_name("play.py")
BUSY = ("loop", "gc", "sort")
TRIES = 4
# The server's own clock is late at times on a shared machine; by so much it may not be.
STALL_PERIODS = 0.5


@contextlib.contextmanager
def playing(server: Server, model: str, *busy: str, **config: Any) -> Iterator[Callable[[], dict]]:
    """Live on the rig in a process of its own; the function ends it and gives its counters."""
    command = (PLAY, json.dumps(config), model, *busy)
    player = server.python(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish() -> dict:
        out, _ = player.communicate("", timeout=30)
        return json.loads(out)

    try:
        assert player.stdout is not None
        assert player.stdout.readline().strip() == "playing"
        yield finish
    finally:
        if player.poll() is None:
            player.kill()
            player.communicate()


@contextlib.contextmanager
def rig_on(server: Server, *arguments: object) -> Iterator[Rig]:
    rig = server.start_rig(*arguments)
    try:
        yield rig
    finally:
        rig.stop()


def listen(server: Server, seconds: float, block: int, *busy: str) -> Verdict:
    """A wire on the rig for so long; what the rig found, beside what Live counted."""
    frames = round(seconds * server.rate)
    with (
        rig_on(server, "counter", frames) as rig,
        playing(server, "wire", *busy, block_samples=block) as finish,
    ):
        verdict = rig.verdict(seconds + 60.0)
        print(verdict, {k: v for k, v in finish()["counts"].items() if v})
    return verdict


def until_the_machine_is_calm(attempt: Callable[[], Verdict], *, period_ms: float) -> Verdict:
    """Again, where the rig's own clock shows that the whole machine stood still."""
    verdicts = []
    for _ in range(TRIES):
        verdict = attempt()
        if verdict.altered == 0:
            return verdict
        verdicts.append(verdict)
        if verdict.stall_ms < STALL_PERIODS * period_ms:
            break
    pytest.fail(f"samples were altered: {verdicts}")


@pytest.mark.parametrize("busy", [(), BUSY, ("torch",)], ids=["idle", "busy", "torch"])
def test_no_sample_is_altered(serve, request, busy):
    if "torch" in busy:
        pytest.importorskip("torch")
    seconds = request.config.getoption("--live-seconds")
    server = serve(period=128)

    verdict = until_the_machine_is_calm(
        lambda: listen(server, seconds, 128, *busy), period_ms=1e3 * 128 / 48_000
    )
    assert verdict.first == 1
    # The server's own graph delays by a period or two; the wire by nothing.
    assert verdict.round_trip % 128 == 0
    assert verdict.round_trip <= 3 * 128


def test_freewheel_keeps_every_sample(serve, request):
    """Virtual time, as fast as it goes: state and rings, not scheduling."""
    minutes = 5.0 if request.config.getoption("--live-seconds") >= 60 else 1.0
    server = serve(period=480)
    with (
        rig_on(server, "counter", round(minutes * 60 * server.rate)) as rig,
        playing(server, "wire", block_samples=480),
    ):
        server.freewheel(True)
        verdict = rig.verdict(240.0)
        server.freewheel(False)
    assert verdict.altered == 0
    assert verdict.breaks == 0


@pytest.mark.parametrize("placement", ["inline", "worker"])
@pytest.mark.parametrize("block", [128, 480])
def test_live_output_is_the_offline_output(serve, tmp_path, block, placement):
    """What came out of the shipped denoiser, against the same model over what went in."""
    rng = np.random.default_rng(1)
    (0.05 * rng.standard_normal(3 * 48_000)).astype(np.float32).tofile(tmp_path / "in.raw")
    server = serve(period=block)
    model = rtaudio.load(rtaudio.DEFAULT_DENOISER)
    config = {"block_samples": block, "placement": placement, "record": str(tmp_path / "takes")}
    with (
        rig_on(server, "file", tmp_path / "in.raw", tmp_path / "out.raw") as rig,
        playing(server, model.name, **config) as finish,
    ):
        rig.verdict(60.0)
        stats = finish()
    assert stats["counts"]["unrecorded_blocks"] == 0
    x, y = (soundfile.read(path, dtype="float32")[0] for path in stats["recordings"])
    assert x.size == y.size > 3 * 48_000
    assert np.abs(x).max() > 0.1
    expected = model(x, 48_000, compensate_delay=False)
    late = stats["delay"] - model.latency(48_000).signal_delay
    assert (
        late
        == {
            (128, "inline"): 480 - math.gcd(128, 480),
            (480, "inline"): 0,
            (128, "worker"): 480 - math.gcd(128, 480) + 512,
            (480, "worker"): 480,
        }[block, placement]
    )
    # A stall of the machine makes a worker late; its blocks are concealed, and fade back in 5 ms.
    counts = stats["counts"]
    differing = np.count_nonzero(y[late:] != expected[: y.size - late])
    assert differing <= counts["concealed_frames"] + 240 * counts["missed_blocks"]
    assert differing < 0.1 * y.size
    heard = np.fromfile(tmp_path / "out.raw", np.float32)
    begin = int(np.argmax(heard != 0.0))
    first = np.flatnonzero(y == heard[begin])
    assert any(np.array_equal(y[t : t + 48_000], heard[begin:][:48_000]) for t in first)
