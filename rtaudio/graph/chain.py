"""Diffusion by any network, its steps one after the other as plain layers.

    Serial(layers=(
        Upsample(factor=300),                                    # mels at the sample rate
        Merge(op="cat", branches=(Serial(), Noise(steps=6))),
        Chain(network=..., condition=128, scales=..., weights=..., deviations=..., levels=...),
    ))

`Refine` is the same with a kernel of its own, for DiffWave alone. Here each step is a part of the
plan: its delays are the plan's, and its tensors are those of every other step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.composite import Merge, Serial, Unrolled
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import MAX_CHANNELS, Layer, check_range
from rtaudio.graph.noise import MAX_VALUES, NoiseLevel
from rtaudio.graph.pointwise import Activation, Channels

MAX_STEPS = 200


@frozen
class Chain(Unrolled):
    """`network`, run once a step: x = scale (x - weight network([condition; x])) + deviation z,
    from x = z on; `clip` limits x to -1..1 after each step.

    The input is [condition; z of each step], `condition` and steps * `values` channels: a Noise,
    or what a prior makes of it. A step is a place in `scales`, `weights`, `deviations` and
    `levels`, the noisiest first; every NoiseLevel in the network has the step's level. `trained`,
    if given, are the betas of the chain that the network was trained on.
    """

    kind: ClassVar[str] = "chain"

    network: Layer
    condition: int
    values: int = 1
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    deviations: tuple[float, ...]
    levels: tuple[float, ...]
    trained: tuple[float, ...] = ()
    clip: bool = False

    def __post_init__(self) -> None:
        steps = len(self.scales)
        check_range(
            self,
            steps=(steps, 1, MAX_STEPS),
            condition=(self.condition, 1, MAX_CHANNELS),
            values=(self.values, 1, MAX_VALUES),
            trained=(len(self.trained), 0, 100_000),
        )
        for name in ("weights", "deviations", "levels"):
            if len(getattr(self, name)) != steps:
                raise GraphError(
                    f"chain: {len(getattr(self, name))} {name} and {steps} scales; give one of "
                    "each a step."
                )
        for beta in self.trained:
            check_range(self, beta=(beta, 0.0, 1.0))
        for i in range(steps):
            check_range(
                self,
                scale=(self.scales[i], 0.0, 1e3),
                weight=(self.weights[i], 0.0, 1e3),
                deviation=(self.deviations[i], 0.0, 1e3),
                level=(self.levels[i], 0.0, 1.0),
            )

    def parts(self) -> tuple[Layer, ...]:
        return tuple(self._step(i) for i in range(len(self.scales)))

    def _step(self, index: int) -> Layer:
        """[condition; x; z of the steps to come] to the same, with one z less."""
        k, v = self.condition, self.values
        z = k + v  # where the next step's noise begins
        scale, deviation = self.scales[index], self.deviations[index]
        network = dataclasses.replace(self.network, name="network")
        found = (Channels(begin=0, end=z), at_level(network, self.levels[index]))
        branches: tuple[Layer, ...] = (
            Serial(layers=(Channels(begin=k, end=z), _times(scale))),
            Serial(name="found", layers=(*found, _times(-scale * self.weights[index]))),
        )
        left = len(self.scales) - 1 - index
        if left and deviation:
            noise = Serial(layers=(Channels(begin=z, end=z + v), _times(deviation)))
            branches = (*branches, noise)
        update: tuple[Layer, ...] = (Merge(op="add", name="x", branches=branches),)
        if self.clip:
            update = (*update, Activation(function="clamp", a=-1.0, b=1.0))
        new = Serial(name="step", layers=update)
        if not left:
            return Serial(layers=(new,))
        kept: tuple[Layer, ...] = (Channels(begin=0, end=k), new)
        if left > 1:
            kept = (*kept, Channels(begin=z + v, end=z + left * v))
        return Merge(op="cat", branches=kept)


def at_level(network: Layer, level: float) -> Layer:
    """The network with every NoiseLevel at `level`."""

    def change(layer: Layer) -> Layer:
        return dataclasses.replace(layer, level=level) if isinstance(layer, NoiseLevel) else layer

    return rebuilt(network, change)


def rebuilt(layer: Layer, change: Callable[[Layer], Layer]) -> Layer:
    """The layer with what `change` makes of it, or else of the layers in it."""
    changed = change(layer)
    if changed is not layer:
        return changed
    new: dict[str, Any] = {}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, Layer):
            new[field.name] = rebuilt(value, change)
        elif isinstance(value, tuple) and value and isinstance(value[0], Layer):
            new[field.name] = tuple(rebuilt(each, change) for each in value)
    return dataclasses.replace(layer, **new) if new else layer


def walk(layer: Layer) -> Iterator[Layer]:
    """The layer and every one in it, as they were written."""
    yield layer
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Layer):
                yield from walk(each)


def _times(factor: float) -> Activation:
    return Activation(function="affine", a=factor)
