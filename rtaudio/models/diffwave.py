"""DiffWave (2009.09761) as a vocoder: mel frames to speech in a few steps from noise, and PriorGrad
(2106.06406), whose noise is as loud as the mel says.

The network is that of the package diffwave: the mel is brought to the sample rate by two transposed
convolutions over time and bands, and every layer looks as far ahead as back, so a step needs
`lookahead` samples of mel to come: 3,069 for 30 layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaudio.diffusion import SCHEDULES
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    Activation,
    ConvTranspose1d,
    DiffWave,
    Graph,
    Layer,
    Linear,
    Merge,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.graph.layer import FloatArray
from rtaudio.models.specgrad import specgrad_noise
from rtaudio.models.steps import refine

SLOPE = 0.4
UPSAMPLING = (16, 16)
LARGEST_ENERGY, LEAST_SPREAD = 4.0, 0.1  # of PriorGrad


@dataclass(frozen=True, kw_only=True)
class DiffWaveVocoder:
    """Sizes of the network; those of DiffWave base unless said. `trained` are the betas that its
    steps counted in training, `betas` those of the chain it makes speech with. `energy_min` makes
    it PriorGrad: the least energy of a frame in its training data; 0: plain noise. `spectral` gives
    it the noise of SpecGrad by `specgrad_tensors`."""

    mel: str = "diffwave22"
    channels: int = 64
    dilations: tuple[int, ...] = tuple(2 ** (i % 10) for i in range(30))
    trained: tuple[float, ...] = SCHEDULES["diffwave-6"].training_betas
    betas: tuple[float, ...] = SCHEDULES["diffwave-6"].betas
    energy_min: float = 0.0
    spectral: bool = False

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

        if self.energy_min and self.spectral:
            raise GraphError("diffwave: its noise is PriorGrad's or SpecGrad's, not both.")

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
    if config.spectral:
        prior = specgrad_noise(config.preset, len(config.betas))
        layers = [Merge(op="cat", name="in", branches=(Serial(layers=tuple(layers)), prior))]
    layers.append(
        refine(
            network,
            config.betas,
            config.trained,
            clip=True,
            shaped=shaped,
            given=config.spectral,
        )
    )
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
