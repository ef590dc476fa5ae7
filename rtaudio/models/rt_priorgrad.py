"""rt-priorgrad-24k: mel frames to speech by a causal DiffWave over eight samples at a time.

Diffusion begins from a prior that the mel decides (PriorGrad, 2106.06406): its mean is pulses
behind a filter, its covariance another filter's. Both filters and the pitch are read from the mel
frame by frame, as WORLD would hear them in the recording, and answer within their frame, of least
phase (as SpecGrad's noise, 2203.16749). The network works where the prior is white noise of unit
power, and is given the pulses (as in neural source-filter networks, Wang et al., 1904.12088).

Eight samples are one column of the network, at 3 kHz, so that a layer costs an eighth; it sees the
past alone, and so does the mel (frames of 20 ms that end with their hop). A pushed frame becomes
its 10 ms of samples at once, in any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.bands import straight_lines
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.errors import GraphError
from rtaudio.graph import (
    STFT,
    Activation,
    Cepstrum,
    Channels,
    Conv1d,
    ConvTranspose1d,
    DeepFilter,
    DiffWave,
    Graph,
    HopISTFT,
    Linear,
    Merge,
    MinimumPhase,
    PulseTrain,
    Refine,
    Serial,
    StreamPort,
    Upsample,
)
from rtaudio.graph.layer import FloatArray
from rtaudio.models.rt_wavenet_source import (
    LARGEST_GAIN,
    LEAST_GAIN,
    heard,
    heard_tensors,
    pitch_hertz,
    trunk,
)
from rtaudio.models.specgrad import complex_exp
from rtaudio.models.steps import choose_betas, refine

# It ends while 60 % of the power is signal, whose place the prior's noise takes: the two are much
# alike. The network gives v (2202.00512).
TRAINED = tuple(np.linspace(1e-4, 0.02, 50).tolist())
TRUNK = ((5, 1, 0), (3, 1, 0), (3, 1, 0), (3, 2, 0))  # kernel size, dilation, lookahead
# Envelopes are smoothed in the cepstrum; what rings for longer than two hops is cut.
ORDER, RINGING = 120, 2
WHITE = "speech.white.0.made"  # where tensors of the network's part of the graph are


@dataclass(frozen=True, kw_only=True)
class RtPriorGrad:
    """Sizes of the network. `values`: samples a column."""

    mel: str = "rt24"
    values: int = 8
    channels: int = 64
    dilations: tuple[int, ...] = tuple(2 ** (i % 7) for i in range(20))
    condition_hidden: int = 128
    condition: int = 32
    condition_kernel_size: int = 3
    pitch_channels: int = 128
    pitches: int = 96
    shape_channels: int = 128
    embedding_hidden: int = 128
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
    def filter_size(self) -> int:
        """Of the transform by which a hop is filtered, together with what rings after it."""
        return (1 + RINGING) * self.preset.hop

    @property
    def bins(self) -> int:
        return self.filter_size // 2 + 1

    @property
    def hops(self) -> STFT:
        """The spectrum of every hop by itself."""
        hop, size = self.preset.hop, self.filter_size
        return STFT(window=hop, hop=hop, window_kind="rectangular", fft_size=size)

    @property
    def network(self) -> DiffWave:
        return DiffWave(
            values=self.values,
            condition=self.condition + self.values,
            channels=self.channels,
            dilations=self.dilations,
            embedding_hidden=self.embedding_hidden,
            causal=True,
        )


def rt_priorgrad(config: RtPriorGrad) -> Graph:
    """Mel frames in, hop samples a frame out, without lookahead."""
    filters, heard_channels = 4 * config.bins, 2 + config.condition
    listening = heard(trunk(config.preset, "trunk", config.pitch_channels, TRUNK), config.pitches)
    frame = Merge(
        op="cat", name="frame", branches=(prior_filters(config), listening, condition(config))
    )
    told = Serial(
        layers=(Channels(begin=2, end=heard_channels), Upsample(factor=config.steps_per_frame)),
    )
    white = Serial(
        name="white",
        layers=(
            Channels(begin=filters, end=filters + heard_channels),
            Merge(op="cat", name="in", branches=(told, columns(config))),
            refined(config),
            ConvTranspose1d(
                name="samples",
                outputs=1,
                kernel_size=config.values,
                stride=config.values,
                bias=False,
            ),
        ),
    )
    mean = Serial(name="mean", layers=(Channels(begin=filters, end=filters + 2), pulses(config)))
    return Graph(
        body=Serial(
            layers=(
                frame,
                Merge(
                    op="add",
                    name="speech",
                    branches=(filtered(config, 0, mean), filtered(config, 1, white)),
                ),
                HopISTFT(fft_size=config.filter_size, hop=config.preset.hop),
            ),
        ),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def filtered(config: RtPriorGrad, which: int, samples: Serial) -> Serial:
    """Spectra of the hops of what `samples` makes of a frame, behind the first or second filter of
    that frame."""
    bins = config.bins
    filter = Channels(begin=2 * bins * which, end=2 * bins * (which + 1))
    spectra = Serial(name="made", layers=(*samples.layers, config.hops))
    return Serial(
        name=samples.name,
        layers=(
            Merge(op="cat", name="", branches=(filter, spectra)),
            DeepFilter(taps=1, bins=bins),
        ),
    )


def refined(config: RtPriorGrad) -> Refine:
    return refine(
        config.network,
        choose_betas(TRAINED, config.steps),
        TRAINED,
        clip=False,
        prediction="v_prediction",
        variance="fixed_large",  # right where nothing is found, in white noise
    )


def prior_filters(config: RtPriorGrad) -> Serial:
    """Mel frames to [re; im] of the filters of the pulses and of the noise."""
    mels = config.preset.num_mels
    scaled = Activation(function="affine", a=0.2, b=-0.2 * float(np.log(config.preset.floor)))
    seen = Merge(
        op="cat",
        name="",
        branches=(trunk(config.preset, "trunk", config.shape_channels, TRUNK), scaled),
    )
    above = Serial(name="", layers=(seen, Linear(name="above", outputs=2 * mels)))
    twice = Merge(op="cat", branches=(Serial(), Serial()))
    both = tuple(
        Serial(
            name="",
            layers=(Channels(begin=i * mels, end=(i + 1) * mels), minimum_phase(config)),
        )
        for i in range(2)
    )
    return Serial(
        name="filters",
        layers=(
            Merge(op="add", name="gains", branches=(above, twice)),
            Merge(op="cat", name="of", branches=both),
        ),
    )


def minimum_phase(config: RtPriorGrad) -> Serial:
    """Log gains of the mel's bands to [re; im] of their filter."""
    size = config.filter_size
    return Serial(
        layers=(
            Linear(name="bins", outputs=config.bins, bias=False),
            Activation(function="clamp", a=LEAST_GAIN, b=LARGEST_GAIN),
            Cepstrum(fft_size=size, order=ORDER),
            MinimumPhase(fft_size=size, order=ORDER),
            complex_exp(config.bins),
        ),
    )


def condition(config: RtPriorGrad) -> Serial:
    """Mel frames to what they tell every column of theirs."""
    return Serial(
        name="condition",
        layers=(
            # The mel of silence becomes 0, which is also what the convolution's edges see.
            Activation(function="affine", a=0.2, b=-0.2 * float(np.log(config.preset.floor))),
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


def pulses(config: RtPriorGrad) -> Serial:
    """[turns a sample; log of the voicing; ...] of frames to samples."""
    hop = config.preset.hop
    train = Serial(layers=(Channels(begin=0, end=1), Upsample(factor=hop), PulseTrain()))
    voicing = Serial(
        layers=(Channels(begin=1, end=2), Activation(function="exp"), Upsample(factor=hop))
    )
    return Serial(layers=(Merge(op="mul", name="", branches=(train, voicing)),))


def columns(config: RtPriorGrad) -> Serial:
    """The same as columns."""
    n = config.values
    joined = Conv1d(name="columns", outputs=n, kernel_size=n, stride=n, bias=False)
    return Serial(name="pulses", layers=(*pulses(config).layers, joined))


def fixed_tensors(config: RtPriorGrad) -> dict[str, FloatArray]:
    """Those that are not trained."""
    n, pitch = config.values, "frame.pitch.2.0"
    lines = band_lines(config)
    found = {
        **{f"frame.filters.of.{i}.1.bins.weight": lines for i in range(2)},
        **{
            f"{pitch}.{name}": value
            for name, value in heard_tensors(
                pitch_hertz(config.pitches), config.preset.sample_rate
            ).items()
        },
        f"{WHITE}.in.pulses.columns.weight": np.eye(n)[:, None],
        f"{WHITE}.samples.weight": np.eye(n)[:, None],
    }
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def band_lines(config: RtPriorGrad) -> NDArray[np.float64]:
    """[bins, mels]: straight lines between the mel's bands."""
    hertz = np.arange(config.bins) * config.preset.sample_rate / config.filter_size
    return straight_lines(hertz, config.preset.centres)
