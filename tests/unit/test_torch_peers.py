"""What torch is timed with computes what the engine does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rtaudio
from rtaudio import Model, Session
from rtaudio.bench import torch_peers
from rtaudio.bench.torch_peers import NAMES, measure_torch_peak, torch_peer
from rtaudio.bench.torch_stream import TorchStream
from rtaudio.dsp.noise import normals
from rtaudio.errors import RtaudioError
from rtaudio.graph import GRU, BatchNorm, Conv1d, Linear, Noise, Serial
from rtaudio.graph.refine import Refine
from rtaudio.models.diffwave import DiffWaveVocoder, diffwave_vocoder
from rtaudio.models.rt_priorgrad import RtPriorGrad, fixed_tensors, rt_priorgrad
from rtaudio.runtime.laws import graph_of

LANES = 2


def answers(model: Model, stream: TorchStream, x: np.ndarray, size: int) -> np.ndarray:
    """[lane, channel, time], `size` frames a call."""
    with torch.no_grad():
        parts = [
            stream(torch.from_numpy(x[:, :, i : i + size])) for i in range(0, x.shape[2], size)
        ]
    return torch.cat(parts, 2).numpy()


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_denoiser(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = rtaudio.load("rt-tcn")
    size = model.graph_at(rate).plan.block
    x = 0.1 * np.random.default_rng(0).standard_normal((LANES, 1, 20 * size)).astype(np.float32)
    session = Session(model, LANES, rate)
    ours = np.concatenate(
        [session.process(np.ascontiguousarray(b)) for b in np.split(x[:, 0], 20, 1)], 1
    )
    found = answers(model, TorchStream(model, LANES, rate), x, size)
    assert np.abs(found[:, 0] - ours).max() < 1e-5 * np.abs(ours).max()
    with pytest.raises(RtaudioError, match="a CUDA graph needs a GPU"):
        torch_peer("torch-graph", model, lanes=1, ticks=1, device="cpu")
    monkeypatch.setattr(torch_peers, "captured", lambda run, device: run)
    for name in NAMES[::2]:
        call = torch_peer(name, model, lanes=LANES, ticks=1, sample_rate=rate, device="cpu")
        made = np.concatenate([call(b) for b in np.split(x, 20, 2)], 2)
        np.testing.assert_array_equal(made, found)  # what warmed it up is forgotten


def priorgrad() -> Model:
    config = RtPriorGrad(channels=8, dilations=(1, 2), steps=2)
    graph = rt_priorgrad(config)
    return Model.from_graph(graph, {**graph.initial_tensors(1), **fixed_tensors(config)})


def diffwave(**options: object) -> Model:
    config = DiffWaveVocoder(channels=8, dilations=(1, 2, 4), **options)  # type: ignore[arg-type]
    graph = diffwave_vocoder(config)
    return Model.from_graph(graph, graph.initial_tensors(1))


@pytest.mark.parametrize(
    ("model", "near"),
    [(diffwave(), 1e-5), (diffwave(energy_min=1.5), 1e-5), (priorgrad(), 2e-3)],
    ids=["diffwave", "priorgrad's noise", "rt-priorgrad"],
)
def test_diffusion(model: Model, near: float) -> None:
    """With the engine's noise, once the start has passed."""
    plan, mels, frames = model.graph.plan, model.graph.input.channels, 12
    node = next(n for n in plan.nodes if isinstance(n.layer, Refine))
    steps, done = len(node.layer.scales), [0]  # type: ignore[attr-defined]

    def noise(like: torch.Tensor, step: int, late: int) -> torch.Tensor:
        begin = done[0] * int(node.inputs[0].rate) - node.inputs[0].delay - late
        at = np.maximum(np.arange(begin, begin + like.shape[2]), 0)
        site = node.output.buffer & 0xFFFF
        z = normals(at, like.shape[1], seed=0, stream=0, site=site, step=steps - step)
        return torch.from_numpy(z.T[None].astype(np.float32)).expand_as(like)

    x = -2 - 6 * np.random.default_rng(1).random((frames, mels), np.float32)
    ours = np.concatenate([(s := model.stream(channels=mels)).push(x), s.flush()])[:, 0]
    stream, parts = TorchStream(model, LANES, noise=noise), []
    for frame in x:
        columns = torch.from_numpy(frame)[None, :, None].expand(LANES, -1, -1)
        with torch.no_grad():
            parts.append(stream(columns)[1, 0])
        done[0] += 1
    found = torch.cat(parts).numpy()[plan.output.delay :]
    hop = int(plan.output.rate)
    error = np.abs(found - ours[: len(found)])[2 * hop :]
    assert np.abs(ours).max() > 0.1
    assert error.max() < near


def test_plain_layers_and_those_without_a_peer() -> None:
    layers = (Conv1d(outputs=6, kernel_size=3), BatchNorm(), GRU(hidden=5), Linear(outputs=2))
    graph = graph_of(Serial(layers=layers), 3)
    model = Model.from_graph(graph, graph.initial_tensors(2))
    x = np.random.default_rng(0).standard_normal((LANES, 3, 24)).astype(np.float32)
    ours = model.stream(channels=3).push(np.ascontiguousarray(x[1].T)).T
    assert np.abs(answers(model, TorchStream(model, LANES), x, 4)[1] - ours).max() < 1e-5
    graph = graph_of(Noise(values=1), 1)
    model = Model.from_graph(graph, graph.initial_tensors())
    with pytest.raises(RtaudioError, match="knows no layers of kind noise"):
        torch_peer("torch", model, lanes=1, ticks=1, device="cpu")


def test_a_compiler_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch, "compile", compiled)
    with pytest.raises(RtaudioError, match=r"torch-compile does not work here \(no compiler\)\."):
        torch_peer("torch-compile", diffwave(), lanes=1, ticks=1, device="cpu")
    # One compiled network for all steps.
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    call = torch_peer("torch-compile", diffwave(), lanes=1, ticks=2, device="cpu")
    assert call(np.zeros((1, 80, 2), np.float32)).shape == (1, 1, 512)


def test_peaks() -> None:
    peak = measure_torch_peak("fp32", "cpu")
    assert peak.floor_seconds(1e9, 0) > 0 and peak.floor_seconds(0, 1e9) > 0
