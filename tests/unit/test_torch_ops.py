"""rtaudio.torch: the queued stack as a torch operator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtaudio import _native
from rtaudio.dsp.noise import normals
from rtaudio.errors import GraphError
from rtaudio.graph import GatedStack, Graph, StreamPort
from rtaudio.nn import Net
from rtaudio.torch import QueuedStack, diffusion_noise, diffusion_step, queued_stack

LANES, FRAMES = 2, 150


@pytest.fixture(params=[False, True], ids=["plain", "conditioned"])
def net(request: pytest.FixtureRequest) -> Net:
    stack = GatedStack(
        channels=6,
        gate_channels=5,
        skip_channels=7,
        kernel_size=3,
        dilations=(1, 2, 9, 1),
        conditioned=request.param,
    )
    width = 6 + stack.condition_channels
    graph = Graph(
        body=stack,
        sample_rate=16_000,
        input=StreamPort(name="x", channels=width),
        output=StreamPort(name="y", channels=7),
    )
    return Net(graph, graph.initial_tensors(1))


def make(net: Net) -> tuple[QueuedStack, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(LANES, FRAMES, net.graph.input.channels)
    return QueuedStack(net.graph.body, net.export()), x


def test_any_split_is_the_whole_sequence(net):
    stack, x = make(net)
    with torch.no_grad():
        expected = net.double()(x.double().transpose(1, 2)).transpose(1, 2)
    whole = stack(x, *stack.initial_state(LANES))
    assert (whole - expected).abs().max() < 1e-5
    for sizes in ([1] * FRAMES, [70, 1, 79], [3] * 50):
        state = stack.initial_state(LANES)
        parts = [stack(part, *state) for part in x.split(sizes, dim=1)]
        assert torch.equal(torch.cat(parts, 1), whole)
        assert state[1].tolist() == [FRAMES] * LANES
    alone = stack(x[1:], *stack.initial_state(1))
    assert torch.equal(alone[0], whole[1])


def test_opcheck(net):
    stack, x = make(net)
    memory, position = stack.initial_state(LANES)
    stack(x, memory, position)
    torch.library.opcheck(queued_stack, (x[:, :5], memory, position, stack._number))


def test_works_under_torch_compile(net):
    stack, x = make(net)

    def step(x: torch.Tensor, memory: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return torch.relu(2 * stack(torch.tanh(x), memory, position))

    # The graph that inductor would get; no C++ compiler is needed for it.
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    a, b = stack.initial_state(LANES), stack.initial_state(LANES)
    for part in x[:, :25].split(1, dim=1):
        assert torch.equal(compiled(part, *a), step(part, *b))
    assert torch.equal(a[1], b[1])


def test_what_does_not_fit_is_refused(net):
    stack, x = make(net)
    with pytest.raises(ValueError, match="x must be"):
        stack(x[:, :, :3], *stack.initial_state(LANES))
    with pytest.raises(ValueError, match="memory"):
        stack(x, *stack.initial_state(1))
    with pytest.raises(GraphError, match="missing"):
        QueuedStack(net.graph.body, {})
    tensors = net.export()
    tensors[next(iter(tensors))] = np.zeros((1, 1))
    with pytest.raises(GraphError, match="shape"):
        QueuedStack(net.graph.body, tensors)


@pytest.mark.parametrize("shaped", [False, True])
def test_a_diffusion_step_is_its_equation(shaped):
    rng = torch.Generator().manual_seed(0)
    x, epsilon = (torch.randn(2, 50, 3, generator=rng) for _ in range(2))
    spread = torch.rand(2, 50, generator=rng) if shaped else None
    how = {"scale": 1.2, "weight": 0.3, "deviation": 0.4, "step": 5, "seed": 7, "clip": True}
    made = diffusion_step(x, epsilon, stream=3, position=100, spread=spread, **how)
    for lane in range(2):
        z = normals(np.arange(100, 150), 3, seed=7, stream=3 + lane, step=5).astype(np.float64)
        if spread is not None:
            z = z * spread[lane, :, None].double().numpy()
        wanted = 1.2 * (x[lane].double() - 0.3 * epsilon[lane].double()).numpy() + 0.4 * z
        np.testing.assert_allclose(made[lane], np.clip(wanted, -1, 1), atol=2e-6)
    parts = [
        diffusion_step(
            x[:, a:b],
            epsilon[:, a:b],
            stream=3,
            position=100 + a,
            spread=None if spread is None else spread[:, a:b],
            **how,
        )
        for a, b in ((0, 1), (1, 30), (30, 50))
    ]
    assert torch.equal(torch.cat(parts, 1), made)
    with pytest.raises(ValueError, match="lanes, frames, values"):
        diffusion_step(x, epsilon[:, :3], stream=3, **how)
    arguments = (x, epsilon, spread, 1.2, 0.3, 0.4, True, 7, 3, 100, 5)
    torch.library.opcheck(torch.ops.rtaudio.diffusion_step.default, arguments)


def test_diffusion_noise_is_what_a_step_adds():
    how = {"step": 5, "seed": 7, "stream": 3, "position": 100}
    z = diffusion_noise((2, 50, 3), **how)
    for lane in range(2):
        there = normals(np.arange(100, 150), 3, seed=7, stream=3 + lane, step=5)
        np.testing.assert_array_equal(z[lane], there)
    x = torch.zeros(2, 50, 3)
    assert torch.equal(diffusion_step(x, x, scale=1.0, weight=0.0, deviation=1.0, **how), z)
    with pytest.raises(ValueError, match="at least one value"):
        diffusion_noise((2, 50, 0), **how)


@pytest.mark.skipif(bool(_native.query_cuda().devices), reason="there is a GPU")
def test_without_a_gpu_its_kernels_say_so():
    with pytest.raises(RuntimeError, match=r"no NVIDIA driver|built without CUDA"):
        _native.diffusion_noise_cuda(0, 0, (1, 1, 1), 0, 0, 0, 0)
