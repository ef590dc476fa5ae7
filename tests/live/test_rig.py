"""Every sample through a real audio server: none lost, none changed, whatever Python does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .gains import save_gains
from .jack import Server, Verdict
from .playing import playing, python, rig_on

OWN_STREAM = Path(__file__).with_name("own_stream.py")
BUSY = ("loop", "gc", "sort")
TRIES = 4
# The server's own clock is late at times on a shared machine; by so much it may not be.
STALL_PERIODS = 0.5


def listen(server: Server, seconds: float, block: int, *busy: str) -> Verdict:
    """A wire on the rig for so long; what the rig found, beside what Live counted."""
    frames = round(seconds * server.rate)
    with (
        rig_on(server, "counter", frames) as rig,
        playing(server, "wire", *busy, block_samples=block) as player,
    ):
        verdict = rig.verdict(seconds + 60.0)
        print(verdict, {k: v for k, v in player.finish()["counts"].items() if v})
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


@pytest.mark.parametrize("busy", [BUSY, ("torch",)], ids=["busy", "torch"])
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


def freewheel(server: Server, hours: float) -> tuple[Verdict, float]:
    """Virtual time, as fast as it goes: state and rings, not scheduling. Seconds it took, too."""
    with (
        rig_on(server, "counter", round(3600 * hours * server.rate)) as rig,
        playing(server, "wire", block_samples=480),
    ):
        began = time.monotonic()
        server.freewheel(True)
        verdict = rig.verdict(60.0 + 3600 * hours)
        server.freewheel(False)
        return verdict, time.monotonic() - began


def test_freewheel_keeps_every_sample(serve, request):
    hours = request.config.getoption("--live-hours")
    verdict, seconds = freewheel(serve(period=480), hours)
    print(f"{60 * hours:g} minutes in {seconds:.1f} s: {verdict.altered} samples altered")
    assert verdict.altered == 0
    assert verdict.breaks == 0


def own_stream(server: Server, model: Path, seconds: float, block: int) -> Verdict:
    """sounddevice.Stream with our Stream.callback, in a Python that does nothing else."""
    with rig_on(server, "counter", round(seconds * server.rate)) as rig:
        process = python(server.environment, OWN_STREAM, model, block, stdin=subprocess.PIPE)
        try:
            return rig.verdict(seconds + 60.0)
        finally:
            process.communicate("")


def test_a_stream_of_ones_own_alters_nothing(serve, request, tmp_path):
    seconds, block = request.config.getoption("--live-seconds"), 480
    server = serve(period=block)
    model = save_gains(tmp_path / "identity.safetensors", 1.0)

    verdict = until_the_machine_is_calm(
        lambda: own_stream(server, model, seconds, block), period_ms=1e3 * block / server.rate
    )
    print(f"{verdict.altered} samples altered in {seconds:g} s")
