"""Time of a diffusion vocoder per sample, and the share of its parts; the package diffwave on the
same weights, in turns."""

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
from rtaudio.bench.diffusion_nets import CYCLE, OWN, SIZES, random_diffwave, random_priorgrad
from rtaudio.bench.hardware import describe_machine, measure_peak
from rtaudio.bench.wavenet import Engine
from rtaudio.errors import RtaudioError
from rtaudio.graph.graph import Graph, StreamPort
from rtaudio.graph.refine import Refine
from rtaudio.models.steps import num_steps
from rtaudio.runtime.model import Model, load
from rtaudio.runtime.native import WEIGHT_BYTES
from rtaudio.runtime.vocoder import Vocoder

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


def load_diffusion(name: str, precision: str, steps: int | None) -> tuple[Vocoder, State | None]:
    """A network to time; a published size comes with its weights for peers. Raises RtaudioError."""
    state = None
    if name in SIZES or name == OWN:
        if name == OWN:
            made = random_priorgrad()
        else:
            made, state = random_diffwave(name)
        model = Model.from_graph(made.graph, made.tensors, name, precision)
        vocoder = Vocoder(model, preset=made.metadata["mel_preset"], steps=steps)
    else:
        vocoder = Vocoder(load(Path(name), precision=precision), steps=steps)
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
    frames = max(1, (block_samples or usual) // vocoder.hop)
    mel = np.random.default_rng(0).random((vocoder.num_mels, frames), np.float32)
    stream = model.stream(channels=vocoder.num_mels, max_ticks=frames)
    x = np.ascontiguousarray(mel.T)
    ours = Engine(name=model.name, size=frames * vocoder.hop, call=lambda: stream.push(x))
    others, notes = _peers(peers, state)
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
    floor = peak.floor_seconds(macs, reads)
    figures = ours.figures(rate)
    return {
        "schema": SCHEMA,
        "kind": "diffusion",
        "model": model.name,
        "precision": model.precision,
        "isa": level,
        "device": "cpu",
        "lanes": 1,
        "threads": 1,
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
        "shares": _shares(vocoder, ours.size // vocoder.hop),
        "error": None,
        "peers": {p.name: p.figures(steps, rate) for p in others},
        "machine": describe_machine(),
    }


def _shares(vocoder: Vocoder, frames: int) -> dict[str, float]:
    """What part of the time each part takes by itself: what is before the network (the mel at the
    sample rate), its layers, and the rest of its steps (noise, update, queues)."""
    model = vocoder.model
    nodes = model.graph.plan.nodes
    times = [_operation_seconds(model, i, frames) for i in range(len(nodes))]
    at = next(i for i, node in enumerate(nodes) if isinstance(node.layer, Refine))
    layer = nodes[at].layer
    assert isinstance(layer, Refine)
    # The same steps around a network of next to nothing.
    dilations = (max(1, layer.inner.lookahead),)
    small = dataclasses.replace(
        layer.inner, channels=1, dilations=dilations, condition=1, embedding_hidden=1
    )
    alone = dataclasses.replace(layer, name="", network=small)
    width = 1 + int(layer.shaped)
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


def _operation_seconds(model: Model, index: int, ticks: int) -> float:
    timer = _native.OperationTimer(model.native(model.sample_rate), index, 1, ticks)
    return float(np.median(timer.hot(0.2))) * 1e-9


def _run_peer(peer: _Peer, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while True:
        before = time.perf_counter()
        peer.run()
        after = time.perf_counter()
        peer.times.append(after - before)
        if after >= end:
            return


def _peers(names: list[str], state: State | None) -> tuple[list[_Peer], list[str]]:
    found, notes = [], []
    for name in names:
        if state is None:
            notes.append(f"the peer {name} runs the published sizes alone: {', '.join(SIZES)}")
        elif importlib.util.find_spec("diffwave") is None:
            notes.append("the package diffwave is not installed: pip install --no-deps diffwave")
        else:
            found.append(_package(name, state))
    return found, notes


def _package(name: str, state: State) -> _Peer:
    """The network of the package, one step of one pass, with the update of its predict()."""
    import torch
    from diffwave.model import DiffWave
    from diffwave.params import AttrDict, params

    torch.set_num_threads(1)
    channels = len(state["input_projection.bias"])
    sizes = {"residual_channels": channels, "dilation_cycle_length": CYCLE}
    network = DiffWave(AttrDict({**params, **sizes})).eval()
    network.load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
    mel = torch.rand(1, params.n_mels, _PEER_FRAMES)
    samples = _PEER_FRAMES * params.hop_samples
    audio, step = torch.randn(1, samples), torch.tensor([10.45])

    def run() -> None:
        with torch.inference_mode():
            x = 1.03 * (audio - 0.2 * network(audio, mel, step).squeeze(1))
            x += 0.1 * torch.randn_like(x)
            torch.clamp(x, -1.0, 1.0)

    return _Peer(name=name, samples=samples, run=run)
