"""What `rtaudio bench layers` times: a layer of every kind, as large as real networks have it."""

from __future__ import annotations

from dataclasses import dataclass

from rtaudio.graph import (
    GRU,
    ISTFT,
    LSTM,
    RNN,
    STFT,
    Activation,
    BandFilter,
    BandMean,
    BandRNN,
    BandScan,
    BandUnfold,
    BatchNorm,
    BidirectionalRNN,
    Blend,
    CentredISTFT,
    Cepstrum,
    Channels,
    ComplexCompress,
    ComplexGain,
    ComplexPower,
    ConditionedNet,
    ConditionedStack,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    CumulativeNorm,
    DeepFilter,
    DiffWave,
    Embedding,
    Feedback,
    Gate,
    GatedStack,
    HopISTFT,
    Layer,
    LayerNorm,
    Linear,
    MeanSubtract,
    Merge,
    MinimumPhase,
    Modulate,
    MuLawSoftmax,
    Noise,
    NoiseLevel,
    NoiseSpectrum,
    Permute,
    Pool,
    PReLU,
    PulseTrain,
    Refine,
    Residual,
    Serial,
    Tail,
    Tile,
    Unpool,
    Upsample,
    WindowAttention,
    WithConstant,
)

# (lanes, ticks) of a call: one frame as a live stream brings it, and a block of them.
ONE_AND_BLOCK = ((1, 1), (1, 48))
# A recurrent layer's frames follow one another, its lanes do not.
RECURRENT = ((1, 1), (1, 8), (8, 1))


@dataclass(frozen=True)
class Case:
    """`operation`: the native kind that is timed, where the layer is planned into several."""

    size: str
    layer: Layer
    channels: int
    shapes: tuple[tuple[int, int], ...] = ONE_AND_BLOCK
    operation: str | None = None


def _stack(num_layers: int) -> GatedStack:
    return GatedStack(
        channels=64,
        gate_channels=64,
        skip_channels=64,
        kernel_size=3,
        dilations=tuple(2**i for i in range(num_layers)),
    )


def _amplifier(channels: int = 16) -> ConditionedStack:
    return ConditionedStack(
        channels=channels,
        hidden=channels,
        kernel_sizes=(3,) * 10,
        dilations=tuple(2**i for i in range(10)),
        functions=(Activation(function="tanh"),),
    )


def _wavenet() -> Serial:
    """Samples of 256 codes, 16 for each frame of the condition."""
    wide, num_layers = 2 * 64, 10
    previous = Serial(
        layers=(
            Channels(begin=num_layers * wide, end=num_layers * wide + 1),
            Embedding(levels=256, outputs=64),
        )
    )
    stack = GatedStack(
        channels=64,
        gate_channels=64,
        skip_channels=64,
        kernel_size=2,
        dilations=tuple(2**i for i in range(num_layers)),
        conditioned=True,
    )
    inputs = Merge(op="cat", branches=(previous, Channels(begin=0, end=num_layers * wide)))
    body = Serial(
        layers=(inputs, stack, Activation(function="relu"), Linear(outputs=256)),
    )
    loop = Feedback(body=body, head=MuLawSoftmax(), hop=16)
    return Serial(layers=(Linear(outputs=num_layers * wide), loop))


def _refinement() -> Refine:
    """A cycle of DiffWave base."""
    network = DiffWave(condition=80, channels=64, dilations=tuple(2**i for i in range(10)))
    return Refine(
        network=network,
        scales=(1.1, 1.0),
        weights=(0.3, 0.1),
        deviations=(0.2, 0.0),
        timesteps=(20.0, 1.0),
    )


_DOWN = Conv2d(
    bands=33, outputs=16, kernel_frames=3, kernel_bands=3, padding_bands=1, stride_bands=2
)
_UP = ConvTranspose2d(
    bands=17, outputs=16, kernel_frames=3, kernel_bands=3, padding_bands=1, stride_bands=2
)
_LATE = Residual(body=Conv1d(outputs=64, kernel_size=9, groups=64, lookahead_frames=4))
_POOLED = Serial(layers=(Pool(size=4, mode="max_with_index"), Unpool(size=4)))

# By the layer's kind in model files; heaviest arithmetic first.
CASES: dict[str, Case] = {
    "gated_stack": Case("64 channels, k 3, 8 layers", _stack(8), 64),
    "conditioned_stack": Case("16 channels, k 3, 10 layers", _amplifier(), 33),
    "conditioned_net": Case(
        "16 and 8 channels, k 3, 2 x 10 layers",
        ConditionedNet(stacks=(_amplifier(), _amplifier(8)), outputs=1),
        1,
    ),
    "conv1d": Case("64 to 64, k 3", Conv1d(outputs=64, kernel_size=3), 64),
    "conv_transpose1d": Case(
        "64 to 32, k 8, stride 4", ConvTranspose1d(outputs=32, kernel_size=8, stride=4), 64
    ),
    "linear": Case("256 to 256", Linear(outputs=256), 256),
    "conv2d": Case("33 x 16, 3 x 3, stride 2", _DOWN, 33 * 16),
    "conv_transpose2d": Case("17 x 16, 3 x 3, stride 2", _UP, 17 * 16),
    "feedback": Case("WaveNet 64, 10 layers, hop 16", _wavenet(), 80, ((1, 1),)),
    "refine": Case("DiffWave 64, 10 layers, 2 steps", _refinement(), 80),
    "gru": Case("256 to 256", GRU(hidden=256), 256, RECURRENT),
    "lstm": Case("256 to 256", LSTM(hidden=256), 256, RECURRENT),
    "rnn": Case("256 to 256", RNN(hidden=256), 256, RECURRENT),
    "bidirectional_rnn": Case(
        "64 to 2 x 64, chunks of 16 + 16",
        BidirectionalRNN(hidden=64, chunk=16, lookahead_frames=16),
        64,
        ((1, 1),),
    ),
    "band_rnn": Case("33 bands, 16 to 16", BandRNN(bands=33, hidden=16), 33 * 16, RECURRENT),
    "band_scan": Case(
        "33 bands, 16 to 2 x 8",
        BandScan(bands=33, hidden=8, bidirectional=True),
        33 * 16,
        RECURRENT,
    ),
    "embedding": Case("256 codes, 64 channels", Embedding(levels=256, outputs=64), 1),
    "window_attention": Case("64, 4 heads, 50 frames", WindowAttention(heads=4, frames=50), 3 * 64),
    "band_filter": Case("257 bins to 64", BandFilter(bins=257, bands=64, bin_hz=31.25), 257),
    "stft": Case("512 points, hop 128", STFT(window=512, hop=128), 1),
    "istft": Case("512 points, hop 128", ISTFT(window=512, hop=128), 514),
    "deep_filter": Case("96 bins, 5 taps", DeepFilter(taps=5, bins=96), 96 * 2 * 6),
    "complex_power": Case("257 bins", ComplexPower(), 514),
    "complex_compress": Case("257 bins", ComplexCompress(exponent=0.3), 514),
    "complex_gain": Case("257 bins", ComplexGain(), 257 * 3),
    "activation": Case("tanh of 256", Activation(function="tanh"), 256),
    "gate": Case("tanh, 64", Gate(function="tanh"), 128),
    "modulate": Case("3 x 256", Modulate(), 3 * 256),
    "prelu": Case("256", PReLU(), 256),
    "layer_norm": Case("256", LayerNorm(), 256),
    "batch_norm": Case("256", BatchNorm(), 256),
    "tail": Case("256", Tail(), 256),
    "pulse_train": Case("1", PulseTrain(), 1),
    "noise": Case("6 steps", Noise(steps=6), 1),
    "noise_spectrum": Case(
        "2048 points, hop 300", NoiseSpectrum(step=1, fft_size=2048, window=1200, hop=300), 1
    ),
    "centred_istft": Case(
        "2048 points, hop 300", CentredISTFT(fft_size=2048, window=1200, hop=300), 2050
    ),
    "hop_istft": Case("720 points, hop 240", HopISTFT(fft_size=720, hop=240), 722),
    "cepstrum": Case("1025 bins to 25", Cepstrum(fft_size=2048, order=24), 1025),
    "minimum_phase": Case("25 to 1025 bins", MinimumPhase(fft_size=2048, order=24), 25),
    "noise_level": Case("256", NoiseLevel(level=0.5), 256),
    "cumulative_norm": Case("256", CumulativeNorm(), 256),
    "mean_subtract": Case("256", MeanSubtract(alpha=0.95), 256),
    "blend": Case("256", Blend(control="amount"), 256),
    "with_constant": Case("64 + 64", WithConstant(constant="speaker", count=64), 64),
    "channels": Case("128 of 256", Channels(begin=64, end=192), 256),
    "band_mean": Case("33 x 16", BandMean(bands=33), 33 * 16),
    "band_unfold": Case("33 x 16, 3 bands", BandUnfold(bands=33, size=3), 33 * 16),
    "permute": Case("33 x 16", Permute(shape=(33, 16), order=(1, 0)), 33 * 16),
    "tile": Case("16 to 33 x 16", Tile(times=33), 16),
    "upsample": Case("64, by 4, linear", Upsample(factor=4, mode="linear"), 64),
    "pool": Case("64, by 4, mean", Pool(size=4, mode="mean"), 64),
    "unpool": Case("64, by 4", _POOLED, 64, operation="unpool"),
    "delay": Case("64, 4 frames", _LATE, 64, operation="delay"),
    "join": Case("256 + 256", Merge(op="add", branches=(Serial(), Serial())), 256, operation="add"),
}
