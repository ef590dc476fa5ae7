"""Every kind of layer by itself, beside the time that this machine needs for it at best.

The floor of a call is the slower of two: its multiply-adds at the measured peak of registers alone,
and the reads of its weights, inputs and outputs at the measured rate for so many bytes, hot as they
are in a stream. A recurrent layer reads the weights of its state once a frame, for the next frame
needs this one's result; lanes share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from rtaudio import _native
from rtaudio.bench.denoise import SCHEMA
from rtaudio.bench.hardware import at_level, describe_machine, lower_level
from rtaudio.bench.layer_cases import CASES, Case
from rtaudio.graph.band_recurrent import BandRNN, BandScan
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.heads import Embedding
from rtaudio.graph.layer import FloatArray, Recurrent
from rtaudio.graph.plan import Node
from rtaudio.graph.pointwise import Channels
from rtaudio.graph.program import Operation, Program, lower
from rtaudio.graph.refine import Refine
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import PRECISIONS, WEIGHT_BYTES

FOOTPRINTS = (16 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20)
SWEPT_BYTES = 96 << 20  # read before a cold call; more than the caches of most machines
_PEAK_SECONDS = 0.1
_READ_SECONDS = 0.02
_HOT_SECONDS = 0.08
_COLD_CALLS = 9
_ERROR_FRAMES = 400


class Limits:
    """The machine's limits at the level in use, measured when they are first asked for."""

    def __init__(self) -> None:
        self._reads: dict[int, float] = {}
        self.macs_per_second = {
            name: _native.measure_multiply_adds(name, _PEAK_SECONDS) for name in PRECISIONS
        }

    def bytes_per_second(self, footprint: int) -> float:
        """Reads of that many bytes over and over; of few bytes, as of those that fit the nearest
        cache, for a call of a function takes its time too."""
        footprint = max(footprint, FOOTPRINTS[0])
        if footprint not in self._reads:
            self._reads[footprint] = _native.measure_reads(footprint, _READ_SECONDS)
        return self._reads[footprint]


@dataclass(frozen=True)
class Work:
    """`times` times in a row: so many multiply-adds and bytes."""

    times: int
    macs: float
    num_bytes: float

    def seconds(self, limits: Limits, precision: str, cold: bool = False) -> tuple[float, float]:
        """At best: for the products, for the reads."""
        size = max(FOOTPRINTS) if cold else round(self.num_bytes)
        products = self.macs / limits.macs_per_second[precision]
        return self.times * products, self.times * self.num_bytes / limits.bytes_per_second(size)


def run_layers(
    kinds: Sequence[str],
    precision: str,
    level: str,
    on_progress: Callable[[float], None] = lambda _part: None,
) -> dict[str, Any]:
    """The figures of these kinds of layers with the design's keys; `layers` has a row a shape."""
    limits = Limits()
    rows: list[dict[str, Any]] = []
    for done, kind in enumerate(kinds):
        rows += _time_case(kind, CASES[kind], precision, level, limits)
        on_progress((done + 1) / len(kinds))
    peak = {
        "gmacs": {n: round(x / 1e9, 1) for n, x in limits.macs_per_second.items()},
        "gbytes_per_second": {
            str(n): round(limits.bytes_per_second(n) / 1e9, 1) for n in FOOTPRINTS
        },
    }
    return layers_result(precision, level, "cpu", peak, rows)


def layers_result(
    precision: str, level: str, device: str, peak: object, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Rows of a layer and a shape each, under the design's keys."""
    return {
        "schema": SCHEMA,
        "kind": "layers",
        "model": None,
        "precision": precision,
        "isa": level,
        "device": device,
        "threads": 1,
        "peak": peak,
        "layers": rows,
        "peers": {},
        "machine": describe_machine(),
    }


def _time_case(
    kind: str, case: Case, precision: str, level: str, limits: Limits
) -> list[dict[str, Any]]:
    graph = graph_of(case.layer, case.channels)
    tensors = graph.initial_tensors(1)
    program, values = lower(graph, tensors)
    operations = _outer(program)
    wanted = case.operation or operations[-1][0].kind
    index = max(i for i, each in enumerate(operations) if each[0].kind == wanted)
    model = Model.from_graph(graph, tensors, kind, precision)
    operation = operations[index][0]
    weights = _weight_bytes(operations[index], values, precision)
    exact = weights == _weight_bytes(operations[index], values, "fp32")
    rows: list[dict[str, Any]] = []
    for lanes, ticks in case.shapes:
        frames = program.buffers[operation.inputs[0]].frames * ticks
        work = _work(graph.plan.nodes[index], weights, lanes, frames)
        row = {
            "layer": kind,
            "size": case.size,
            "lanes": lanes,
            "block_samples": frames,
            **_times(model.native(graph.sample_rate), index, (lanes, ticks), level),
            **_floors(work, limits, precision),
        }
        p50 = row["us_per_block"]["p50"]
        row["us_per_sample"] = round(p50 / frames / lanes, 5)
        row["samples_per_second"] = round(1e6 * frames * lanes / p50)
        row["gmacs"] = round(sum(each.times * each.macs for each in work) / p50 / 1e3, 3)
        row["share"] = round(row["floor_us"] / p50, 3)
        row["error"] = None if exact else _error(model)
        rows.append(row)
        if lanes * ticks > 1:
            row["faster"] = _faster(rows[0], row, lanes * ticks)
    return rows


def _times(
    model: _native.Model, operation: int, shape: tuple[int, int], level: str
) -> dict[str, Any]:
    """Of one call, microseconds; at a lower level too, and with cold caches."""
    timer = _native.OperationTimer(model, operation, *shape)
    times = {
        "us_per_block": _quantiles(timer.hot(_HOT_SECONDS)),
        "cold_us": round(median(timer.cold(_COLD_CALLS, SWEPT_BYTES)) / 1e3, 3),
        "levels": {},
    }
    lower = lower_level(level)
    if lower is not None:
        with at_level(lower):
            timer = _native.OperationTimer(model, operation, *shape)
        times["levels"] = {lower: {"us_per_block": _quantiles(timer.hot(_HOT_SECONDS))}}
    return times


def _quantiles(nanoseconds: list[float]) -> dict[str, float]:
    points = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {name: round(float(np.quantile(nanoseconds, q)) / 1e3, 4) for name, q in points.items()}


def _floors(work: list[Work], limits: Limits, precision: str) -> dict[str, Any]:
    hot = [each.seconds(limits, precision) for each in work]
    # The weights of a state come from memory once, whatever the number of frames.
    once = [Work(1, each.times * each.macs, each.num_bytes) for each in work]
    cold = [each.seconds(limits, precision, cold=True) for each in once]
    products, reads = (sum(each) for each in zip(*hot, strict=True))
    return {
        "floor_us": round(1e6 * sum(map(max, hot)), 4),
        "cold_floor_us": round(1e6 * sum(map(max, cold)), 3),
        "limit": "products" if products > reads else "reads",
    }


def _faster(single: dict[str, Any], row: dict[str, Any], times: int) -> dict[str, float]:
    """Than as many calls of one frame of one lane; and how much faster the floors allow."""
    p50, one = row["us_per_block"]["p50"], single["us_per_block"]["p50"]
    return {
        "hot": round(times * one / p50, 2),
        "hot_limit": round(times * single["floor_us"] / row["floor_us"], 2),
        "cold": round(times * single["cold_us"] / row["cold_us"], 2),
        "cold_limit": round(times * single["cold_floor_us"] / row["cold_floor_us"], 2),
    }


def _outer(program: Program) -> list[tuple[Operation, ...]]:
    """Each operation of the plan, with those of its body behind it."""
    outer: list[tuple[Operation, ...]] = []
    at = 0
    while at < len(program.operations):
        count = 1 + (
            program.operations[at].ints["operations"]
            if program.operations[at].kind == Feedback.kind
            else 0
        )
        outer.append(program.operations[at : at + count])
        at += count
    return outer


def _weight_bytes(
    operations: Sequence[Operation], values: dict[str, FloatArray], precision: str
) -> dict[str, float]:
    """By tensor: matrices in their precision, everything else in fp32."""
    sizes = {}
    for name in {name for each in operations for name in each.tensors.values()}:
        is_matrix = values[name].ndim > 1 and not name.startswith("constant.")
        sizes[name] = values[name].size * (WEIGHT_BYTES[precision] if is_matrix else 4.0)
    return sizes


def _work(node: Node, weights: dict[str, float], lanes: int, frames: int) -> list[Work]:
    """What `lanes` calls of `frames` frames have to do."""
    layer, channels = node.layer, node.inputs[0].channels
    macs = layer.macs_per_frame(channels) * frames * lanes
    per_frame = sum(s.channels for s in node.inputs) + node.output.channels * float(layer.ratio)
    if isinstance(layer, Channels):
        per_frame = 2.0 * node.output.channels  # what it leaves out is not read
    num_bytes = 4.0 * per_frame * frames * lanes
    every = sum(weights.values())
    if isinstance(layer, Embedding):
        every *= frames * lanes / layer.levels  # the columns that are looked up
    if isinstance(layer, Refine):
        every *= len(layer.scales)
    # A step waits for the one before it, and reads these weights anew.
    steps, again, share = 1, every, 1.0
    if isinstance(layer, Feedback):
        steps = frames * layer.hop
    elif isinstance(layer.rule(), Recurrent) or isinstance(layer, BandScan):
        bands = layer.bands if isinstance(layer, BandRNN | BandScan) else 1
        steps = frames * (bands if isinstance(layer, BandScan) else 1)
        again = sum(size for name, size in weights.items() if name.endswith("_hh"))
        inputs, hidden = channels // bands, node.output.channels // bands
        share = hidden / (inputs + hidden)
    if steps == 1:
        return [Work(1, macs, num_bytes + every)]
    once = Work(1, macs * (1 - share), num_bytes + every - again)
    return [once, Work(steps, macs * share / steps, again)]


def _error(model: Model) -> float:
    """Relative rms error against fp32 on noise."""
    shape = (_ERROR_FRAMES, model.graph.input.channels)
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    reference = model.in_precision("fp32")(x)
    difference = np.linalg.norm(model(x) - reference) / np.linalg.norm(reference)
    return float(f"{difference:.3g}")
