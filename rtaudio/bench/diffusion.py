"""Time of a diffusion vocoder per sample, and the share of its parts; the package that its weights
are of, on the same ones, in turns."""

from __future__ import annotations

import dataclasses
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.bench.denoise import SCHEMA
from rtaudio.bench.diffusion_nets import (
    CYCLE,
    OWN,
    SIZES,
    WAVEGRAD,
    random_diffwave,
    random_priorgrad,
    random_wavegrad,
)
from rtaudio.bench.hardware import describe_machine, measure_peak
from rtaudio.bench.wavenet import Engine
from rtaudio.errors import RtaudioError
from rtaudio.graph.chain import Chain, walk
from rtaudio.graph.graph import Graph, StreamPort
from rtaudio.graph.refine import Refine
from rtaudio.models.steps import num_steps
from rtaudio.runtime.model import Model, load
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.vocoder import DEFAULT_BLOCK_FRAMES, Vocoder

_ROUNDS = 4
_PEER_FRAMES = 43  # of mel a pass: half a second
_REST = 0.1
State = dict[str, NDArray[np.float32]]


@dataclasses.dataclass(kw_only=True)
class _Peer:
    """One pass of a network over some samples; a chain takes as many as it has steps."""

    name: str
    samples: int
    run: Callable[[], Any]
    times: list[float] = dataclasses.field(default_factory=list)

    def figures(self, steps: int, sample_rate: int) -> dict[str, float]:
        each = steps * 1e6 * float(np.median(self.times)) / self.samples
        return {"us_per_sample": round(each, 3), "rtf": round(each * sample_rate / 1e6, 4)}


def load_diffusion(
    name: str, precision: str, steps: int | None, threads: int = 1
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
        model = Model.from_graph(made.graph, made.tensors, name, precision)
        preset = made.metadata["mel_preset"]
    else:
        model, preset = load(Path(name), precision=precision), None
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
    on_progress: Callable[[float], None] = lambda _part: None,
) -> tuple[dict[str, Any], list[str]]:
    """The figures with the design's keys, and why peers are left out. seconds: of this machine's
    time for each engine, but a whole pass at least."""
    model, steps, rate = vocoder.model, num_steps(vocoder.model.graph), vocoder.sample_rate
    # A causal network answers each frame at once; others wait for so many that four are no matter.
    usual = (4 if vocoder.latency_samples else 1) * vocoder.hop
    if vocoder.threads > 1:
        usual = vocoder.block_frames * vocoder.hop
    frames = max(1, (block_samples or usual) // vocoder.hop)
    mel = np.random.default_rng(0).random((vocoder.num_mels, frames), np.float32)
    # What a thread takes at a time is the vocoder's to say where they are several.
    ticks = frames if vocoder.threads == 1 else None
    stream = model.stream(channels=vocoder.num_mels, max_ticks=ticks, threads=vocoder.threads)
    x = np.ascontiguousarray(mel.T)
    ours = Engine(name=model.name, size=frames * vocoder.hop, call=lambda: stream.push(x))
    others, notes = _peers(peers, vocoder, state)
    ours.call()
    for peer in others:
        peer.run()
    for turn in range(_ROUNDS):
        ours.run(seconds / _ROUNDS)
        for peer in others:
            _run_peer(peer, seconds / _ROUNDS)
        time.sleep(_REST * seconds / _ROUNDS)  # a real-time thread must sleep now and then
        on_progress((turn + 1) / _ROUNDS)
    return _result(vocoder, ours, others, steps, rate, level), notes


def _result(
    vocoder: Vocoder, ours: Engine, others: list[_Peer], steps: int, rate: int, level: str
) -> dict[str, Any]:
    model = vocoder.model
    macs = model.graph.plan.macs_per_frame / vocoder.hop
    weight_bytes = model.num_parameters * WEIGHT_BYTES[model.precision]
    peak = measure_peak(model.precision, weight_bytes)
    reads = weight_bytes * steps / ours.size  # a block reads all weights once a step
    floor = peak.floor_seconds(macs, reads) / vocoder.threads
    figures = ours.figures(rate)
    return {
        "schema": SCHEMA,
        "kind": "diffusion",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": "cpu",
        "lanes": 1,
        "threads": vocoder.threads,
        "steps": steps,
        "sample_rate": rate,
        **figures,
        "latency_samples": vocoder.latency_samples,
        "gmacs": round(macs / figures["us_per_sample"] / 1e3, 3),
        "floor_us": round(floor * 1e6, 4),
        "peak": {
            "gmacs": round(peak.macs_per_second / 1e9, 1),
            "weight_gbytes_per_second": round(peak.bytes_per_second / 1e9, 1),
        },
        "shares": _shares(vocoder, min(ours.size // vocoder.hop, DEFAULT_BLOCK_FRAMES)),
        "error": None,
        "peers": {p.name: p.figures(steps, rate) for p in others},
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


def _run_peer(peer: _Peer, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while True:
        before = time.perf_counter()
        peer.run()
        after = time.perf_counter()
        peer.times.append(after - before)
        if after >= end:
            return


def _peers(
    names: list[str], vocoder: Vocoder, state: State | None
) -> tuple[list[_Peer], list[str]]:
    """The package of the weights, if it is among the names."""
    if state is None or not names:
        sizes = ", ".join((*SIZES, WAVEGRAD))
        return [], [f"the peers run the published sizes alone: {sizes}"] if names else []
    name = "wavegrad" if vocoder.model.name == WAVEGRAD else "diffwave"
    if name not in names:
        return [], [f"the weights of {vocoder.model.name} are for the peer {name} alone"]
    if importlib.util.find_spec(name) is None:
        return [], [f"the package {name} is not installed: pip install --no-deps {name}"]
    return [_package(name, vocoder, state)], []


def _package(name: str, vocoder: Vocoder, state: State) -> _Peer:
    """The network of the package, one step of one pass, with the update of its predict()."""
    import torch

    torch.set_num_threads(vocoder.threads)
    network = _wavegrad_network() if name == WAVEGRAD else _diffwave_network(state)
    network.eval().load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
    mel = torch.rand(1, vocoder.num_mels, _PEER_FRAMES)
    samples = _PEER_FRAMES * vocoder.hop
    audio, step = torch.randn(1, samples), torch.tensor([0.5 if name == WAVEGRAD else 10.45])

    def run() -> None:
        with torch.inference_mode():
            x = 1.03 * (audio - 0.2 * network(audio, mel, step).squeeze(1))
            x += 0.1 * torch.randn_like(x)
            torch.clamp(x, -1.0, 1.0)

    return _Peer(name=name, samples=samples, run=run)


def _diffwave_network(state: State) -> Any:
    from diffwave.model import DiffWave
    from diffwave.params import AttrDict, params

    channels = len(state["input_projection.bias"])
    sizes = {"residual_channels": channels, "dilation_cycle_length": CYCLE}
    return DiffWave(AttrDict({**params, **sizes}))


def _wavegrad_network() -> Any:
    from wavegrad.model import WaveGrad
    from wavegrad.params import params

    return WaveGrad(params)
