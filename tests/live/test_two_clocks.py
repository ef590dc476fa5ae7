"""An input and an output stream, each with a clock of its own."""

from __future__ import annotations

import ctypes
import time

import numpy as np
import pytest

from rtaudio import _native

from .jack import compile_c
from .test_exact import lag, played

TONES_HZ = (220.0, 1000.0, 5000.0)


def tones(seconds: float, rate: int) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.1 * sum(np.sin(2 * np.pi * f * t) for f in TONES_HZ)).astype(np.float32)


def residual_db(y: np.ndarray, rate: int) -> float:
    """What is no tone, against the tones."""
    t = np.arange(y.size) / rate
    basis = np.stack([g(2 * np.pi * f * t) for f in TONES_HZ for g in (np.sin, np.cos)], 1)
    found = basis @ np.linalg.lstsq(basis, y, rcond=None)[0]
    return 10 * float(np.log10(np.mean((y - found) ** 2) / np.mean(found**2)))


def test_the_signal_that_crosses_is_clean_and_as_late_as_said(serve, tmp_path):
    server = serve()
    x = tones(2.0, server.rate)
    wire, _ = played(server, tmp_path, x, "wire", block_samples=128)
    heard, stats = played(server, tmp_path, x, "wire", block_samples=128, clocks="two")
    later = lag(x, heard) - lag(x, wire)
    pieces = heard[lag(x, heard) :][12_000 : 12_000 + 24 * 2400].reshape(24, 2400)
    clean = float(np.median([residual_db(piece, server.rate) for piece in pieces]))
    said = round(1e-3 * stats["latency_ms"]["two clocks"] * server.rate)
    print(f"{stats['counts']['clock_slips']} slips, {later} samples later ({said} said), "
          f"all but the tones {clean:.1f} dB")  # fmt: skip
    assert clean <= -60.0
    # A period, by which stream the server calls first, and what is rounded to whole samples.
    assert abs(later - said) <= 128 + 1


RATE, BLOCK, SLACK = 48_000, 128, 240


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_another_clock_is_followed(rig, request, tmp_path, ppm):
    """The engine's own callbacks on two threads whose clocks differ, in real time."""
    seconds = request.config.getoption("--live-seconds")
    if seconds < 60:
        pytest.skip("takes a minute: --live-seconds 60")
    ticker = ctypes.CDLL(str(compile_c("ticker.c", tmp_path / "ticker.so", "-shared", "-fPIC")))
    ticker.ticker_stop.restype = ctypes.c_longlong
    engine = _native.LiveEngine(
        model=None, sample_rate=RATE, block=BLOCK, input_channels=1, output_channels=1, lanes=1,
        placement="auto", ramp_seconds=0.005, record_seconds=0,
    )  # fmt: skip
    clocks = _native.LiveTwoClocks(engine, SLACK)
    addresses = _native.live_callback_addresses()
    for kind, skew in (("input", 1e-6 * ppm), ("output", 0.0)):
        assert not ticker.ticker_start(
            ctypes.c_void_p(addresses[kind]),
            ctypes.c_void_p(clocks.user_data),
            ctypes.c_ulong(BLOCK),
            ctypes.c_double(1e9 * BLOCK / RATE / (1.0 + skew)),
        )
    drifts, excesses = [], []
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        time.sleep(0.1)
        if passed > 0.5 * seconds:  # the loop needs its time
            drifts.append(1e6 * clocks.drift)
            excesses.append(clocks.excess)
    late_ms = 1e-6 * ticker.ticker_stop()
    slips = engine.snapshot()["clock_slips"]
    print(f"followed {np.mean(drifts):+.0f} ppm ({min(drifts):+.0f} to {max(drifts):+.0f}), fill "
          f"within {max(map(abs, excesses)):.0f} frames, {slips} slips; a call came up to "
          f"{late_ms:.1f} ms late")  # fmt: skip
    assert abs(np.mean(drifts) - ppm) < 20.0
    assert max(map(abs, excesses)) <= BLOCK
    # A call that is later than the slack is the machine's doing.
    assert slips == 0 or late_ms > 1e3 * SLACK / RATE
