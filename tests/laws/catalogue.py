"""Examples of every layer kind. A kind without an example fails test_layers.py."""

from __future__ import annotations

from rtaudio.graph import (
    GRU,
    ISTFT,
    LSTM,
    STFT,
    Activation,
    BandFilter,
    BatchNorm,
    Blend,
    Channels,
    ComplexCompress,
    ComplexGain,
    ComplexPower,
    ConditionedNet,
    ConditionedStack,
    Conv1d,
    ConvTranspose1d,
    DeepFilter,
    Gate,
    GatedStack,
    Layer,
    LayerNorm,
    Linear,
    MeanSubtract,
    Merge,
    PReLU,
    Residual,
    Serial,
)
from rtaudio.graph.pointwise import FUNCTIONS
from rtaudio.runtime.laws import graph_of

from .catalogue_feedback import FEEDBACK
from .catalogue_maps import MAPS
from .catalogue_refine import REFINE
from .catalogue_streams import STREAMS

PARAMETERS = {"log": 1e-3, "clamp": -0.05, "power": 0.3}

# name: (layer, input channels). Widths below, at and above the 16 of a vector are all there.
EXAMPLES: dict[str, tuple[Layer, int]] = {
    "conv1d": (Conv1d(outputs=5, kernel_size=3), 4),
    "conv1d wide": (Conv1d(outputs=70, kernel_size=3, dilation=2), 33),
    "conv1d strided": (Conv1d(outputs=20, kernel_size=7, stride=3, dilation=2), 3),
    "conv1d wider stride than kernel": (Conv1d(outputs=4, kernel_size=1, stride=3), 2),
    "conv1d lookahead": (Conv1d(outputs=16, kernel_size=5, lookahead_frames=2), 16),
    "conv1d late": (Conv1d(outputs=3, kernel_size=2, lookahead_frames=-2), 2),
    "conv1d strided lookahead": (Conv1d(outputs=4, kernel_size=5, stride=2, lookahead_frames=1), 2),
    "conv1d grouped": (Conv1d(outputs=34, kernel_size=3, groups=2), 6),
    "conv1d depthwise": (Conv1d(outputs=20, kernel_size=3, groups=20, bias=False), 20),
    "conv1d depthwise narrow": (Conv1d(outputs=5, kernel_size=4, groups=5), 5),
    "conv_transpose1d": (ConvTranspose1d(outputs=3, kernel_size=7, stride=3, crop=2), 4),
    "conv_transpose1d wide": (ConvTranspose1d(outputs=40, kernel_size=4, stride=2), 17),
    "conv_transpose1d grouped": (ConvTranspose1d(outputs=6, kernel_size=2, stride=2, groups=2), 4),
    "linear": (Linear(outputs=7), 40),
    "linear wide": (Linear(outputs=130, bias=False), 65),
    "gru": (GRU(hidden=11), 5),
    "gru wide": (GRU(hidden=48), 20),
    "gru behind a delay": (
        Serial(layers=(Conv1d(outputs=4, kernel_size=3, lookahead_frames=2), GRU(hidden=8))),
        2,
    ),
    "lstm": (LSTM(hidden=9), 3),
    "lstm wide": (LSTM(hidden=32), 16),
    "mean_subtract": (MeanSubtract(alpha=0.95, initial=-1.0), 6),
    "gated_stack": (
        GatedStack(
            channels=8, gate_channels=6, skip_channels=5, kernel_size=3, dilations=(1, 2, 4)
        ),
        8,
    ),
    "gated_stack wide": (
        GatedStack(
            channels=32, gate_channels=32, skip_channels=16, kernel_size=2, dilations=(1, 8, 3)
        ),
        32,
    ),
    "gated_stack behind a delay": (
        Serial(
            layers=(
                Conv1d(outputs=20, kernel_size=3, lookahead_frames=2),
                GatedStack(
                    channels=20,
                    gate_channels=17,
                    skip_channels=4,
                    kernel_size=3,
                    dilations=(1, 5),
                ),
            )
        ),
        2,
    ),
    "conditioned_stack": (
        ConditionedStack(
            channels=16,
            hidden=16,
            kernel_sizes=(3, 3, 3),
            dilations=(1, 2, 4),
            functions=(Activation(function="tanh"),),
        ),
        33,
    ),
    "conditioned_stack narrow": (
        ConditionedStack(
            channels=3,
            hidden=3,
            kernel_sizes=(4, 2, 3),
            dilations=(1, 5, 2),
            functions=(Activation(function="leaky_relu", a=0.01),),
        ),
        7,
    ),
    "conditioned_net": (
        ConditionedNet(
            stacks=(
                ConditionedStack(
                    channels=16,
                    hidden=16,
                    kernel_sizes=(3, 3),
                    dilations=(1, 2),
                    functions=(Activation(function="tanh"),),
                ),
                ConditionedStack(
                    channels=8,
                    hidden=8,
                    kernel_sizes=(3,),
                    dilations=(3,),
                    functions=(Activation(function="tanh"),),
                ),
                ConditionedStack(
                    channels=3,
                    hidden=6,
                    skip_channels=5,
                    kernel_sizes=(2,),
                    dilations=(2,),
                    functions=(Activation(function="tanh"), Activation(function="sigmoid")),
                ),
            ),
            outputs=2,
        ),
        1,
    ),
    "conditioned_net without an output": (
        ConditionedNet(
            stacks=(
                ConditionedStack(
                    channels=8,
                    hidden=8,
                    kernel_sizes=(6, 15),
                    dilations=(1, 1),
                    functions=(Activation(function="leaky_relu", a=0.01),),
                ),
            ),
        ),
        2,
    ),
    "conditioned_net wide behind a delay": (
        Serial(
            layers=(
                Conv1d(outputs=3, kernel_size=3, lookahead_frames=2),
                ConditionedNet(
                    stacks=(
                        ConditionedStack(
                            channels=5,
                            hidden=20,
                            kernel_sizes=(2, 3),
                            dilations=(1, 5),
                            functions=(Activation(function="silu"),),
                        ),
                        ConditionedStack(
                            channels=35,
                            hidden=7,
                            skip_channels=18,
                            kernel_sizes=(3,),
                            dilations=(2,),
                            functions=(Activation(function="relu"),),
                        ),
                    ),
                    outputs=20,
                ),
            )
        ),
        2,
    ),
    "conditioned_stack gated": (
        ConditionedStack(
            channels=8,
            hidden=6,
            skip_channels=5,
            kernel_sizes=(3, 1),
            dilations=(4, 1),
            functions=(Activation(function="tanh"), Activation(function="sigmoid")),
        ),
        14,
    ),
    "conditioned_stack wide behind a delay": (
        Serial(
            layers=(
                Conv1d(outputs=58, kernel_size=3, lookahead_frames=2),
                ConditionedStack(
                    channels=20,
                    hidden=17,
                    skip_channels=37,
                    kernel_sizes=(2, 3),
                    dilations=(1, 5),
                    functions=(Activation(function="silu"), Activation(function="relu")),
                ),
            )
        ),
        2,
    ),
    "gate tanh": (Gate(function="tanh"), 10),
    "gate glu": (Gate(function="glu"), 64),
    "prelu": (PReLU(), 19),
    "layer_norm": (LayerNorm(), 12),
    "layer_norm wide": (LayerNorm(), 83),
    "batch_norm": (BatchNorm(), 21),
    "channels": (Channels(begin=3, end=9, pad=2), 7),
    "blend": (Blend(control="amount"), 18),
    "stft and istft": (Serial(layers=(STFT(window=48, hop=12), ISTFT(window=48, hop=12))), 1),
    "stft": (STFT(window=20, hop=10), 1),
    "stft of odd length": (STFT(window=21, hop=7, window_kind="hann"), 1),
    "stft and late istft": (
        Serial(
            layers=(
                STFT(window=48, hop=12, window_kind="vorbis", extra_frames=2),
                Conv1d(outputs=50, kernel_size=4, groups=50, bias=False),
                ISTFT(window=48, hop=12, window_kind="vorbis", late_frames=2),
            )
        ),
        1,
    ),
    "stft padded": (STFT(window=20, hop=5, window_kind="hann", fft_size=32), 1),
    "stft late": (STFT(window=20, hop=10, lag=7), 1),
    "istft": (ISTFT(window=16, hop=4), 18),
    "band_filter erb": (BandFilter(bins=65, bands=20, bin_hz=50.0), 65),
    "band_filter mel": (BandFilter(bins=33, bands=8, bin_hz=100.0, scale="mel"), 33),
    "band_filter back": (BandFilter(bins=65, bands=20, bin_hz=50.0, transpose=True), 20),
    "complex_power": (ComplexPower(), 42),
    "complex_compress": (ComplexCompress(exponent=0.3), 10),
    "complex_gain": (ComplexGain(), 33),
    "deep_filter": (DeepFilter(taps=3, bins=10), 80),
    "merge cat": (
        Merge(
            op="cat",
            branches=(
                Conv1d(outputs=3, kernel_size=3, lookahead_frames=2),
                Serial(),
                GRU(hidden=2),
            ),
        ),
        4,
    ),
    "merge mul": (Merge(op="mul", branches=(Linear(outputs=4), Serial())), 4),
    "residual": (Residual(body=Conv1d(outputs=17, kernel_size=3, lookahead_frames=1)), 17),
    "u-net": (
        Residual(
            body=Serial(
                layers=(
                    Conv1d(outputs=6, kernel_size=5, stride=2, lookahead_frames=1),
                    Residual(
                        body=Serial(
                            layers=(
                                Conv1d(outputs=8, kernel_size=3, stride=3),
                                LSTM(hidden=8),
                                ConvTranspose1d(outputs=6, kernel_size=5, stride=3, crop=1),
                            )
                        )
                    ),
                    ConvTranspose1d(outputs=2, kernel_size=4, stride=2, crop=1),
                )
            )
        ),
        2,
    ),
    **MAPS,
    **STREAMS,
    **FEEDBACK,
    **REFINE,
    **{
        f"activation {name}": (
            Activation(
                function=name, a={"log": 1e-3, "clamp": -0.05, "power": 0.3}.get(name, 0.7), b=0.05
            ),
            18,
        )
        for name in FUNCTIONS
    },
}


def has_matrix(layer: Layer, channels: int) -> bool:
    """True where a precision changes something: the layer has a trained matrix."""
    return any(len(spec.shape) > 1 for spec in graph_of(layer, channels).tensor_specs.values())
