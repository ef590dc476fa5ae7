"""rt-priorgrad-24k: mel frames to speech by a causal DiffWave over eight samples at a time.

The mel's envelope is taken out of the speech and comes back behind the network, as a filter a
frame that answers within it: every sample of what the network makes rings as its own frame says.
What is left to make is the excitation, of about unit power and a flat spectrum, where noise that is
as loud at each frequency as the mel says (PriorGrad, 2106.06406; SpecGrad, 2203.16749) is white.
Pitch is read from the mel, and its pulses are given to the network (as in neural source-filter
networks, Wang et al., 1904.12088), which need not find it in noise.

Eight samples are one column of the network, at 3 kHz, so that a layer costs an eighth; it sees the
past alone, and so does the mel (frames of 20 ms that end with their hop). A pushed frame becomes
its 10 ms of samples at once, in any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.diffusion import SCHEDULES
from rtaudio.diffusion.schedules import zero_terminal_snr
from rtaudio.dsp.bands import mel_points
from rtaudio.dsp.presets import MelPreset, find_preset
from rtaudio.dsp.windows import analysis_window
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
    Permute,
    PulseTrain,
    Refine,
    Serial,
    StreamPort,
    Tile,
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

# DiffWave's chain, stretched to end in hardly more than noise; the network gives v (2202.00512).
TRAINED = tuple(zero_terminal_snr(SCHEDULES["diffwave-50"].betas, last=0.01).tolist())
TRUNK = ((5, 1, 0), (3, 1, 0), (3, 1, 0), (3, 2, 0))  # kernel size, dilation, lookahead
# The envelope is smoothed in the cepstrum; what rings for longer than two hops is cut.
ORDER, RINGING = 60, 2
PULSE_COLUMNS = 5  # that a filter of the pulses sees
LARGEST = 20.0  # of what the network is to make: a pulse of 60 Hz and unit power


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
    pulse_filters: int = 8
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
    heard_channels, bins = 2 + config.condition, config.bins
    listening = heard(trunk(config.preset, "trunk", config.pitch_channels, TRUNK), config.pitches)
    frame = Merge(op="cat", name="frame", branches=(envelope(config), listening, condition(config)))
    told = Serial(
        layers=(Channels(begin=2, end=heard_channels), Upsample(factor=config.steps_per_frame)),
    )
    excitation = Serial(
        name="excitation",
        layers=(
            Channels(begin=2 * bins, end=2 * bins + heard_channels),
            Merge(op="cat", name="in", branches=(told, source(config))),
            Merge(op="add", name="made", branches=(refined(config), mean(config))),
            ConvTranspose1d(
                name="samples",
                outputs=1,
                kernel_size=config.values,
                stride=config.values,
                bias=False,
            ),
            config.hops,
        ),
    )
    return Graph(
        body=Serial(
            layers=(
                frame,
                Merge(
                    op="cat", name="speech", branches=(Channels(begin=0, end=2 * bins), excitation)
                ),
                DeepFilter(taps=1, bins=bins),
                HopISTFT(fft_size=config.filter_size, hop=config.preset.hop),
            ),
        ),
        sample_rate=config.preset.sample_rate // config.preset.hop,
        input=StreamPort(name="mel", channels=config.preset.num_mels, unit=config.mel),
        output=StreamPort(name="audio"),
    )


def refined(config: RtPriorGrad) -> Refine:
    return refine(
        config.network,
        choose_betas(TRAINED, config.steps),
        TRAINED,
        clip=False,
        prediction="v_prediction",
    )


def mean(config: RtPriorGrad) -> Serial:
    """Columns of what the mel tells and of pulses to the part of the excitation that is no chance:
    the pulses behind a few filters, each as strong as the mel asks. The chain makes the rest, so
    that the mean of its noise is not 0 (as PriorGrad's may be) but this."""
    n, kinds, told = config.values, config.pulse_filters, config.condition
    filters = Conv1d(name="filters", outputs=n * kinds, kernel_size=PULSE_COLUMNS, bias=False)
    strengths = Serial(
        name="strengths",
        layers=(
            Channels(begin=0, end=told),
            Linear(name="out", outputs=kinds),
            Activation(function="sigmoid"),
            Tile(times=n),
            Permute(shape=(n, kinds), order=(1, 0)),
        ),
    )
    filtered = Serial(name="filtered", layers=(Channels(begin=told, end=told + n), filters))
    return Serial(
        name="mean",
        layers=(
            Merge(op="mul", name="", branches=(filtered, strengths)),
            Linear(name="out", outputs=n, bias=False),
        ),
    )


def envelope(config: RtPriorGrad) -> Serial:
    """Mel frames to [re; im] of their filters, of minimum phase."""
    size = config.filter_size
    return Serial(
        name="envelope",
        layers=(
            Linear(name="bins", outputs=config.bins),
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


def source(config: RtPriorGrad) -> Serial:
    """[turns a sample; log of the voicing; ...] of frames to columns of pulses."""
    hop = config.preset.hop
    pulses = Serial(layers=(Channels(begin=0, end=1), Upsample(factor=hop), PulseTrain()))
    voicing = Serial(
        layers=(Channels(begin=1, end=2), Activation(function="exp"), Upsample(factor=hop))
    )
    return Serial(
        name="source",
        layers=(
            Merge(op="mul", name="", branches=(pulses, voicing)),
            Conv1d(
                name="columns",
                outputs=config.values,
                kernel_size=config.values,
                stride=config.values,
                bias=False,
            ),
        ),
    )


def fixed_tensors(config: RtPriorGrad) -> dict[str, FloatArray]:
    """Those that are not trained."""
    n = config.values
    pitch = heard_tensors(pitch_hertz(config.pitches), config.preset.sample_rate)
    lines, flat = envelope_lines(config)
    found = {
        "frame.envelope.bins.weight": lines,
        "frame.envelope.bins.bias": -lines @ flat,
        **{f"frame.pitch.2.0.{name}": value for name, value in pitch.items()},
        "speech.excitation.in.source.columns.weight": np.eye(n)[:, None],
        "speech.excitation.samples.weight": np.eye(n)[:, None],
    }
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def envelope_lines(config: RtPriorGrad) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[bins, mels], straight lines between the bands; and the mel of white noise of unit power,
    whose filter shall be 1: bins of it have a mean amplitude of sqrt(pi E) / 2, E the energy of the
    window."""
    preset = config.preset
    top = preset.high_hz or preset.sample_rate / 2
    centres = mel_points(preset.num_mels, preset.low_hz, top, preset.scale)[1:-1]
    hertz = np.arange(config.bins) * preset.sample_rate / config.filter_size
    lines = np.stack([np.interp(hertz, centres, row) for row in np.eye(preset.num_mels)], 1)
    energy = np.sum(analysis_window("hann", preset.window, preset.hop) ** 2)
    return lines, np.log(preset.filters.sum(1) * np.sqrt(np.pi * energy) / 2)
