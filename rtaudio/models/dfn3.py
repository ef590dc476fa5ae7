"""DeepFilterNet3: gains of 32 bands above 4.8 kHz, a complex filter over five frames below.

Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement" (2305.08227):
48 kHz, frames of 960 samples, a hop of 480. Maps are [band, channel] throughout.

The network looks two frames ahead. Its layers count frames as they come, so its coefficients at
frame n are for frame n - 2; the inverse transform puts the answer two hops back (`late_frames`).
"""

from __future__ import annotations

import math

from rtaudio.graph import (
    GRU,
    ISTFT,
    STFT,
    Activation,
    BatchNorm,
    Blend,
    Channels,
    ComplexGain,
    ComplexPower,
    ControlPort,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    DeepFilter,
    Graph,
    Layer,
    Linear,
    MeanSubtract,
    Merge,
    Permute,
    Serial,
    StreamPort,
)

SAMPLE_RATE = 48_000
WINDOW, HOP, BINS = 960, 480, 481
BANDS, FILTER_BINS, TAPS, LOOKAHEAD = 32, 96, 5, 2
WIDTH, EMBEDDING, HIDDEN = 64, 512, 256
ALPHA = 0.99  # of the running means: a time constant of a second
COEFFICIENTS = 2 * TAPS * FILTER_BINS
HIGH_BINS = BINS - FILTER_BINS
RELU = Activation(function="relu")

# The signal that the decoders read: the encoder's maps side by side, then the embedding.
MAPS = {
    "e0": BANDS * WIDTH,
    "e1": BANDS // 2 * WIDTH,
    "e2": BANDS // 4 * WIDTH,
    "e3": BANDS // 4 * WIDTH,
    "c0": FILTER_BINS * WIDTH,
    "spectral": EMBEDDING,
    "embedding": EMBEDDING,
}


def dfn3() -> Graph:
    """The published network, without its post-filter and its short-cuts by estimated SNR."""
    spectrum = BANDS + COEFFICIENTS
    body = Serial(
        layers=(
            STFT(window=WINDOW, hop=HOP, window_kind="vorbis", extra_frames=LOOKAHEAD),
            Merge(op="cat", name="network", branches=(_network(), Serial())),
            # [gains(BANDS) | coefficients | re(BINS) | im(BINS)]
            Merge(
                op="cat",
                name="apply",
                branches=(
                    Channels(begin=0, end=BANDS),
                    _filtered(),
                    Serial(
                        name="late",
                        layers=(Channels(begin=spectrum, end=spectrum + 2 * BINS), _late()),
                    ),
                ),
            ),
            # [gains | filtered re, im (FILTER_BINS) | re, im (BINS), all of two frames ago]
            Merge(op="cat", name="output", branches=(_spliced(), _late_spectrum())),
            Blend(control="attenuation_limit_db"),
            ISTFT(window=WINDOW, hop=HOP, window_kind="vorbis", late_frames=LOOKAHEAD),
        )
    )
    return Graph(
        body=body,
        sample_rate=SAMPLE_RATE,
        input=StreamPort(name="audio"),
        output=StreamPort(name="audio"),
        controls=(
            ControlPort(name="attenuation_limit_db", default=120.0, low=0.0, high=120.0, unit="dB"),
        ),
    )


def band_widths() -> tuple[int, ...]:
    """Bins of each band: equal steps on the ERB scale (Glasberg and Moore 1990), at least two."""
    highest = 9.265 * math.log1p(SAMPLE_RATE / 2 / (24.7 * 9.265))
    widths, last, borrowed = [], 0, 0
    for band in range(1, BANDS + 1):
        edge_hz = 24.7 * 9.265 * (math.exp(highest * band / BANDS / 9.265) - 1)
        edge = round(edge_hz * WINDOW / SAMPLE_RATE)
        width = edge - last - borrowed
        borrowed = max(0, 2 - width)
        widths.append(max(width, 2))
        last = edge
    widths[-1] += BINS - sum(widths)
    return tuple(widths)


def _late() -> Layer:
    """Every channel LOOKAHEAD frames later; its weights are ones."""
    return Conv1d(
        name="delay",
        outputs=2 * BINS,
        kernel_size=1,
        groups=2 * BINS,
        lookahead_frames=-LOOKAHEAD,
        bias=False,
    )


def _late_spectrum() -> Layer:
    return Channels(begin=BANDS + 2 * FILTER_BINS, end=BANDS + 2 * FILTER_BINS + 2 * BINS)


def _filtered() -> Layer:
    """[gains | coefficients | re | im] to the deep filter's low bins [re; im]."""
    spectrum = BANDS + COEFFICIENTS
    return Serial(
        layers=(
            Merge(
                op="cat",
                branches=(
                    Channels(begin=BANDS, end=spectrum),
                    Channels(begin=spectrum, end=spectrum + FILTER_BINS),
                    Channels(begin=spectrum + BINS, end=spectrum + BINS + FILTER_BINS),
                ),
            ),
            DeepFilter(taps=TAPS, bins=FILTER_BINS),
        )
    )


def _spliced() -> Layer:
    """The filtered low bins and, above them, the gains times the spectrum of two frames ago."""
    low, late = BANDS, BANDS + 2 * FILTER_BINS
    gains = Serial(
        name="gains",
        layers=(
            Channels(begin=0, end=BANDS),
            Linear(name="widen", outputs=HIGH_BINS, bias=False),
        ),
    )
    high = Serial(
        name="high",
        layers=(
            Merge(
                op="cat",
                name="factors",
                branches=(
                    gains,
                    Channels(begin=late + FILTER_BINS, end=late + BINS),
                    Channels(begin=late + BINS + FILTER_BINS, end=late + 2 * BINS),
                ),
            ),
            ComplexGain(),
        ),
    )
    first = 2 * FILTER_BINS
    return Serial(
        name="spliced",
        layers=(
            Merge(op="cat", name="parts", branches=(Channels(begin=low, end=low + first), high)),
            Merge(
                op="cat",
                branches=(
                    Channels(begin=0, end=FILTER_BINS),
                    Channels(begin=first, end=first + HIGH_BINS),
                    Channels(begin=FILTER_BINS, end=first),
                    Channels(begin=first + HIGH_BINS, end=first + 2 * HIGH_BINS),
                ),
            ),
        ),
    )


def _network() -> Layer:
    """Spectrum to [gains(BANDS) | coefficients(TAPS, re and im of FILTER_BINS)]."""
    return Serial(
        name="core",
        layers=(
            Merge(op="cat", name="encoder", branches=(_band_encoder(), _spectral_encoder())),
            Merge(op="cat", name="encoder", branches=(Serial(), _embedding())),
            Merge(op="cat", name="decoder", branches=(_band_decoder(), _filter_decoder())),
        ),
    )


def _part(name: str) -> Layer:
    names = list(MAPS)
    begin = sum(MAPS[each] for each in names[: names.index(name)])
    return Channels(begin=begin, end=begin + MAPS[name])


def _separable(name: str, bands: int, stride: int = 1, transposed: bool = False) -> Layer:
    """Three taps over bands, a channel at a time, then a matrix over channels."""
    kind = ConvTranspose2d if transposed else Conv2d
    taps = kind(
        name="taps",
        bands=bands,
        outputs=WIDTH,
        kernel_bands=3,
        stride_bands=stride,
        padding_bands=1,
        groups=WIDTH,
        bias=False,
        **({"output_padding_bands": 1} if transposed else {}),
    )
    mix = Conv2d(name="mix", bands=taps.out_bands, outputs=WIDTH)
    return Serial(name=name, layers=(taps, mix, RELU))


def _grouped(name: str, outputs: int, groups: int) -> Layer:
    return Conv1d(name=name, outputs=outputs, kernel_size=1, groups=groups, bias=False)


def _band_encoder() -> Layer:
    """Spectrum to [e0 | e1 | e2 | e3]."""
    features = Serial(
        name="features",
        layers=(
            ComplexPower(),
            Linear(name="bands", outputs=BANDS, bias=False),
            Activation(function="affine", a=1.0, b=1e-10),
            Activation(function="log", a=1e-30),
            BatchNorm(name="decibels"),
            MeanSubtract(alpha=ALPHA),
        ),
    )
    conv0 = Conv2d(
        name="conv0", bands=BANDS, outputs=WIDTH, kernel_frames=3, kernel_bands=3, padding_bands=1
    )
    # Each appends its map to the ones before it.
    steps: list[Layer] = []
    for name, before, bands, stride in (
        ("conv1", "e0", BANDS, 2),
        ("conv2", "e1", BANDS // 2, 2),
        ("conv3", "e2", BANDS // 4, 1),
    ):
        layer = Serial(name="step", layers=(_part(before), _separable(name, bands, stride)))
        steps.append(Merge(op="cat", name="maps", branches=(Serial(), layer)))
    return Serial(name="bands", layers=(features, conv0, RELU, *steps))


def _spectral_encoder() -> Layer:
    """Spectrum to [c0 | its embedding]."""
    embedded = Serial(
        name="embedded",
        layers=(
            _separable("conv1", FILTER_BINS, 2),
            _grouped("linear", EMBEDDING, 32),
            RELU,
        ),
    )
    return Serial(
        name="spectral",
        layers=(
            Merge(
                op="cat",
                branches=(
                    Channels(begin=0, end=FILTER_BINS),
                    Channels(begin=BINS, end=BINS + FILTER_BINS),
                ),
            ),
            Merge(op="cat", name="level", branches=(_inverse_root_of_level(), Serial())),
            ComplexGain(),
            Permute(shape=(2, FILTER_BINS), order=(1, 0)),
            Conv2d(
                name="conv0",
                bands=FILTER_BINS,
                outputs=WIDTH,
                kernel_frames=3,
                kernel_bands=3,
                padding_bands=1,
                groups=2,
                bias=False,
            ),
            Conv2d(name="mix0", bands=FILTER_BINS, outputs=WIDTH),
            RELU,
            Merge(op="cat", name="maps", branches=(Serial(), embedded)),
        ),
    )


def _inverse_root_of_level() -> Layer:
    """m ** -0.5 of the running mean m of each bin's magnitude u: m = u - (u - m). The running
    mean starts at zero, and `shift` at the network's own start value."""
    less_mean = Serial(
        name="mean",
        layers=(
            BatchNorm(name="shift"),
            MeanSubtract(alpha=ALPHA),
            Activation(function="affine", a=-1.0, b=1e-12),
        ),
    )
    return Serial(
        name="root",
        layers=(
            ComplexPower(),
            Activation(function="sqrt"),
            Merge(op="add", name="sum", branches=(Serial(), less_mean)),
            Activation(function="power", a=-0.5),
        ),
    )


def _embedding() -> Layer:
    return Serial(
        name="embedding",
        layers=(
            Merge(op="add", branches=(_part("e3"), _part("spectral"))),
            _grouped("linear_in", HIDDEN, 16),
            RELU,
            GRU(name="gru", hidden=HIDDEN),
            _grouped("linear_out", EMBEDDING, 16),
            RELU,
        ),
    )


def _band_decoder() -> Layer:
    """The maps and the embedding to gains(BANDS)."""
    layer: Layer = Serial(
        name="embedding",
        layers=(
            _part("embedding"),
            _grouped("linear_in", HIDDEN, 16),
            RELU,
            GRU(name="gru1", hidden=HIDDEN),
            GRU(name="gru2", hidden=HIDDEN),
            _grouped("linear_out", EMBEDDING, 16),
            RELU,
        ),
    )
    levels = (("3", BANDS // 4, 1), ("2", BANDS // 4, 2), ("1", BANDS // 2, 2), ("0", BANDS, 0))
    for level, bands, stride in levels:
        skip = Serial(
            name=f"skip{level}",
            layers=(
                _part(f"e{level}"),
                Conv2d(name="conv", bands=bands, outputs=WIDTH, groups=WIDTH),
                RELU,
            ),
        )
        joined = Merge(op="add", name="sum", branches=(layer, skip))
        if stride == 0:
            last = Conv2d(name="last", bands=bands, outputs=1, kernel_bands=3, padding_bands=1)
            layers: tuple[Layer, ...] = (joined, last, Activation(function="sigmoid"))
            return Serial(name="bands", layers=layers)
        layer = Serial(
            name="up", layers=(joined, _separable(f"conv{level}", bands, stride, stride == 2))
        )
    raise AssertionError("there is no last level")


def _filter_decoder() -> Layer:
    """The maps and the embedding to the deep filter's coefficients."""
    recurrent = Serial(
        name="embedding",
        layers=(
            _part("embedding"),
            Merge(
                op="add",
                name="sum",
                branches=(
                    Serial(
                        name="recurrent",
                        layers=(
                            _grouped("linear_in", HIDDEN, 8),
                            RELU,
                            GRU(name="gru1", hidden=HIDDEN),
                            GRU(name="gru2", hidden=HIDDEN),
                        ),
                    ),
                    _grouped("skip", HIDDEN, 16),
                ),
            ),
            _grouped("linear_out", COEFFICIENTS, 16),
            Activation(function="tanh"),
        ),
    )
    path = Serial(
        name="path",
        layers=(
            _part("c0"),
            Conv2d(
                name="conv",
                bands=FILTER_BINS,
                outputs=2 * TAPS,
                kernel_frames=5,
                groups=2,
                bias=False,
            ),
            Conv2d(name="mix", bands=FILTER_BINS, outputs=2 * TAPS),
            RELU,
        ),
    )
    return Serial(
        name="filter",
        layers=(
            Merge(op="add", name="sum", branches=(recurrent, path)),
            # [bin, tap, re or im] to [tap, re or im, bin]
            Permute(shape=(FILTER_BINS, TAPS, 2), order=(1, 2, 0)),
        ),
    )
