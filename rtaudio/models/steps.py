"""The steps of a diffusion model, whether a kernel of their own runs them or plain layers do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rtaudio.diffusion import Scheduler
from rtaudio.errors import ScheduleError
from rtaudio.graph import Chain, Graph, Layer, Noise, Refine
from rtaudio.graph.chain import rebuilt, walk
from rtaudio.models.diffwave import _with_steps, choose_betas


def chain(
    network: Layer, condition: int, betas: Sequence[float], trained: Sequence[float], *, clip: bool
) -> Chain:
    """A network that is told the noise level, with the chain of these betas, cleanest first. Raises
    ScheduleError where they go beyond what was trained."""
    scheduler = Scheduler(trained)
    scheduler.set_betas(betas)
    c = scheduler.coefficients()
    return Chain(
        name="refine",
        network=network,
        condition=condition,
        scales=tuple(c.c1[::-1].tolist()),
        weights=tuple(c.c2[::-1].tolist()),
        deviations=tuple(c.sigma[::-1].tolist()),
        # float32, as the package wavegrad hands them to its network
        levels=tuple(c.noise_levels[::-1].astype(np.float32).tolist()),
        trained=tuple(trained),
        clip=clip,
    )


def with_steps(graph: Graph, steps: int) -> Graph:
    """The same network in another number of steps. Raises ScheduleError where it has none, or was
    not trained on so many."""
    if not num_steps(graph):
        raise ScheduleError("this model has no diffusion steps; leave their number out.")

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Noise):
            return dataclasses.replace(layer, steps=steps)
        if isinstance(layer, (Refine, Chain)) and not layer.trained:
            raise ScheduleError("this model does not say what schedule it was trained on.")
        if isinstance(layer, Refine):
            return _with_steps(layer, steps)[0]
        if not isinstance(layer, Chain):
            return layer
        betas = choose_betas(layer.trained, steps)
        new = chain(layer.network, layer.condition, betas, layer.trained, clip=layer.clip)
        return dataclasses.replace(new, name=layer.name)

    return dataclasses.replace(graph, body=rebuilt(graph.body, change))


def num_steps(graph: Graph) -> int:
    """Diffusion steps that a sample goes through; 0 where the model has none."""
    each = (layer for layer in walk(graph.body) if isinstance(layer, (Refine, Chain)))
    return sum(len(layer.scales) for layer in each)
