"""Many streams in one thread: the time of a block of all of them, and how many a core carries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.bench.denoise import SCHEMA, quantiles_us, test_signal
from rtaudio.bench.hardware import describe_machine, measure_peak
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.session import Session

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

BATCH_LANES = 16  # lanes that share one read of the weights
_KEPT_BLOCKS = 32  # different blocks of input
_WARM_UP_BLOCKS = 50
# Linux stops a real-time thread that never sleeps for 50 ms a second.
_REST_AFTER_SECONDS, _REST_SECONDS = 0.4, 0.05


def _time_blocks(
    session: Session, seconds: float, on_progress: Callable[[float], None]
) -> NDArray[np.float64]:
    """Seconds that each block of all lanes took."""
    size, sample_rate = session.block_samples, session.sample_rate
    signal = test_signal(sample_rate, 10.0)
    starts = np.random.default_rng(0).integers(0, len(signal) - size, (_KEPT_BLOCKS, session.lanes))
    blocks = signal[starts[:, :, None] + np.arange(size)]  # [block, lane, time]
    num_blocks = max(1, round(seconds * sample_rate / size))
    clock, times = time.perf_counter, np.zeros(num_blocks)
    for index in range(min(_WARM_UP_BLOCKS, num_blocks)):
        session.process(blocks[index % _KEPT_BLOCKS])
    rested = clock()
    for index in range(num_blocks):
        block = blocks[index % _KEPT_BLOCKS]
        if clock() - rested > _REST_AFTER_SECONDS:
            time.sleep(_REST_SECONDS)
            session.process(block)
            rested = clock()
        before = clock()
        session.process(block)
        times[index] = clock() - before
        on_progress((index + 1) / num_blocks)
    return times


def run_lanes(
    model: Model,
    *,
    lanes: int,
    sample_rate: int,
    seconds: float,
    level: str,
    on_progress: Callable[[float], None] = lambda _part: None,
) -> dict[str, Any]:
    """The figures of one run with the design's keys; us_per_block is for all lanes together.

    seconds: signal of every lane.
    """
    session = Session(model, lanes, sample_rate)
    size = session.block_samples
    times = _time_blocks(session, seconds, on_progress)
    mean = float(np.mean(times))
    macs = model.macs_per_second(sample_rate) * size / sample_rate * lanes
    weights = WEIGHT_BYTES[model.precision] * model.num_parameters
    read = weights * -(-lanes // BATCH_LANES)
    peak = measure_peak(model.precision, weights)
    latency = model.latency(sample_rate)
    return {
        "schema": SCHEMA,
        "kind": "lanes",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": "cpu",
        "lanes": lanes,
        "threads": 1,
        "block_samples": size,
        "sample_rate": sample_rate,
        "blocks": len(times),
        "us_per_block": quantiles_us(times),
        "us_per_sample": round(mean * 1e6 / (size * lanes), 5),
        "samples_per_second": round(size * lanes / mean),
        "rtf": round(mean * sample_rate / size / lanes, 6),
        "streams_per_core": int(lanes * size / sample_rate / mean),
        "latency_ms": round(latency.seconds * 1e3, 3),
        "gmacs": round(macs / mean / 1e9, 3),
        "floor_us": round(peak.floor_seconds(macs, read) * 1e6, 3),
        "megabytes_per_block": {
            "weights": round(read / 1e6, 3),
            "weights_stream_by_stream": round(weights * lanes / 1e6, 3),
            "signals": round(8 * size * lanes / 1e6, 3),
        },
        "peak": {
            "gmacs": round(peak.macs_per_second / 1e9, 1),
            "weight_gbytes_per_second": round(peak.bytes_per_second / 1e9, 1),
        },
        "machine": describe_machine(),
    }


def describe_lanes(result: dict[str, Any]) -> list[str]:
    """The result in words."""
    times, moved = result["us_per_block"], result["megabytes_per_block"]
    block = 1e3 * result["block_samples"] / result["sample_rate"]
    part = 100 * result["floor_us"] / times["p50"]
    return [
        f"{result['model']}, {result['lanes']} streams at {result['sample_rate']} Hz, "
        f"blocks of {block:.0f} ms, level {result['isa']}",
        f"  a block of all  p50 {times['p50'] / 1e3:.3f} ms, p99 {times['p99'] / 1e3:.3f} ms, "
        f"p99.9 {times['p999'] / 1e3:.3f} ms",
        f"  a stream        {times['p50'] / result['lanes']:.1f} us a block",
        f"  a core carries  {result['streams_per_core']} such streams",
        f"  floor           {result['floor_us'] / 1e3:.3f} ms ({part:.0f} % reached), "
        f"{result['gmacs']:.1f} of {result['peak']['gmacs']:.0f} GMAC/s",
        f"  moved a block   weights {moved['weights']:.1f} MB (stream by stream: "
        f"{moved['weights_stream_by_stream']:.1f} MB), signals {moved['signals']:.1f} MB",
    ]
