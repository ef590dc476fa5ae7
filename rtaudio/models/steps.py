"""The steps of a diffusion model, whether a kernel of their own runs them or plain layers do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from rtaudio.diffusion import SCHEDULES, Scheduler, StepCoefficients
from rtaudio.errors import ScheduleError
from rtaudio.graph import Chain, DiffWave, FilteredNoise, Graph, Layer, Noise, Refine
from rtaudio.graph.chain import rebuilt, walk

if TYPE_CHECKING:
    from rtaudio.diffusion.scheduler import Prediction, Variance


def refine(
    network: DiffWave,
    betas: Sequence[float],
    trained: Sequence[float],
    *,
    clip: bool,
    shaped: bool = False,
    given: bool = False,
    prediction: str = "epsilon",
    variance: str = "fixed_small",
) -> Refine:
    """The network with the chain of these betas, cleanest first. Raises ScheduleError where they
    go beyond what was trained."""
    c = _coefficients(betas, trained, prediction, variance)
    return Refine(
        name="refine",
        network=network,
        scales=tuple(c.c1[::-1].tolist()),
        weights=tuple(c.c2[::-1].tolist()),
        deviations=tuple(c.sigma[::-1].tolist()),
        # float32, as the package diffwave hands them to its network
        timesteps=tuple(c.timesteps[::-1].astype(np.float32).tolist()),
        trained=tuple(trained),
        prediction=prediction,
        variance=variance,
        clip=clip,
        shaped=shaped,
        given=given,
    )


def choose_betas(trained: Sequence[float], steps: int) -> tuple[float, ...]:
    """A chain of so many steps for a network trained on `trained`: a published one where there is
    one, else steps of training spread evenly, the noisiest included. Raises ScheduleError."""
    for schedule in SCHEDULES.values():
        known = schedule.training_betas
        fits = len(schedule.betas) == steps and len(known) == len(trained)
        if fits and np.allclose(known, trained, rtol=1e-6, atol=0):
            return schedule.betas
    scheduler = Scheduler(trained)
    scheduler.set_timesteps(steps, "trailing")
    return tuple(scheduler.betas.tolist())


def chain(
    network: Layer, condition: int, betas: Sequence[float], trained: Sequence[float], *, clip: bool
) -> Chain:
    """A network that is told the noise level, with the chain of these betas, cleanest first. Raises
    ScheduleError where they go beyond what was trained."""
    c = _coefficients(betas, trained)
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


def _coefficients(
    betas: Sequence[float],
    trained: Sequence[float],
    prediction: str = "epsilon",
    variance: str = "fixed_small",
) -> StepCoefficients:
    scheduler = Scheduler(
        trained,
        prediction_type=cast("Prediction", prediction),
        variance_type=cast("Variance", variance),
    )
    scheduler.set_betas(betas)
    return scheduler.coefficients()


def with_steps(graph: Graph, steps: int) -> Graph:
    """The same network in another number of steps. Raises ScheduleError where it has none, or was
    not trained on so many."""
    if not num_steps(graph):
        raise ScheduleError("this model has no diffusion steps; leave their number out.")

    def change(layer: Layer) -> Layer:
        if isinstance(layer, (Noise, FilteredNoise)):
            return dataclasses.replace(layer, steps=steps)
        if isinstance(layer, (Refine, Chain)) and not layer.trained:
            raise ScheduleError("this model does not say what schedule it was trained on.")
        new: Layer
        if isinstance(layer, Refine):
            new = refine(
                layer.inner,
                choose_betas(layer.trained, steps),
                layer.trained,
                clip=layer.clip,
                shaped=layer.shaped,
                given=layer.given,
                prediction=layer.prediction,
                variance=layer.variance,
            )
        elif isinstance(layer, Chain):
            betas = choose_betas(layer.trained, steps)
            new = chain(layer.network, layer.condition, betas, layer.trained, clip=layer.clip)
        else:
            return layer
        return dataclasses.replace(new, name=layer.name)

    return dataclasses.replace(graph, body=rebuilt(graph.body, change))


def num_steps(graph: Graph) -> int:
    """Diffusion steps that a sample goes through; 0 where the model has none."""
    each = (layer for layer in walk(graph.body) if isinstance(layer, (Refine, Chain)))
    return sum(len(layer.scales) for layer in each)
