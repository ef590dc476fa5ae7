"""Time of a WaveNet per sample: autoregressive ones with the peers interleaved, the same weights in
all of them, and feed-forward ones by blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.bench.denoise import SCHEMA
from rtaudio.bench.hardware import describe_machine, device_name, device_peak, floors
from rtaudio.bench.traffic import queue_bytes
from rtaudio.bench.wavenet_nets import BLOCK, Network
from rtaudio.bench.wavenet_peers import NumpyQueue, Peer, Weights, make_peer
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.graph import Graph, StreamPort
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import WEIGHT_BYTES

_ROUNDS = 20
_REST = 0.1
_TEACHER_STEPS = 100
_AGREES = 1e-4  # a peer whose parameters differ more computes another network


@dataclass(kw_only=True)
class Engine:
    """One thing to time: a call that makes `size` samples."""

    name: str
    size: int
    call: Callable[[], Any]
    times: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        clock, call = time.perf_counter, self.call
        end = clock() + seconds
        while True:
            before = clock()
            call()
            after = clock()
            self.times.append(after - before)
            if after >= end:
                return

    def figures(self, sample_rate: int) -> dict[str, Any]:
        times = np.array(self.times) * 1e6
        points = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
        each = float(np.median(times)) / self.size
        return {
            "us_per_sample": round(each, 4),
            "us_per_block": {n: round(float(np.quantile(times, q)), 3) for n, q in points.items()},
            "block_samples": self.size,
            "samples_per_second": round(1e6 / each),
            "rtf": round(each * sample_rate / 1e6, 5),
        }


def per_lane(figures: dict[str, Any], lanes: int) -> dict[str, Any]:
    """Figures of a call for all lanes: the time of a sample is a lane's, samples are of all."""
    scales = {"us_per_sample": 1 / lanes, "samples_per_second": lanes, "rtf": 1 / lanes}
    return {**figures, **{n: round(figures[n] * scale, 5) for n, scale in scales.items()}}


def run_wavenet(
    network: Network,
    *,
    block_samples: int | None,
    lanes: int,
    seconds: float,
    level: str,
    peers: list[str],
    on_progress: Callable[[float], None] = lambda _part: None,
) -> tuple[dict[str, Any], list[str]]:
    """The figures of one run with the design's keys, and what there is to say about peers that are
    left out. seconds: of this machine's time for each engine."""
    model = network.model
    ours = _ours(network, block_samples, lanes)
    others, notes, error = _peers(network, peers)
    engines = [ours, *(Engine(name=p.name, size=1, call=p.step) for p in others)]
    for engine in engines:  # warm
        engine.run(0.02 * seconds)
        engine.times.clear()
    for turn in range(_ROUNDS):
        for engine in engines:
            engine.run(seconds / _ROUNDS)
            # Linux stops a real-time thread that never sleeps, for 50 ms of each second.
            time.sleep(_REST * seconds / _ROUNDS)
        on_progress((turn + 1) / _ROUNDS)
    macs = network.macs_per_sample
    figures = per_lane(ours.figures(network.sample_rate), lanes)
    result = {
        "schema": SCHEMA,
        "kind": "wavenet",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": device_name(model.device),
        "lanes": lanes,
        "threads": 1,
        "sample_rate": network.sample_rate,
        **figures,
        "gmacs": round(macs / figures["us_per_sample"] / 1e3, 3),
        **_floor(network, ours.size, lanes),
        "error": error,  # relative rms of the parameters against float64, None where not known
        "peers": {e.name: e.figures(network.sample_rate) for e in engines[1:]},
        "machine": describe_machine(),
    }
    return result, notes


def _floor(network: Network, block_samples: int, lanes: int) -> dict[str, Any]:
    model, macs = network.model, network.macs_per_sample
    weight_bytes = round(macs * WEIGHT_BYTES[model.precision])
    peak = device_peak(model.device, model.precision, weight_bytes)
    if model.device != "cpu":  # multiprocessors keep the weights for a block
        queues = queue_bytes(model.graph.plan) / network.ratio
        return floors(peak, macs, weight_bytes / block_samples / lanes + queues)
    # A block of a network without feedback reads its weights once.
    reads = weight_bytes if network.config is not None else weight_bytes / block_samples
    return floors(peak, macs, reads / lanes)


def _ours(network: Network, block_samples: int | None, lanes: int) -> Engine:
    """A call gives a whole number of the model's ticks."""
    model = network.model
    width, ratio = model.graph.input.channels * lanes, network.ratio
    ticks = max(1, (block_samples or BLOCK) // (ratio * model.graph.plan.block))
    frames = ticks * model.graph.plan.block
    stream = model.stream(channels=width, max_ticks=ticks)
    # A signal for what is fed with one; conditions are constant.
    quiet = network.config is not None
    noise = np.random.default_rng(0).standard_normal((frames, width)).astype(np.float32)
    x = np.zeros_like(noise) if quiet else 0.1 * noise
    return Engine(name=model.name, size=frames * ratio, call=lambda: stream.push(x))


def _peers(network: Network, names: list[str]) -> tuple[list[Peer], list[str], float | None]:
    """Peers that compute the same network, why others are left out, and our own error."""
    if network.config is None:
        return [], [f"{network.model.name} has no peers here" for _ in names[:1]], None
    config, tensors = network.config, dict(network.model.tensors)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, config.head.num_parameters, _TEACHER_STEPS).astype(np.float64)
    values = codes if config.start else rng.uniform(-1, 1, _TEACHER_STEPS)
    reference = NumpyQueue(Weights.of(config, tensors, np.float64))
    wanted = np.stack([reference.parameters(v) for v in values])
    peers, notes = [], []
    for name in names:
        peer = make_peer(name, Weights.of(config, tensors, np.float32), network.model.device)
        if isinstance(peer, str):
            notes.append(peer)
            continue
        found = np.stack([peer.parameters(v) for v in values[:20]])
        error = _relative(found, wanted[:20])
        if error > _AGREES:
            notes.append(f"the peer {name} computes another network (error {error:.2g})")
            continue
        peers.append(peer)
    return peers, notes, float(f"{_relative(_teach(network, values), wanted):.3g}")


def _relative(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))


def _teach(network: Network, values: NDArray[np.float64]) -> FloatArray:
    """Our own parameters where the values before are given: the loop's body by itself."""
    model = network.model
    node = model.graph.plan.nodes[-1]
    loop = node.layer
    assert isinstance(loop, Feedback)
    wide = loop.condition_channels(node.inputs[0].channels)
    graph = Graph(
        body=loop.body,
        sample_rate=network.sample_rate,
        input=StreamPort(name="x", channels=wide + 1),
        output=StreamPort(name="y", channels=loop.draws.num_parameters),
    )
    tensors = {
        n.removeprefix("loop."): t for n, t in model.tensors.items() if n.startswith("loop.")
    }
    body = Model.from_graph(graph, tensors, "body", model.precision)
    condition = np.tile(model.tensors["condition.v.bias"], (len(values), 1))
    x = np.concatenate([condition, values[:, None].astype(np.float32)], axis=1)
    return body.stream(channels=wide + 1).push(np.ascontiguousarray(x, np.float32))
