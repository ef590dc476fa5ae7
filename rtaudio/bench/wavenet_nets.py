"""The networks of `rtaudio bench wavenet`, with random weights, and those of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtaudio.graph import Activation, Mixture, MuLawSoftmax
from rtaudio.graph.graph import Graph
from rtaudio.graph.heads import Head
from rtaudio.models.autoregressive import Array, WaveNet, wavenet_vocoder
from rtaudio.models.wavenet import LayerArray, wavenet

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

FloatArray = NDArray[np.float32]

BLOCK = 64  # samples of a call
NAMES = ("small", "nvmed", "nv", "r9y9", "nam-standard", "nam-a2")


@dataclass(frozen=True)
class Network:
    """`config` is that of an autoregressive one of random weights, which peers can compute too."""

    model: Model
    sample_rate: int  # of its samples
    config: WaveNet | None = None

    @property
    def ratio(self) -> int:
        """Samples that leave for a frame that enters."""
        return int(self.model.graph.plan.output.rate)

    @property
    def macs_per_sample(self) -> float:
        return self.model.graph.plan.macs_per_frame / self.ratio


def load_network(
    name: str, precision: str, block_samples: int | None, device: str = "cpu"
) -> Network:
    """A preset, or a model file. Raises ModelFileError for a file that is none."""
    from rtaudio.runtime.model import load

    if name.startswith("nam-") and name in NAMES:
        graph = nam_standard() if name == "nam-standard" else nam_a2()
        return Network(_random(graph, name, precision, device), graph.sample_rate)
    if name in NAMES:
        config = preset(name, block_samples or BLOCK)
        return Network(
            _random(wavenet_vocoder(config), name, precision, device), config.sample_rate, config
        )
    model = load(Path(name), precision=precision, device=device)
    rate = int(model.metadata.get("audio_rate", "0")) or model.sample_rate
    return Network(model, rate)


def preset(name: str, hop: int) -> WaveNet:
    """The configurations of the shared specification of WaveNet kernels, section 0; the condition
    is a constant, computed once a frame."""
    channels, skip, hidden, layers, cycle, kernel = {
        "small": (32, 32, 256, 16, 8, 2),
        "nvmed": (64, 128, 256, 20, 10, 2),
        "nv": (64, 256, 256, 20, 10, 2),
        "r9y9": (128, 128, 128, 24, 6, 3),
    }[name]
    head: Head = MuLawSoftmax()
    if name == "r9y9":
        head = Mixture(distribution="logistic", components=10)
    dilations = tuple(2 ** (i % cycle) for i in range(layers))
    array = Array(channels=channels, hidden=channels, dilations=dilations, kernel_size=kernel)
    return WaveNet(
        sample_rate=22_050 if name == "r9y9" else 16_000,
        hop=hop,
        mel_channels=1,
        arrays=(array,),
        skip_channels=skip,
        head_channels=(hidden,),
        head=head,
        start=0.0 if name == "r9y9" else 128.0,
    )


def nam_standard() -> Graph:
    """Neural Amp Modeler's A1 "standard": two arrays of ten layers, 13,802 weights."""
    arrays = tuple(
        LayerArray(
            channels=channels,
            kernel_sizes=(3,) * 10,
            dilations=tuple(2**i for i in range(10)),
            hidden=channels,
            activation=Activation(function="tanh"),
            head_outputs=outputs,
        )
        for channels, outputs in ((16, 8), (8, 1))
    )
    return wavenet(arrays, None, 48_000)


def nam_a2() -> Graph:
    """Neural Amp Modeler's A2 of 8 channels: one array of 23 layers, deep in time."""
    cycle = (1, 3, 7, 17, 41, 101, 239)
    array = LayerArray(
        channels=8,
        kernel_sizes=(*(6,) * 14, 15, 15, *(6,) * 7),
        dilations=(*cycle, *cycle, 1, 13, *cycle),
        hidden=8,
        activation=Activation(function="leaky_relu", a=0.01),
        head_outputs=1,
        head_kernel_size=16,
    )
    return wavenet((array,), None, 48_000)


def _random(graph: Graph, name: str, precision: str, device: str) -> Model:
    from rtaudio.runtime.model import Model

    return Model.from_graph(graph, graph.initial_tensors(0), name, precision, device)
