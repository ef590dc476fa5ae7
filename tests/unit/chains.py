"""A chain of diffusion written out in float64 with the noise that the engine draws: what the models
that have one are tested against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rtaudio.diffusion import Scheduler
from rtaudio.diffusion.schedules import NoiseSchedule
from rtaudio.dsp.noise import normals
from rtaudio.graph import Graph, Noise, Refine


def noise(graph: Graph, count: int, step: int) -> torch.Tensor:
    """z of the first samples, for the step that so many more follow."""
    nodes = graph.plan.nodes
    site = next(n.output.buffer for n in nodes if isinstance(n.layer, (Noise, Refine)))
    z = normals(np.arange(count), 1, site=site, step=step)[:, 0]
    return torch.from_numpy(z.astype(np.float64))


def sample(
    graph: Graph,
    schedule: NoiseSchedule,
    count: int,
    network: Callable[[torch.Tensor, float], Any],
    *,
    told: str = "timesteps",
    spread: Any = 1.0,
) -> torch.Tensor:
    """predict() as the packages diffwave and wavegrad have it, for `count` samples: network(x,
    told) gives epsilon, where what it is told are the chain's "timesteps" or "noise_levels".
    `spread` multiplies all noise."""
    scheduler = Scheduler(schedule.training_betas)
    scheduler.set_betas(schedule.betas)
    c, last = scheduler.coefficients(), len(schedule.betas)
    x = spread * noise(graph, count, last)
    for n in reversed(range(last)):
        x = c.c1[n] * (x - c.c2[n] * network(x, float(np.float32(getattr(c, told)[n]))))
        if n > 0:
            x = x + c.sigma[n] * spread * noise(graph, count, n)
        x = x.clamp(-1, 1)
    return x
