"""DiffWave (2009.09761) as a vocoder: mel frames to speech in a few steps from noise, and PriorGrad
(2106.06406), whose noise is as loud as the mel says.

The network is that of the package diffwave: the mel is brought to the sample rate by two transposed
convolutions over time and bands, and every layer looks as far ahead as back, so a step needs
`lookahead` samples of mel to come: 3,069 for 30 layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from rtaudio.diffusion import SCHEDULES, Scheduler
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError, ScheduleError
from rtaudio.graph import (
    Activation,
    ConvTranspose1d,
    DiffWave,
    Graph,
    Layer,
    Linear,
    Merge,
    Refine,
    Residual,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.graph.layer import FloatArray

if TYPE_CHECKING:
    from rtaudio.diffusion.scheduler import Prediction

SLOPE = 0.4
UPSAMPLING = (16, 16)
LARGEST_ENERGY, LEAST_SPREAD = 4.0, 0.1  # of PriorGrad


@dataclass(frozen=True, kw_only=True)
class DiffWaveVocoder:
    """Sizes of the network; those of DiffWave base unless said. `trained` are the betas that its
    steps counted in training, `betas` those of the chain it makes speech with. `energy_min` makes
    it PriorGrad: the least energy of a frame in its training data; 0: plain noise."""

    mel: str = "diffwave22"
    channels: int = 64
    dilations: tuple[int, ...] = tuple(2 ** (i % 10) for i in range(30))
    trained: tuple[float, ...] = SCHEDULES["diffwave-6"].training_betas
    betas: tuple[float, ...] = SCHEDULES["diffwave-6"].betas
    energy_min: float = 0.0

    def __post_init__(self) -> None:
        if self.preset.hop != UPSAMPLING[0] * UPSAMPLING[1]:
            raise GraphError(
                f"diffwave: {self.mel} has a hop of {self.preset.hop}; the network makes "
                f"{UPSAMPLING[0] * UPSAMPLING[1]} samples of a frame."
            )
        if not 0.0 <= self.energy_min < LARGEST_ENERGY:
            raise GraphError(
                f"priorgrad: energy_min is {self.energy_min:g}; it must be 0 to {LARGEST_ENERGY:g}."
            )

    @property
    def preset(self) -> MelPreset:
        return find_preset(self.mel)


def diffwave_vocoder(config: DiffWaveVocoder) -> Graph:
    """Mel frames in, hop samples a frame out."""
    bands = config.preset.num_mels
    layers: list[Layer] = []
    for i, factor in enumerate(UPSAMPLING):
        layers += [
            ConvTranspose1d(
                name=f"up.{i}",
                outputs=bands,
                kernel_size=2 * factor,
                stride=factor,
                crop=factor // 2,
            ),
            Activation(function="leaky_relu", a=SLOPE),
        ]
    network = DiffWave(condition=bands, channels=config.channels, dilations=config.dilations)
    shaped = config.energy_min > 0
    if shaped:
        repeated = (spread(config.energy_min), Upsample(factor=config.preset.hop))
        branches = (Serial(layers=tuple(layers)), Serial(name="prior", layers=repeated))
        layers = [Merge(op="cat", name="in", branches=branches)]
    layers.append(refine(network, config.betas, config.trained, clip=True, shaped=shaped))
    return Graph(
        body=Serial(layers=tuple(layers)),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=bands, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def spread(energy_min: float) -> Serial:
    """PriorGrad's standard deviation of the noise (2106.06406, section 4.1, with the constants of
    its code), from natural logarithms of mels: a value a frame."""
    scale = 1.0 / (LARGEST_ENERGY - energy_min)
    return Serial(
        name="spread",
        layers=(
            Activation(function="exp"),
            Linear(name="sum", outputs=1, bias=False),
            Activation(function="sqrt"),
            Activation(function="clamp", a=0.0, b=LARGEST_ENERGY),
            Activation(function="affine", a=scale, b=-energy_min * scale),
            Activation(function="clamp", a=LEAST_SPREAD, b=1.0),
        ),
    )


def spread_tensors(num_mels: int) -> dict[str, FloatArray]:
    return {"spread.sum.weight": np.ones((1, num_mels), np.float32)}


def refine(
    network: DiffWave,
    betas: Sequence[float],
    trained: Sequence[float],
    *,
    clip: bool,
    shaped: bool = False,
    prediction: str = "epsilon",
) -> Refine:
    """The network with the chain of these betas, cleanest first. Raises ScheduleError where they
    go beyond what was trained."""
    scheduler = Scheduler(trained, prediction_type=cast("Prediction", prediction))
    scheduler.set_betas(betas)
    c = scheduler.coefficients()
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
        clip=clip,
        shaped=shaped,
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


def with_steps(graph: Graph, steps: int) -> Graph:
    """The same network in another number of steps. Raises ScheduleError where it has none, or was
    not trained on so many."""
    body, found = _with_steps(graph.body, steps)
    if not found:
        raise ScheduleError("this model has no diffusion steps; leave their number out.")
    return dataclasses.replace(graph, body=body)


def num_steps(graph: Graph) -> int:
    """Diffusion steps that a sample goes through; 0 where the model has none."""
    return sum(len(n.layer.scales) for n in graph.plan.nodes if isinstance(n.layer, Refine))


def _with_steps(layer: Layer, steps: int) -> tuple[Layer, bool]:
    if isinstance(layer, Refine):
        if not layer.trained:
            raise ScheduleError("this model does not say what schedule it was trained on.")
        betas = choose_betas(layer.trained, steps)
        new = refine(
            layer.inner,
            betas,
            layer.trained,
            clip=layer.clip,
            shaped=layer.shaped,
            prediction=layer.prediction,
        )
        return dataclasses.replace(new, name=layer.name), True
    if isinstance(layer, (Serial, Merge)):
        parts = [_with_steps(child, steps) for child in layer.children()]
        children = tuple(child for child, _ in parts)
        changed = any(found for _, found in parts)
        if isinstance(layer, Serial):
            return dataclasses.replace(layer, layers=children), changed
        return dataclasses.replace(layer, branches=children), changed
    if isinstance(layer, Residual):
        child, changed = _with_steps(layer.body, steps)
        return dataclasses.replace(layer, body=child), changed
    return layer, False
