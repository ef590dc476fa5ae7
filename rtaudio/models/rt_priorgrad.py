"""rt-priorgrad-24k: mel frames to speech by a causal DiffWave over four samples at a time, with the
noise of PriorGrad (2106.06406).

A frame of four samples is one column of the network, at 6 kHz, so that a layer costs a quarter; it
sees the past alone, and so does the mel (frames of 20 ms that end with their hop). A pushed frame
becomes its 10 ms of samples at once, in any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaudio.diffusion import SCHEDULES
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    Conv1d,
    ConvTranspose1d,
    DiffWave,
    Graph,
    Linear,
    Merge,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.graph.layer import FloatArray
from rtaudio.models.diffwave import choose_betas, refine, spread, spread_tensors

TRAINED = SCHEDULES["diffwave-50"].betas
QUIETEST = 11.5  # the mel of silence is -QUIETEST


@dataclass(frozen=True, kw_only=True)
class RtPriorGrad:
    """Sizes of the network. `values`: samples a column."""

    mel: str = "rt24"
    values: int = 4
    channels: int = 64
    dilations: tuple[int, ...] = tuple(2 ** (i % 7) for i in range(20))
    condition_hidden: int = 128
    condition: int = 32
    condition_kernel_size: int = 3
    embedding_hidden: int = 128
    energy_min: float = 0.0283  # of silence, whose mel is all floor
    steps: int = 4

    def __post_init__(self) -> None:
        if self.preset.hop % self.values:
            raise GraphError(
                f"rt-priorgrad: columns of {self.values} do not divide a hop of {self.preset.hop}."
            )

    @property
    def preset(self) -> MelPreset:
        return find_preset(self.mel)

    @property
    def steps_per_frame(self) -> int:
        """Columns of a mel frame."""
        return self.preset.hop // self.values

    @property
    def network(self) -> DiffWave:
        return DiffWave(
            values=self.values,
            condition=self.condition,
            channels=self.channels,
            dilations=self.dilations,
            embedding_hidden=self.embedding_hidden,
            causal=True,
        )


def rt_priorgrad(config: RtPriorGrad) -> Graph:
    """Mel frames in, hop samples a frame out, without lookahead."""
    betas = choose_betas(TRAINED, config.steps)
    layers = (
        Merge(op="cat", name="frame", branches=(condition(config), spread(config.energy_min))),
        Upsample(factor=config.steps_per_frame),
        refine(config.network, betas, TRAINED, clip=True, shaped=True),
        ConvTranspose1d(
            name="samples", outputs=1, kernel_size=config.values, stride=config.values, bias=False
        ),
    )
    return Graph(
        body=Serial(layers=layers),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def condition(config: RtPriorGrad) -> Serial:
    """Mel frames to what they tell every column of theirs."""
    return Serial(
        name="condition",
        layers=(
            # The mel of silence becomes 0, which is also what the convolution's edges see.
            Activation(function="affine", a=0.2, b=0.2 * QUIETEST),
            Conv1d(
                name="mel",
                outputs=config.condition_hidden,
                kernel_size=config.condition_kernel_size,
            ),
            Activation(function="tanh"),
            Linear(name="out", outputs=config.condition),
            Activation(function="tanh"),
        ),
    )


def fixed_tensors(config: RtPriorGrad) -> dict[str, FloatArray]:
    """Those that are not trained: the sum of the prior, and a column's values in their order."""
    order = np.eye(config.values, dtype=np.float32)[:, None]
    sums = spread_tensors(config.preset.num_mels)
    return {"samples.weight": order, **{f"frame.{n}": v for n, v in sums.items()}}
