"""Diffusion: a network that is run several times, from noise to sound (DDPM, 2006.11239; DiffWave,
2009.09761).

    Serial(layers=(
        ConvTranspose1d(outputs=80, ...), ...,                    # mel frames to the sample rate
        Refine(network=DiffWave(channels=64, ...), scales=..., weights=..., deviations=...),
    ))

A step needs a network's output alone, so all steps run at once: each is `lookahead` samples behind
the one before it, with queues of its own, and samples flow through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import numpy as np

from rtaudio.errors import GraphError
from rtaudio.graph.diffwave import DiffWave
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import MAX_FRAMES, FloatArray, Kernel, Layer, Window, check_range
from rtaudio.graph.plan import Plan, plan

MAX_STEPS = 1000
PREDICTIONS = ("epsilon", "v_prediction")
VARIANCES = ("fixed_small", "fixed_large")


@frozen
class Refine(Layer):
    """`network`, run once a step: x = scale (x - weight network(x, condition, timestep)) +
    deviation z, in the order of the steps, from x = z on; `clip` limits x to -1..1 after each.

    The input is [condition], or [condition; spread] where `shaped`: z, which is noise of variance
    1, is then multiplied by the spread (PriorGrad, 2106.06406); or [condition; z of each step]
    where z is `given`, `values` channels a step: what another prior makes of noise. A step is a
    place in `scales`, `weights`, `deviations` and `timesteps`; a Scheduler's coefficients, the
    noisiest first, are such. Noise is drawn at the frame's number and the number of steps that
    follow. `trained`, if given, are the betas of the chain whose steps the timesteps count,
    `prediction` what the network was trained to give and `variance` how a Scheduler chooses the
    deviations: these are for other numbers of steps alone.
    """

    kind: ClassVar[str] = "refine"

    network: Layer
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    deviations: tuple[float, ...]
    timesteps: tuple[float, ...]
    trained: tuple[float, ...] = ()
    prediction: str = "epsilon"
    variance: str = "fixed_small"
    clip: bool = False
    shaped: bool = False
    given: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.network, DiffWave):
            raise GraphError("refine: its network must be a diffwave.")
        for name, known in (("prediction", PREDICTIONS), ("variance", VARIANCES)):
            value = getattr(self, name)
            if value not in known:
                raise GraphError(f"refine: {name} is {value!r}; it must be {' or '.join(known)}.")
        steps = len(self.scales)
        check_range(self, steps=(steps, 1, MAX_STEPS))
        for name in ("weights", "deviations", "timesteps"):
            if len(getattr(self, name)) != steps:
                raise GraphError(
                    f"refine: {len(getattr(self, name))} {name} and {steps} scales; give one of "
                    "each a step."
                )
        if self.shaped and self.given:
            raise GraphError("refine: noise that is given has its shape; leave shaped out.")
        if self.given and self.deviations[-1:] != (0.0,):
            raise GraphError("refine: noise is given for all steps but the last; it must add none.")
        last = len(self.trained) - 1 if self.trained else 1e5
        for beta in self.trained:
            check_range(self, beta=(beta, 0.0, 1.0))
        for scale, weight in zip(self.scales, self.weights, strict=True):
            check_range(self, scale=(scale, 0.0, 1e3), weight=(weight, 0.0, 1e3))
        for deviation, timestep in zip(self.deviations, self.timesteps, strict=True):
            check_range(self, deviation=(deviation, 0.0, 1e3), timestep=(timestep, 0.0, last))
        check_range(self, trained=(len(self.trained), 0, 100_000))
        vectors = steps * len(self.inner.dilations) * self.inner.channels
        check_range(self, step_vectors=(vectors, 1, 1 << 24))
        check_range(self, lookahead=(steps * self.inner.lookahead, 0, MAX_FRAMES))

    @property
    def inner(self) -> DiffWave:
        assert isinstance(self.network, DiffWave)  # checked at construction
        return self.network

    @property
    def prior_channels(self) -> int:
        """Channels after the condition's."""
        return len(self.scales) * self.inner.values if self.given else int(self.shaped)

    def rule(self) -> Window:
        steps = len(self.scales)
        return Window(steps * self.inner.history + 1, 1, steps * self.inner.lookahead)

    def out_channels(self, channels: int) -> int:
        wanted = self.inner.condition + self.prior_channels
        if channels != wanted:
            raise GraphError(
                f"refine: {channels} channels come in, but its network takes {wanted}."
            )
        return self.inner.values

    def body_plan(self) -> Plan:
        """The network's, in plain layers."""
        return _plan_body(self.inner)

    def num_layers(self, channels: int) -> int:
        return len(self.inner.dilations) + 3

    def constant_floats(self, channels: int) -> int:
        return 3 * len(self.scales)

    def macs_per_frame(self, channels: int) -> float:
        return len(self.scales) * self.inner.macs_per_frame(channels)

    def kernel(self, channels: int) -> Kernel:
        kernel = self.inner.kernel(channels)
        shaped = 2 if self.given else int(self.shaped)
        ints = {"steps": len(self.scales), "clip": int(self.clip), "shaped": shaped}
        table = np.array([self.scales, self.weights, self.deviations], np.float32).T
        return Kernel(
            kernel.kind,
            {**kernel.ints, **ints},
            tensors={**kernel.tensors, "coefficients": np.ascontiguousarray(table)},
        )

    def fold(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {**tensors, "steps": self.inner.step_vectors(self.timesteps, tensors)}


@lru_cache(maxsize=64)
def _plan_body(network: DiffWave) -> Plan:
    return plan(network.body(), network.values + network.condition + network.embedding)
