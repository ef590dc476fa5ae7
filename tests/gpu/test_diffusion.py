"""Noise and the update of diffusion: the bits of the CPU."""

from __future__ import annotations

import pytest
import torch

from rtaudio.torch import diffusion_noise, diffusion_step

SHAPES = ((1, 1, 1), (2, 50, 3), (3, 1000, 4), (1, 300_000, 9))


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_the_cpus(shape):
    how = {"step": 3, "seed": 7, "stream": 2, "position": 2**32 - 20}
    there = diffusion_noise(shape, device="cuda", **how)
    assert torch.equal(there.cpu(), diffusion_noise(shape, **how))


@pytest.mark.parametrize("shaped", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_the_cpus(shape, shaped):
    x, epsilon = torch.randn(shape), torch.randn(shape)
    spread = torch.rand(shape[:2]) if shaped else None
    how = {"scale": 1.2, "weight": 0.3, "deviation": 0.4, "step": 5, "seed": 7, "clip": True}
    there = diffusion_step(
        x.cuda(), epsilon.cuda(), spread=None if spread is None else spread.cuda(), **how
    )
    assert torch.equal(there.cpu(), diffusion_step(x, epsilon, spread=spread, **how))


def test_it_is_queued_on_torchs_stream_and_can_be_captured():
    x, epsilon = torch.randn(2, 480, 1, device="cuda"), torch.randn(2, 480, 1, device="cuda")
    how = {"scale": 1.2, "weight": 0.3, "deviation": 0.4, "step": 5}
    wanted = diffusion_step(x, epsilon, **how)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = diffusion_step(x, epsilon, **how)
    made.fill_(float("nan"))
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(made, wanted)


def test_what_does_not_fit_is_refused():
    x = torch.randn(2, 50, 3, device="cuda")
    how = {"scale": 1.0, "weight": 0.0, "deviation": 0.0, "step": 0}
    with pytest.raises(ValueError, match="one device"):
        diffusion_step(x, x[:, :3], **how)
    with pytest.raises(TypeError, match="float32"):
        diffusion_step(x, x.double(), **how)
