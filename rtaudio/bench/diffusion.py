"""Time of a diffusion vocoder per sample, and the share of its parts; the package that its weights
are of, on the same ones, in turns."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rtaudio import _native
from rtaudio.bench.denoise import SCHEMA, error_to_cpu
from rtaudio.bench.diffusion_nets import (
    OWN,
    SIZES,
    WAVEGRAD,
    random_diffwave,
    random_priorgrad,
    random_wavegrad,
)
from rtaudio.bench.diffusion_peers import Peer, State, make_peers
from rtaudio.bench.hardware import describe_machine, device_name, device_peak, floors
from rtaudio.bench.traffic import queue_bytes
from rtaudio.bench.wavenet import Engine, per_lane
from rtaudio.errors import RtaudioError
from rtaudio.graph.chain import Chain, walk
from rtaudio.graph.graph import Graph, StreamPort
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.refine import Refine
from rtaudio.models.steps import num_steps
from rtaudio.runtime.model import Model, load
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.session import Session
from rtaudio.runtime.vocoder import DEFAULT_BLOCK_FRAMES, Vocoder

_ROUNDS = 4
_REST = 0.1


def load_diffusion(
    name: str, precision: str, steps: int | None, threads: int = 1, device: str = "cpu"
) -> tuple[Vocoder, State | None]:
    """A network to time; a published size comes with its weights for peers. Raises RtaudioError."""
    state = None
    if name in SIZES or name in (OWN, WAVEGRAD):
        if name == OWN:
            made = random_priorgrad()
        elif name == WAVEGRAD:
            made, state = random_wavegrad()
        else:
            made, state = random_diffwave(name)
        model = Model.from_graph(made.graph, made.tensors, name, precision, device)
        preset = made.metadata["mel_preset"]
    else:
        model, preset = load(Path(name), precision=precision, device=device), None
    vocoder = Vocoder(model, preset=preset, steps=steps, threads=threads)
    if not num_steps(vocoder.model.graph):
        raise RtaudioError(f"{name} has no diffusion steps; `rtaudio bench wavenet` may fit it.")
    return vocoder, state


def run_diffusion(
    vocoder: Vocoder,
    state: State | None,
    *,
    block_samples: int | None,
    seconds: float,
    level: str,
    peers: list[str],
    lanes: int = 1,
    on_progress: Callable[[float], None] = lambda _part: None,
) -> tuple[dict[str, Any], list[str]]:
    """The figures with the design's keys, and why peers are left out. seconds: of this machine's
    time for each engine, but a whole pass at least."""
    model = vocoder.model
    # A causal network answers each frame at once; others wait for so many that four are no matter.
    usual = (4 if vocoder.latency_samples else 1) * vocoder.hop
    if vocoder.threads > 1:
        usual = vocoder.block_frames * vocoder.hop
    frames = max(1, (block_samples or usual) // vocoder.hop)
    mel = np.random.default_rng(0).random((vocoder.num_mels, frames), np.float32)
    ours = Engine(name=model.name, size=frames * vocoder.hop, call=_ours(vocoder, mel, lanes))
    others, notes = make_peers(peers, vocoder, state, mel, lanes)
    ours.call()
    for peer in others:
        peer.run()
    for turn in range(_ROUNDS):
        ours.run(seconds / _ROUNDS)
        for peer in others:
            peer.run_for(seconds / _ROUNDS)
        time.sleep(_REST * seconds / _ROUNDS)  # a real-time thread must sleep now and then
        on_progress((turn + 1) / _ROUNDS)
    return _result(vocoder, ours, others, lanes, level), notes


def _ours(vocoder: Vocoder, mel: FloatArray, lanes: int) -> Callable[[], Any]:
    """A call with the next frames [mels, frames] of every lane."""
    model, frames = vocoder.model, mel.shape[1]
    if lanes > 1:
        session = Session(model, lanes, max_ticks=frames)
        block = np.array(np.broadcast_to(mel.T, (lanes, frames, vocoder.num_mels)))
        return lambda: session.process(block)
    # What a thread takes at a time is the vocoder's to say where they are several.
    ticks = frames if vocoder.threads == 1 else None
    stream = model.stream(channels=vocoder.num_mels, max_ticks=ticks, threads=vocoder.threads)
    x = np.ascontiguousarray(mel.T)
    return lambda: stream.push(x)


def _result(
    vocoder: Vocoder, ours: Engine, others: list[Peer], lanes: int, level: str
) -> dict[str, Any]:
    model, rate = vocoder.model, vocoder.sample_rate
    steps = num_steps(model.graph)
    macs = model.graph.plan.macs_per_frame / vocoder.hop
    weight_bytes = model.num_parameters * WEIGHT_BYTES[model.precision]
    peak = device_peak(model.device, model.precision, weight_bytes)
    reads = weight_bytes * steps / ours.size / lanes  # a block reads all weights once a step
    if model.device != "cpu":  # what a GPU's caches do not hold
        reads += queue_bytes(model.graph.plan) / vocoder.hop
    figures = per_lane(ours.figures(rate), lanes)
    frames = min(ours.size // vocoder.hop, DEFAULT_BLOCK_FRAMES)
    return {
        "schema": SCHEMA,
        "kind": "diffusion",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": device_name(model.device),
        "lanes": lanes,
        "threads": vocoder.threads,
        "steps": steps,
        "sample_rate": rate,
        **figures,
        "latency_samples": vocoder.latency_samples,
        "gmacs": round(macs / figures["us_per_sample"] / 1e3, 3),
        **floors(peak, macs, reads, vocoder.threads),
        # A part by itself is timed on a CPU alone.
        **({"shares": _shares(vocoder, frames)} if model.device == "cpu" else {}),
        # The CPU takes seconds for what a chain looks ahead: once, not for every number of lanes.
        "error": error_to_cpu(model, model.sample_rate, 2) if lanes == 1 else None,
        "peers": {p.name: p.figures(lanes, rate) for p in others},
        "machine": describe_machine(),
    }


def _shares(vocoder: Vocoder, frames: int) -> dict[str, float]:
    """What part of the time each part takes by itself: what is before the network (the mel at the
    sample rate), its layers, and the rest of its steps (noise, update, queues)."""
    model = vocoder.model
    nodes = model.graph.plan.nodes
    at = next((i for i, node in enumerate(nodes) if isinstance(node.layer, Refine)), None)
    if at is None:
        return _shares_of_chain(vocoder, frames)
    times = [_operation_seconds(model, i, frames) for i in range(len(nodes))]
    layer = nodes[at].layer
    assert isinstance(layer, Refine)
    # The same steps around a network of next to nothing.
    dilations = (max(1, layer.inner.lookahead),)
    small = dataclasses.replace(
        layer.inner, channels=1, dilations=dilations, condition=1, embedding_hidden=1
    )
    alone = dataclasses.replace(layer, name="", network=small)
    width = 1 + alone.prior_channels
    graph = Graph(
        body=alone,
        sample_rate=vocoder.sample_rate,
        input=StreamPort(name="x", channels=width),
        output=StreamPort(name="y", channels=small.values),
    )
    bare = Model.from_graph(graph, graph.initial_tensors(), "bare", model.precision)
    ticks = round(frames * float(nodes[at].output.rate))
    steps = min(times[at], _operation_seconds(bare, 0, ticks))
    whole = sum(times)
    parts = {"condition": whole - times[at], "layers": times[at] - steps, "steps": steps}
    return {name: round(value / whole, 4) for name, value in parts.items()}


def _shares_of_chain(vocoder: Vocoder, frames: int) -> dict[str, float]:
    """The same where the steps are plain layers: those of the first step stand for all."""
    graph = vocoder.model.graph
    chain = next(layer for layer in walk(graph.body) if isinstance(layer, Chain))
    parts = {"condition": 0.0, "layers": 0.0, "steps": 0.0}
    for i, node in enumerate(graph.plan.nodes):
        if node.part:
            continue
        inside = node.path.startswith(f"{chain.name}.")
        part = "layers" if ".network." in node.path else "steps"
        seconds = _operation_seconds(vocoder.model, i, frames, 0.01)
        parts[part if inside else "condition"] += seconds * (len(chain.scales) if inside else 1)
    whole = sum(parts.values())
    return {name: round(value / whole, 4) for name, value in parts.items()}


def _operation_seconds(model: Model, index: int, ticks: int, seconds: float = 0.2) -> float:
    timer = _native.OperationTimer(model.native(model.sample_rate), index, 1, ticks)
    return float(np.median(timer.hot(seconds))) * 1e-9
