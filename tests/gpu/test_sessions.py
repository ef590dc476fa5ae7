"""Every layer kind on a GPU: the works that tests/laws/test_gpu_works.py runs on the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtaudio import Session
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.torch import process
from tests.laws.catalogue import EXAMPLES

LANES = 3


def model(name: str, device: str, precision: str = "fp32") -> Model:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    return Model.from_graph(graph, graph.initial_tensors(2), precision=precision, device=device)


def signal(of: Model, lanes: int, ticks: int) -> FloatArray:
    shape = (lanes, ticks * of.graph.plan.block, of.graph.input.channels)
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def streamed(of: Model, x: FloatArray) -> FloatArray:
    stream = of.stream(channels=x.shape[1])
    return np.concatenate([stream.push(x[:3]), stream.push(x[3:]), stream.flush()])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_strict_gives_the_cpus_bits(name: str, precision: str) -> None:
    cpu, gpu = (model(name, device, precision) for device in ("cpu", "cuda-strict"))
    x = signal(cpu, 1, 7)[0]
    np.testing.assert_array_equal(streamed(gpu, x), streamed(cpu, x))


@pytest.mark.parametrize("name", EXAMPLES)
def test_sessions_of_lanes_in_one_launch_and_in_several(name: str) -> None:
    """Calls of max_ticks are one graph, others are not; lanes are held and end."""
    answers = []
    for device in ("cpu", "cuda-strict"):
        here = model(name, device)
        x = signal(here, LANES, 6)
        block = here.graph.plan.block
        session = Session(here, lanes=LANES, max_ticks=2)
        parts = [session.process(x[:, :block])]
        session.hold(np.array([False, True, False]))
        parts.append(session.process(x[:, block : 3 * block]))
        session.hold(np.zeros(LANES, bool))
        session.reset(np.array([True, False, False]))
        session.end(1, 4 * block - 1)
        parts.append(session.process(x[:, 3 * block :]))
        answers.append(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(*answers)


# What is drawn from sums in another order may be another value.
@pytest.mark.parametrize("name", [name for name in EXAMPLES if "feedback" not in name])
def test_the_fast_mode_is_near(name: str) -> None:
    cpu, gpu = (model(name, device) for device in ("cpu", "cuda"))
    x = signal(cpu, 1, 7)[0]
    y = streamed(cpu, x)
    np.testing.assert_allclose(streamed(gpu, x), y, rtol=0, atol=1e-5 * float(abs(y).max()))


def test_tensors_stay_on_the_gpu_and_on_the_callers_stream() -> None:
    gpu = model("conv_transpose1d", "cuda-strict")
    x = signal(gpu, LANES, 8)
    by_host, by_device = (Session(gpu, lanes=LANES, max_ticks=2) for _ in range(2))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        tensor = torch.from_numpy(x).to("cuda", non_blocking=True)
        block = 2 * by_device.block_samples
        parts = [process(by_device, part) for part in tensor.split(block, dim=1)]
        y = torch.cat(parts, dim=1)
    stream.synchronize()
    np.testing.assert_array_equal(y.cpu().numpy(), by_host.process(x))
