"""Every kind of layer by itself on a GPU: a call from Python for all lanes, transfers included, and
the same layer in torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rtaudio.bench.denoise import quantiles_us
from rtaudio.bench.hardware import device_name, device_peak, floors
from rtaudio.bench.layer_cases import CASES, Case
from rtaudio.bench.layers import layers_result
from rtaudio.bench.torch_peers import NAMES, torch_device, torch_peer
from rtaudio.errors import RtaudioError
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.session import Session

LANES = (1, 256)
_SECONDS = 0.1


def run_device_layers(
    kinds: Sequence[str],
    precision: str,
    level: str,
    device: str,
    lanes: Sequence[int] = LANES,
    on_progress: Callable[[float], None] = lambda _part: None,
) -> tuple[dict[str, Any], list[str]]:
    """The figures of these kinds with the design's keys, and why some are left out."""
    peak = device_peak(device, precision, 1 << 20)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for done, kind in enumerate(kinds):
        try:
            rows += [
                _row(kind, CASES[kind], precision, device, count, peak, notes) for count in lanes
            ]
        except RtaudioError as error:
            notes.append(f"{kind}: {error}")
        on_progress((done + 1) / len(kinds))
    shown = floors(peak, 0, 0).get("peak")
    result = layers_result(precision, level, device_name(device), shown, rows)
    return result, list(dict.fromkeys(notes))


def _row(
    kind: str,
    case: Case,
    precision: str,
    device: str,
    lanes: int,
    peak: Any,
    notes: list[str],
) -> dict[str, Any]:
    graph = graph_of(case.layer, case.channels)
    model = Model.from_graph(graph, graph.initial_tensors(1), kind, precision, device)
    session = Session(model, lanes)
    block, plan = graph.plan.block, graph.plan
    shape = (lanes, block, case.channels)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    planar = np.ascontiguousarray(x.transpose(0, 2, 1))
    macs = plan.macs_per_frame * block * lanes
    moved = model.num_parameters * WEIGHT_BYTES[precision] + 4 * lanes * (
        block * case.channels + plan.frames_per_tick(plan.output) * plan.output.channels
    )
    peers = {}
    try:
        call = torch_peer(NAMES[0], model, lanes=lanes, ticks=1, device=torch_device(device))
        peers[NAMES[0]] = {"us_per_block": _times(lambda: call(planar))}
    except RtaudioError as error:
        notes.append(str(error))
    return {
        "layer": kind,
        "size": case.size,
        "lanes": lanes,
        "block_samples": block,
        "us_per_block": _times(lambda: session.process(x)),
        **{k: v for k, v in floors(peak, macs, moved).items() if k != "peak"},
        "peers": peers,
    }


def _times(call: Callable[[], FloatArray]) -> dict[str, float]:
    clock = time.perf_counter
    times: list[float] = []
    for _ in range(5):
        call()
    end = clock() + _SECONDS
    while not times or clock() < end:
        before = clock()
        call()
        times.append(clock() - before)
    return quantiles_us(times)
