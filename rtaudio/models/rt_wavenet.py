"""rt-wavenet: mel frames to speech with a WaveNet over a voice's source.

A small network reads pitch, voicing and two envelopes from the mel. Pulses at that pitch and noise,
each filtered by its envelope (by minimum phase the pulses), are speech already, as in WORLD (Morise
et al., 2016); a gated stack that steps at 1/bands of the sample rate, over the bands of a filter
bank, adds what such a model lacks, as in neural source-filter networks (Wang et al., 1904.12088).
It sees and makes signals of about unit power: the levels of the bands, read from the mel, are taken
out of them and come back after it, so that silence stays silent.
"""

from __future__ import annotations

from rtaudio.dsp.pqmf import TAPS
from rtaudio.graph import (
    Activation,
    Channels,
    Conv1d,
    ConvTranspose1d,
    GatedStack,
    Graph,
    Linear,
    Merge,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.models.rt_wavenet_source import (
    LARGEST,
    QUIETEST,
    RtWaveNet,
    controls,
    features,
    harmonics,
    noise,
)

__all__ = ["RtWaveNet", "rt_wavenet"]


def rt_wavenet(config: RtWaveNet) -> Graph:
    """Mel frames in, hop samples a frame out."""
    n, c = config.bands, config.condition_channels
    complex_bins = 2 * config.bins
    sources = Merge(
        op="cat",
        branches=(
            harmonics(config, gains=Channels(begin=1, end=1 + complex_bins)),
            noise(config, gains=Channels(begin=1 + complex_bins, end=1 + 3 * config.bins)),
        ),
    )
    begin = 1 + 3 * config.bins
    condition = Serial(
        layers=(
            Channels(begin=begin, end=begin + c + n),
            Upsample(factor=config.steps_per_frame, mode="linear"),
        )
    )
    added = tuple(Channels(begin=i * n, end=(i + 1) * n) for i in range(2))
    layers = (
        features(config),
        controls(config),
        Merge(op="cat", branches=(sources, condition)),
        Merge(op="add", branches=(correction(config), *added)),
        ConvTranspose1d(
            name="synthesis", outputs=1, kernel_size=TAPS, stride=n, crop=TAPS // 2, bias=False
        ),
    )
    return Graph(
        body=Serial(layers=layers),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def correction(config: RtWaveNet) -> Merge:
    """[bands of the pulses; of the noise; condition; levels] to what the gated stack adds."""
    n, c = config.bands, config.condition_channels
    end = 2 * n + c + n
    levels = Channels(begin=end - n, end=end)
    inverse = Serial(layers=(levels, Activation(function="affine", a=-1.0, b=-QUIETEST)))
    one = Serial(layers=(Channels(begin=0, end=2 * n),))
    inverse = Serial(
        layers=(inverse, Activation(function="exp"), Merge(op="cat", branches=(Serial(), Serial())))
    )
    start = Merge(
        op="add",
        name="input",
        branches=(
            Serial(
                layers=(
                    Merge(op="mul", branches=(one, inverse)),
                    Activation(function="clamp", a=-LARGEST, b=LARGEST),
                    Conv1d(
                        name="conv",
                        outputs=config.channels,
                        kernel_size=config.input_kernel_size,
                        bias=False,
                    ),
                )
            ),
            Channels(begin=2 * n, end=2 * n + config.channels),
        ),
    )
    network = Serial(
        name="network",
        layers=(
            Merge(
                op="cat",
                name="start",
                branches=(start, Channels(begin=2 * n + config.channels, end=2 * n + c)),
            ),
            GatedStack(
                name="stack",
                channels=config.channels,
                gate_channels=config.channels,
                skip_channels=config.channels,
                kernel_size=config.kernel_size,
                dilations=config.dilations,
                conditioned=True,
            ),
            Activation(function="relu"),
            Linear(name="head", outputs=config.channels),
            Activation(function="relu"),
            Linear(name="out", outputs=n),
        ),
    )
    scale = Serial(
        layers=(
            levels,
            Activation(function="affine", a=1.0, b=QUIETEST),
            Activation(function="exp"),
        )
    )
    return Merge(op="mul", branches=(network, scale))
