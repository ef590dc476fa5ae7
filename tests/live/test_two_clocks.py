"""An input and an output stream, each with a clock of its own."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from .playing import playing
from .test_exact import lag, played
from .test_recovery import ON_PULSE

SKEW = 200e-6
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
    assert abs(later - said) <= 128  # a period, by which stream the server calls first


def write_by_another_clock(pipe: Path, stop: threading.Event) -> None:
    """Noise in blocks of 10 ms, faster by SKEW."""
    rng = np.random.default_rng(1)
    block = (0.05 * rng.standard_normal(480)).astype(np.float32).tobytes()
    file = os.open(pipe, os.O_WRONLY)
    try:
        began, count = time.monotonic(), 0
        while not stop.is_set():
            os.write(file, block)
            count += 1
            due = began + count * 0.010 / (1.0 + SKEW)
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        os.close(file)


def test_a_clock_that_is_faster_is_followed(pulse, request):
    seconds = request.config.getoption("--live-seconds")
    if seconds < 60:
        pytest.skip("takes a minute: --live-seconds 60")
    stop = threading.Event()
    writer = threading.Thread(target=write_by_another_clock, args=(pulse.pipe, stop))
    writer.start()
    try:
        with playing(pulse, "wire", **ON_PULSE | {"input_device": "rt_pipe"}) as player:
            drifts = []
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                time.sleep(0.5)
                stats = player.stats()
                if time.monotonic() - began > 0.5 * seconds:
                    drifts.append(stats["drift_ppm"])
    finally:
        stop.set()
        writer.join()
    print(f"followed {np.mean(drifts):+.0f} ppm ({min(drifts):+.0f} to {max(drifts):+.0f}), "
          f"{stats['counts']['clock_slips']} slips in {seconds:g} s")  # fmt: skip
    assert abs(np.mean(drifts) - 1e6 * SKEW) < 50.0
