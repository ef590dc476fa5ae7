"""The network inside DeepFilterNet3: a spectrum in, gains of bands and filter coefficients out.

Maps are [band, channel] throughout; frames are counted as they come (see rtaudio.models.dfn3).
"""

from __future__ import annotations

from rtaudio.graph import (
    GRU,
    Activation,
    BatchNorm,
    Channels,
    ComplexGain,
    ComplexPower,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Layer,
    Linear,
    MeanSubtract,
    Merge,
    Permute,
    Serial,
)

BINS, BANDS, FILTER_BINS, TAPS = 481, 32, 96, 5
WIDTH, EMBEDDING, HIDDEN = 64, 512, 256
ALPHA = 0.99  # of the running means: a time constant of a second
COEFFICIENTS = 2 * TAPS * FILTER_BINS
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


def network() -> Layer:
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
