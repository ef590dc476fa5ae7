"""Time of a denoiser per block, from Python, with peers interleaved in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.bench.hardware import Peak, at_level, describe_machine, lower_level, measure_peak
from rtaudio.bench.peers import Peer
from rtaudio.runtime.laws import fp32_error_db
from rtaudio.runtime.native import WEIGHT_BYTES

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

FloatArray = NDArray[np.float32]

SCHEMA = 1
_ROUNDS = 20
_WARM_UP_SECONDS = 0.5


@dataclass(kw_only=True)
class Lane:
    """One thing to time: a call that takes a block of `size` samples at `rate`."""

    name: str
    rate: int
    size: int
    call: Callable[[FloatArray], Any]
    signal: FloatArray
    times: list[float] = field(default_factory=list)

    def run(self, num_blocks: int, keep: bool) -> None:
        """The next blocks of the signal, round and round."""
        blocks = len(self.signal) // self.size
        clock, call, size = time.perf_counter, self.call, self.size
        start = len(self.times)
        for index in range(start, start + num_blocks):
            first = (index % blocks) * size
            block = self.signal[first : first + size]
            before = clock()
            call(block)
            taken = clock() - before
            if keep:
                self.times.append(taken)

    def rtf(self) -> float:
        return float(np.mean(self.times)) * self.rate / self.size


def quantiles_us(seconds: Iterable[float]) -> dict[str, float]:
    points = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    times = np.array(list(seconds)) * 1e6
    return {name: round(float(np.quantile(times, q)), 3) for name, q in points.items()}


def test_signal(sample_rate: int, seconds: float) -> FloatArray:
    """Speech-like: a buzz that changes its pitch and syllables, in noise. Same at every call."""
    count = max(round(sample_rate * min(seconds, 10.0)), sample_rate // 5)
    t = np.arange(count) / sample_rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / sample_rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = np.maximum(0.0, np.sin(2 * np.pi * 2.5 * t)) ** 0.5
    noise = np.random.default_rng(1).standard_normal(count)
    return np.asarray(0.1 * buzz * syllables + 0.02 * noise, np.float32)


def error_to_cpu(model: Model, sample_rate: int, ticks: int) -> float | None:
    """Relative rms of what a device's stream answers to noise, against the CPU's in fp32."""
    if model.device == "cpu":
        return None
    graph = model.graph_at(sample_rate)
    channels = graph.input.channels
    x = np.random.default_rng(2).random((ticks * graph.plan.block, channels), np.float32) - 0.5
    on_cpu, found = (
        np.concatenate([(stream := each.stream(sample_rate, channels)).push(x), stream.flush()])
        for each in (model.in_precision("fp32", "cpu"), model)
    )
    return float(f"{np.linalg.norm(found - on_cpu) / np.linalg.norm(on_cpu):.3g}")


def run_denoise(
    model: Model,
    *,
    sample_rate: int,
    block_samples: int | None,
    seconds: float,
    level: str,
    peers: list[Peer],
    on_progress: Callable[[float], None] = lambda _part: None,
) -> dict[str, Any]:
    """The figures of one run with the design's keys. seconds: audio for each denoiser."""
    size = block_samples or model.latency(sample_rate).hop
    signal = test_signal(sample_rate, seconds)
    lower = lower_level(level)
    with ExitStack() as open_streams:
        own = []
        for each in (level, lower) if lower else (level,):
            with at_level(each):
                stream = open_streams.enter_context(
                    model.stream(sample_rate=sample_rate, channels=1)
                )
            call = stream.process if model.makes_audio else stream.push
            own.append(Lane(name=each, rate=sample_rate, size=size, call=call, signal=signal))
        lanes = [
            Lane(
                name=peer.name,
                rate=peer.sample_rate,
                size=peer.hop,
                call=peer.step,
                signal=test_signal(peer.sample_rate, seconds),
            )
            for peer in peers
        ]
        interleave([*own, *lanes], seconds, on_progress)
    weight_bytes = WEIGHT_BYTES[model.precision] * model.num_parameters
    macs_per_block = model.macs_per_second(sample_rate) * size / sample_rate
    peak = measure_peak(model.precision, weight_bytes)
    return _result(model, own, lanes, peers, peak, macs_per_block)


def interleave(
    lanes: list[Lane],
    seconds: float,
    on_progress: Callable[[float], None] = lambda _part: None,
) -> None:
    """Turn by turn, so that whatever else the machine does falls on all alike."""
    for lane in lanes:
        lane.run(round(_WARM_UP_SECONDS * lane.rate / lane.size) + 1, keep=False)
    for turn in range(_ROUNDS):
        for lane in lanes:
            lane.run(round(seconds * lane.rate / lane.size / _ROUNDS) + 1, keep=True)
        on_progress((turn + 1) / _ROUNDS)


def _result(
    model: Model,
    own: list[Lane],
    others: list[Lane],
    peers: list[Peer],
    peak: Peak,
    macs_per_block: float,
) -> dict[str, Any]:
    ours = own[0]
    mean = float(np.mean(ours.times))
    decibels = None if model.precision == "fp32" else fp32_error_db(model)
    latency = model.latency(ours.rate)
    read_bytes = WEIGHT_BYTES[model.precision] * model.num_parameters * ours.size / latency.hop
    floor = peak.floor_seconds(macs_per_block, read_bytes)
    return {
        "schema": SCHEMA,
        "kind": "denoise" if model.makes_audio else "vad",
        "model": model.name,
        "precision": model.precision,
        "isa": ours.name,
        "device": "cpu",
        "lanes": 1,
        "threads": 1,
        "block_samples": ours.size,
        "sample_rate": ours.rate,
        "blocks": len(ours.times),
        "us_per_block": quantiles_us(ours.times),
        "us_per_sample": round(mean * 1e6 / ours.size, 5),
        "samples_per_second": round(ours.size / mean),
        "rtf": round(ours.rtf(), 6),
        "latency_ms": round(latency.seconds * 1e3, 3),
        # the same model at a lower level, in the same run
        "levels": {
            lane.name: {"rtf": round(lane.rtf(), 6), "us_per_block": quantiles_us(lane.times)}
            for lane in own[1:]
        },
        "gmacs": round(macs_per_block / mean / 1e9, 3),
        "floor_us": round(floor * 1e6, 3),
        "peak": {
            "gmacs": round(peak.macs_per_second / 1e9, 1),
            "weight_gbytes_per_second": round(peak.bytes_per_second / 1e9, 1),
        },
        # relative rms error and SI-SDR against fp32
        "error": 0.0 if decibels is None else float(f"{10 ** (-decibels / 20):.3g}"),
        "si_sdr_db_to_fp32": None if decibels is None else round(decibels, 1),
        "peers": {
            lane.name: {
                "rtf": round(lane.rtf(), 6),
                "us_per_block": quantiles_us(lane.times),
                "block_samples": lane.size,
                "sample_rate": lane.rate,
                "latency_ms": round(1e3 * peer.latency_samples / peer.sample_rate, 3),
            }
            for lane, peer in zip(others, peers, strict=True)
        },
        "machine": describe_machine(),
    }
