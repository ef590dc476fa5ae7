"""GTCRN: grouped convolutions over maps [band, channel], recurrent layers along both axes.

Rong, Sun, Zhang, Hu, Zhu and Lu, "GTCRN: a speech enhancement model requiring ultralow
computational resources" (ICASSP 2024): 16 kHz, frames of 512 samples, a hop of 256.
"""

from __future__ import annotations

from rtaudio.graph import (
    GRU,
    ISTFT,
    STFT,
    Activation,
    BandMean,
    BandRNN,
    BandScan,
    BandUnfold,
    Blend,
    Channels,
    ComplexPower,
    Conv2d,
    ConvTranspose2d,
    DeepFilter,
    Graph,
    Layer,
    LayerNorm,
    Linear,
    Merge,
    Permute,
    PReLU,
    Residual,
    Serial,
    Tile,
)
from rtaudio.models.ports import denoiser_graph

SAMPLE_RATE = 16_000
WINDOW, HOP, BINS = 512, 256, 257
LOW, HIGH = 65, 192  # bins that are bands of their own, and those that become ERB_BANDS
ERB_BANDS = 64
BANDS = (129, 65, 33)  # of a map: after the filter bank and after each strided convolution
CHANNELS, HALF = 16, 8
DILATIONS = (1, 2, 5)


def gtcrn() -> Graph:
    """The published network with each BatchNorm folded into the convolution before it.

    Our STFT divides by WINDOW. The features multiply by it, so that the floor under the square
    root and everything after are the paper's; a mask has no unit.
    """
    mask = Serial(
        name="mask",
        layers=(_features(), BandUnfold(bands=BANDS[0]), _network(), _to_bins()),
    )
    denoise = Serial(
        name="",
        layers=(
            STFT(window=WINDOW, hop=HOP),
            Merge(op="cat", name="spectrum", branches=(mask, Serial())),
            DeepFilter(taps=1, bins=BINS),  # one complex factor a bin
            ISTFT(window=WINDOW, hop=HOP),
        ),
    )
    body = Serial(
        layers=(
            Merge(op="cat", name="gtcrn", branches=(denoise, Serial())),
            Blend(control="attenuation_limit_db"),
        )
    )
    return denoiser_graph(body, SAMPLE_RATE)


def _features() -> Layer:
    """[magnitude, re, im] of each band, high bins merged by the ERB filters."""
    magnitude = Serial(
        layers=(
            ComplexPower(),
            Activation(function="affine", a=1.0, b=1e-12),
            Activation(function="sqrt"),
        )
    )
    erb = Serial(
        name="",
        layers=(
            Channels(begin=3 * LOW, end=3 * BINS),
            Permute(shape=(HIGH, 3), order=(1, 0)),
            Conv2d(name="erb", bands=3, outputs=ERB_BANDS, bias=False),
            Permute(shape=(3, ERB_BANDS), order=(1, 0)),
        ),
    )
    return Serial(
        name="features",
        layers=(
            Activation(function="affine", a=float(WINDOW)),
            Merge(op="cat", branches=(magnitude, Serial())),
            Permute(shape=(3, BINS), order=(1, 0)),
            Merge(op="cat", name="bands", branches=(Channels(begin=0, end=3 * LOW), erb)),
        ),
    )


def _to_bins() -> Layer:
    """[re, im] of each band to re of all bins, then im of all bins."""
    inverse = Serial(
        name="",
        layers=(
            Channels(begin=2 * LOW, end=2 * BANDS[0]),
            Permute(shape=(ERB_BANDS, 2), order=(1, 0)),
            Conv2d(name="erb", bands=2, outputs=HIGH, bias=False),
            Permute(shape=(2, HIGH), order=(1, 0)),
        ),
    )
    return Serial(
        name="bins",
        layers=(
            Merge(op="cat", name="bands", branches=(Channels(begin=0, end=2 * LOW), inverse)),
            Permute(shape=(BINS, 2), order=(1, 0)),
        ),
    )


def _network() -> Layer:
    """Encoder, two dual paths and decoder; each decoder layer also gets its encoder's output."""
    body: Layer = Serial(name="middle", layers=(_dual_path("dual0"), _dual_path("dual1")))
    for dilation in reversed(DILATIONS):
        encoder, decoder = (_block(f"{part}.{dilation}", dilation) for part in ("encode", "decode"))
        body = Serial(name="inner", layers=(encoder, Residual(name="skip", body=body), decoder))
    for stage in (1, 0):
        groups = 1 + stage
        down = Conv2d(
            name=f"down{stage}",
            bands=BANDS[stage],
            outputs=CHANNELS,
            kernel_bands=5,
            stride_bands=2,
            padding_bands=2,
            groups=groups,
        )
        up = ConvTranspose2d(
            name=f"up{stage}",
            bands=BANDS[stage + 1],
            outputs=CHANNELS if stage else 2,
            kernel_bands=5,
            stride_bands=2,
            padding_bands=2,
            groups=groups,
        )
        last = _prelu("up1", BANDS[1] * CHANNELS) if stage else Activation(function="tanh")
        body = Serial(
            name="inner",
            layers=(
                down,
                _prelu(f"down{stage}", BANDS[stage + 1] * CHANNELS),
                Residual(name="skip", body=body),
                up,
                last,
            ),
        )
    return body


def _prelu(name: str, channels: int) -> Layer:
    return PReLU(name=f"{name}_prelu", bands=channels)  # a single slope


def _block(name: str, dilation: int) -> Layer:
    """Half of the channels through a depthwise convolution and attention over time; then the
    halves are shuffled. A band's three neighbours and a 1x1 convolution are a kernel of 3."""
    bands = BANDS[2]
    attention = Serial(
        name="attention",
        layers=(
            Activation(function="square"),
            BandMean(bands=bands),
            GRU(name="gru", hidden=2 * HALF),
            Linear(name="linear", outputs=HALF),
            Activation(function="sigmoid"),
            Tile(times=bands),
        ),
    )
    changed = Serial(
        name="",
        layers=(
            Channels(begin=0, end=bands * HALF),
            Conv2d(name="point1", bands=bands, outputs=CHANNELS, kernel_bands=3, padding_bands=1),
            _prelu("point1", bands * CHANNELS),
            Conv2d(
                name="depth",
                bands=bands,
                outputs=CHANNELS,
                kernel_frames=3,
                kernel_bands=3,
                padding_bands=1,
                dilation_frames=dilation,
                groups=CHANNELS,
            ),
            _prelu("depth", bands * CHANNELS),
            Conv2d(name="point2", bands=bands, outputs=HALF),
            Merge(op="mul", name="scaled", branches=(Serial(), attention)),
        ),
    )
    kept = Channels(begin=bands * HALF, end=bands * CHANNELS)
    return Serial(
        name=name,
        layers=(
            Permute(shape=(bands, 2, HALF), order=(1, 0, 2)),
            Merge(op="cat", name="halves", branches=(changed, kept)),
            Permute(shape=(2, bands, HALF), order=(1, 2, 0)),
        ),
    )


def _dual_path(name: str) -> Layer:
    """A bidirectional GRU along the bands of a frame, then one along time at each band."""
    bands = BANDS[2]
    along_bands = BandScan(name="rnn", bands=bands, hidden=HALF // 2, groups=2, bidirectional=True)
    along_time = BandRNN(name="rnn", bands=bands, hidden=HALF, groups=2)
    return Serial(
        name=name,
        layers=tuple(
            Residual(
                name=path,
                body=Serial(
                    name="",
                    layers=(
                        rnn,
                        Conv2d(name="linear", bands=bands, outputs=CHANNELS),
                        LayerNorm(name="norm", eps=1e-8),
                    ),
                ),
            )
            for path, rnn in (("intra", along_bands), ("inter", along_time))
        ),
    )
