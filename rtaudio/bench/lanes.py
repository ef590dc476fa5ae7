"""Many streams in one thread: the time of a block of all of them, and how many a core carries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rtaudio.bench.denoise import SCHEMA, error_to_cpu, quantiles_us, test_signal
from rtaudio.bench.hardware import describe_machine, device_name, device_peak, floors
from rtaudio.bench.traffic import queue_bytes
from rtaudio.errors import RtaudioError
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.session import Session

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

BATCH_LANES = 16  # lanes that share one read of the weights
_KEPT_BLOCKS = 32  # different blocks of input
_WARM_UP_BLOCKS = 50
_COMPARED = 20  # blocks, of a device with the CPU
_ROUNDS = 4  # with peers, in turns
# Linux stops a real-time thread that never sleeps for 50 ms a second.
_REST_AFTER_SECONDS, _REST_SECONDS = 0.4, 0.05


@dataclass(kw_only=True)
class Batch:
    """One thing to time: a call with the next block [lane, time] of all lanes."""

    name: str
    call: Callable[[FloatArray], Any]
    times: list[float] = field(default_factory=list)

    def run(self, blocks: FloatArray, num_blocks: int, warm_up: int) -> None:
        clock = time.perf_counter
        for index in range(warm_up):
            self.call(blocks[index % _KEPT_BLOCKS])
        rested = clock()
        for index in range(num_blocks):
            block = blocks[index % _KEPT_BLOCKS]
            if clock() - rested > _REST_AFTER_SECONDS:
                time.sleep(_REST_SECONDS)
                self.call(block)
                rested = clock()
            before = clock()
            self.call(block)
            self.times.append(clock() - before)


def run_lanes(
    model: Model,
    *,
    lanes: int,
    sample_rate: int,
    seconds: float,
    level: str,
    peers: Sequence[str] = (),
    on_progress: Callable[[float], None] = lambda _part: None,
) -> tuple[dict[str, Any], list[str]]:
    """The figures of one run with the design's keys, and why peers are left out; us_per_block is
    for all lanes together.

    seconds: signal of every lane.
    """
    session = Session(model, lanes, sample_rate)
    size = session.block_samples
    ours = Batch(name=model.name, call=session.process)
    made = [_peer(name, model, lanes, sample_rate) for name in peers]
    others = [each for each in made if isinstance(each, Batch)]
    signal = test_signal(sample_rate, 10.0)
    starts = np.random.default_rng(0).integers(0, len(signal) - size, (_KEPT_BLOCKS, lanes))
    blocks = signal[starts[:, :, None] + np.arange(size)]  # [block, lane, time]
    rounds = _ROUNDS if others else 1
    num_blocks = max(1, round(seconds * sample_rate / size / rounds))
    for turn in range(rounds):
        for batch in (ours, *others):
            batch.run(blocks, num_blocks, min(_WARM_UP_BLOCKS, num_blocks) if turn == 0 else 1)
        on_progress((turn + 1) / rounds)
    return _result(session, ours, others, level), [e for e in made if isinstance(e, str)]


def _peer(name: str, model: Model, lanes: int, sample_rate: int) -> Batch | str:
    """In torch, on our device."""
    from rtaudio.bench.torch_peers import torch_device, torch_peer

    where = torch_device(model.device)
    try:
        call = torch_peer(name, model, lanes=lanes, ticks=1, sample_rate=sample_rate, device=where)
    except RtaudioError as error:
        return str(error)
    return Batch(name=name, call=lambda block: call(block[:, None]))


def _result(session: Session, ours: Batch, others: list[Batch], level: str) -> dict[str, Any]:
    model, size, lanes, rate = (
        session.model,
        session.block_samples,
        session.lanes,
        session.sample_rate,
    )
    mean, on_cpu = float(np.mean(ours.times)), model.device == "cpu"
    macs = model.macs_per_second(rate) * size / rate * lanes
    weights = WEIGHT_BYTES[model.precision] * model.num_parameters
    read = weights * (-(-lanes // BATCH_LANES) if on_cpu else 1)
    signals = 8 * size * lanes
    queues = queue_bytes(model.graph_at(rate).plan) * size * lanes
    peak = device_peak(model.device, model.precision, weights)
    latency = model.latency(rate)
    return {
        "schema": SCHEMA,
        "kind": "lanes",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": device_name(model.device),
        "lanes": lanes,
        "threads": 1,
        "block_samples": size,
        "sample_rate": rate,
        "blocks": len(ours.times),
        "us_per_block": quantiles_us(ours.times),
        "us_per_sample": round(mean * 1e6 / (size * lanes), 5),
        "samples_per_second": round(size * lanes / mean),
        "rtf": round(mean * rate / size / lanes, 6),
        "streams_per_core" if on_cpu else "streams_per_device": int(lanes * size / rate / mean),
        "latency_ms": round(latency.seconds * 1e3, 3),
        "gmacs": round(macs / mean / 1e9, 3),
        **floors(peak, macs, read if on_cpu else read + signals + queues),
        "megabytes_per_block": {
            "weights": round(read / 1e6, 3),
            "weights_stream_by_stream": round(weights * lanes / 1e6, 3),
            "signals": round(signals / 1e6, 3),
            "queues": round(queues / 1e6, 3),
        },
        "error": error_to_cpu(model, rate, _COMPARED),
        "peers": {
            each.name: {
                "us_per_block": quantiles_us(each.times),
                "us_per_sample": round(float(np.mean(each.times)) * 1e6 / (size * lanes), 5),
                "rtf": round(float(np.mean(each.times)) * rate / size / lanes, 6),
                "block_samples": size,
            }
            for each in others
        },
        "machine": describe_machine(),
    }


def describe_lanes(result: dict[str, Any]) -> list[str]:
    """The result in words."""
    times, moved = result["us_per_block"], result["megabytes_per_block"]
    block = 1e3 * result["block_samples"] / result["sample_rate"]
    rows = [
        f"{result['model']}, {result['lanes']} streams at {result['sample_rate']} Hz, "
        f"blocks of {block:.0f} ms, {_where(result)}",
        f"  a block of all  p50 {times['p50'] / 1e3:.3f} ms, p99 {times['p99'] / 1e3:.3f} ms, "
        f"p99.9 {times['p999'] / 1e3:.3f} ms",
        f"  a stream        {times['p50'] / result['lanes']:.1f} us a block",
    ]
    what = "core" if result["device"] == "cpu" else "device"
    rows.append(f"  a {what} carries  {result[f'streams_per_{what}']} such streams")
    if "peak" in result:
        part = 100 * result["floor_us"] / times["p50"]
        rows.append(
            f"  floor           {result['floor_us'] / 1e3:.3f} ms ({part:.0f} % reached), "
            f"{result['gmacs']:.1f} of {result['peak']['gmacs']:.0f} GMAC/s"
        )
    rows.append(
        f"  moved a block   weights {moved['weights']:.1f} MB (stream by stream: "
        f"{moved['weights_stream_by_stream']:.1f} MB), signals {moved['signals']:.1f} MB, "
        f"queues {moved['queues']:.1f} MB"
    )
    for name, each in result["peers"].items():
        p50 = each["us_per_block"]["p50"]
        rows.append(f"  {name:<15} p50 {p50 / 1e3:.3f} ms, ours is {p50 / times['p50']:.1f}x")
    return rows


def _where(result: dict[str, Any]) -> str:
    return f"level {result['isa']}" if result["device"] == "cpu" else f"on {result['device']}"
