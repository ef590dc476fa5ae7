"""The figures of live sound, each measured on the rigs of tests/live: one function a row."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from live_faults import overload, recovery
from live_rig import RATE, Row, jack, told, until_calm

from rtaudio import _native
from tests.live import test_exact, test_recovery, test_rig
from tests.live.gains import save_gains
from tests.live.playing import playing, python, rig_on
from tests.unit import test_live_resampler

STARTS = 11


def wire(period: int, seconds: float) -> Row:
    busy = (*test_rig.BUSY, "torch")
    with jack(period) as (server, _):
        verdicts = until_calm(lambda: test_rig.listen(server, seconds, period, *busy), period)
    return Row(
        case=f"altered samples, `wire`, {seconds:g} s real time, {period} frames at 48 kHz, Python "
        f"busy with loops, gc, sorts and torch",
        must="0" if period == 128 else "",
        goal="0" if period == 64 else "",
        measured=told(verdicts),
        held=verdicts[-1].altered == 0,
        goal_held=verdicts[-1].altered == 0 if period == 64 else None,
        details={"runs": [vars(each) for each in verdicts]},
    )


def freewheel(hours: float) -> Row:
    with jack(480) as (server, _):
        verdict, seconds = test_rig.freewheel(server, hours)
    length = f"{hours:g} h" if hours >= 1 else f"{60 * hours:g} min"
    return Row(
        case=f"altered samples, {length} of virtual time",
        must="0",
        measured=f"{verdict.altered} of {verdict.frames / 1e6:g} million, in {seconds:.0f} s",
        held=verdict.altered == 0 and verdict.breaks == 0,
        details=vars(verdict) | {"seconds": seconds},
    )


def bits() -> Row:
    found = {}
    for block in (128, 480):
        with jack(block) as (server, folder):
            for placement in ("inline", "worker"):
                result = test_exact.compare(server, folder, block, placement)
                found[f"{placement}, {block}"] = vars(result)
    differing = sum(each["differing"] for each in found.values())
    samples = sum(each["samples"] for each in found.values())
    return Row(
        case="live output against offline output of the same model (rt-tcn, inline and worker, "
        "128 and 480 frames)",
        must="0 differing bits",
        measured=f"{differing} of {samples / 1e6:.2f} million samples differ",
        held=differing == 0,
        details=found,
    )


def latency() -> Row:
    with jack(480) as (server, folder):
        extra = test_exact.extra_latency(server, folder, 480)
    return Row(
        case="latency beyond device buffers, the model's own, the stated resampler's and the "
        "block-fitting FIFO's",
        must="0 inline, one hop with worker",
        measured=f"{extra['inline']} samples inline, {extra['worker']} with worker (a hop is 480)",
        held=extra == {"inline": 0, "worker": 480},
        details=extra,
    )


def resampler() -> Row:
    level = test_live_resampler.level_db
    frequencies = (100, 1000, 3000, 5000, 6500, 7000, 7100, 7200)
    delays, passband, images = [], [], []
    for rates in ((48_000, 16_000), (16_000, 48_000)):
        delays.append(1e3 * _native.LiveResampler(*rates, 1, 1).delay / rates[0])
        passband += [level(f, rates, f) for f in frequencies]
        for f in (1000, 4000, 6000, 7000, 7200):
            ends = (16_000 - f, f) if rates[0] > rates[1] else (f, 16_000 - f)
            images.append(level(ends[0], rates, ends[1]))
    ripple = max(map(abs, passband))
    return Row(
        case="resampler 48<->16: delay; passband to 7.2 kHz; images",
        must="1.5 ms; +-0.1 dB; -80 dB",
        measured=f"{max(delays):.2f} ms; +-{ripple:.3f} dB; {max(images):.0f} dB",
        held=max(delays) <= 1.5 and ripple <= 0.1 and max(images) <= -80.0,
        details={"delay_ms": max(delays), "ripple_db": ripple, "image_db": max(images)},
    )


def drift(ppm: float, hours: float, block: int = 128) -> dict[str, float]:
    """Two clocks in virtual time, callbacks late by up to a quarter of a block: the most that the
    ring's fill was off, in blocks, after the two seconds in which the loop only looks."""
    bridge = _native.LiveClockBridge(1, block, 240, RATE)  # the slack of `--latency low`
    shares = random.Random(1).random
    period = 1e9 * block / RATE
    input_period = period / (1.0 + 1e-6 * ppm)
    x = np.zeros((block, 1), np.float32)
    most, slips, pushed, late = 0.0, 0, 0, 0.0
    push, pull, wanted = bridge.push, bridge.pull, bridge.wanted_fill
    first = 2 * RATE // block
    for i in range(1, round(3600 * hours * RATE / block) + 1):
        now = (i + 0.25 * shares()) * period
        while (end := (pushed + 1) * input_period + late) <= now:
            push(x, int(end))
            pushed += 1
            late = 0.25 * shares() * period
        _, whole = pull(int(now))
        if i > first:
            most = max(most, abs(bridge.fill - wanted))
            slips += not whole
    return {"blocks_off": most / block, "slips": slips, "drift_ppm": 1e6 * bridge.drift}


def drifts(hours: float) -> Row:
    found = {f"{ppm:+g} ppm": drift(ppm, hours) for ppm in (-200.0, 200.0)}
    worst = max(each["blocks_off"] for each in found.values())
    slips = sum(each["slips"] for each in found.values())
    return Row(
        case=f"+-200 ppm drift for {hours:g} h of virtual time, 48 kHz, 128 frames",
        must="ring fill within +-1 block",
        measured=f"within {worst:.2f} blocks, {slips:g} breaks",
        held=worst <= 1.0 and slips == 0,
        details=found,
    )


def processor_time(seconds: float) -> Row:
    """Of our callback, as the engine measures it; beside it the whole thread that PortAudio calls
    it on, and as a floor the rig's thread: JACK asks that much of any program."""
    with (
        jack(128) as (server, _),
        rig_on(server, "counter", 10**9) as rig,
        playing(server, "wire", block_samples=128) as player,
    ):
        player.wait_for(test_recovery.flows)
        player.stats()
        pids = (player.process.pid, rig.process.pid)
        before, began = [real_time_seconds(pid) for pid in pids], time.monotonic()
        time.sleep(seconds)
        after, ended = [real_time_seconds(pid) for pid in pids], time.monotonic()
        stats = player.stats()
    thread, floor = ((b - a) / (ended - began) for a, b in zip(before, after, strict=True))
    return Row(
        case="CPU of the path itself without a model (`wire`, 128 frames)",
        must="1 % of a core",
        measured=f"{100 * stats['load_p50']:.2f} %, p99 {100 * stats['load_p99']:.2f} %; with "
        f"JACK's and PortAudio's part {100 * thread:.1f} % (JACK takes {100 * floor:.1f} % of the "
        "bare rig)",
        held=stats["load_p99"] <= 0.01,
        details={"thread": thread, "jack_client": floor, "engine_p50": stats["load_p50"],
                 "engine_p99": stats["load_p99"]},
    )  # fmt: skip


def real_time_seconds(pid: int) -> float:
    """Spent by a process's threads that JACK runs: of real-time priority, but no watch of a clock,
    which has the highest."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        number = int(task.name)
        is_real_time = os.sched_getscheduler(number) != os.SCHED_OTHER
        if is_real_time and os.sched_getparam(number).sched_priority < 90:
            total += int((task / "schedstat").read_text().split()[0])
    return 1e-9 * total


def own_stream(seconds: float) -> Row:
    block = 480
    with jack(block) as (server, folder):
        model = save_gains(folder / "identity.safetensors", 1.0)
        verdicts = until_calm(lambda: test_rig.own_stream(server, model, seconds, block), block)
    return Row(
        case=f"a user's own `sounddevice.Stream` with our `Stream.callback`, idle Python, "
        f"{seconds:g} s, {block} frames",
        must="0 altered",
        measured=told(verdicts),
        held=verdicts[-1].altered == 0,
        details={"runs": [vars(each) for each in verdicts]},
    )


def first_sample(what: str) -> Row:
    """From the start of `rtaudio live` to the first sample that the rig hears, and what part of it
    is Python's own start and NumPy's import."""
    times, floors = [], []
    with jack(128) as (server, _):
        for _ in range(STARTS):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", "import numpy"], check=True)
            floors.append(time.monotonic() - began)
            with rig_on(server, "counter", 4_800, 0) as rig:
                began = time.monotonic()
                live = python(
                    server.environment, "-m", "rtaudio", "live", what, "-i", "rig", "-o", "rig",
                    "--allow-feedback", stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                times.append(rig.verdict(60.0).heard_at - began)
                live.terminate()
                live.wait()
    median, worst = statistics.median(times[1:]), max(times[1:])
    floor = statistics.median(floors)
    return Row(
        case=f"command to first processed sample, `rtaudio live {what}`",
        must="1 s",
        goal="0.3 s",
        measured=f"{median:.2f} s (of {STARTS - 1} starts the longest {worst:.2f} s; Python and "
        f"NumPy alone {floor:.2f} s)",
        held=median <= 1.0,
        goal_held=median <= 0.3,
        details={"seconds": times, "python_and_numpy_seconds": floor},
    )


ROWS: dict[str, Callable[[], Row]] = {
    "wire-128": lambda: wire(128, 60.0),
    "wire-64": lambda: wire(64, 60.0),
    "freewheel-5min": lambda: freewheel(5 / 60),
    "freewheel-10h": lambda: freewheel(10.0),
    "bits": bits,
    "latency": latency,
    "resampler": resampler,
    "recovery": recovery,
    "overload": overload,
    "drift": lambda: drifts(1.0),
    "cpu": lambda: processor_time(20.0),
    "own-stream": lambda: own_stream(10.0),
    "start-wire": lambda: first_sample("wire"),
    "start-denoise": lambda: first_sample("denoise"),
}
