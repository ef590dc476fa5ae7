"""Examples of the layers that change the rate, and of those that look back over time."""

from __future__ import annotations

from rtaudio.graph import (
    RNN,
    Activation,
    BidirectionalRNN,
    Channels,
    Conv1d,
    ConvTranspose1d,
    CumulativeNorm,
    Layer,
    Linear,
    Merge,
    Pool,
    PulseTrain,
    Residual,
    Serial,
    Tail,
    Unpool,
    Upsample,
    WindowAttention,
)

# Random numbers around zero as pitches of a voice.
PITCHED = Serial(
    layers=(
        Linear(outputs=1),
        Activation(function="tanh"),
        Activation(function="affine", a=0.03, b=0.04),
        PulseTrain(),
    )
)
LATE = Conv1d(outputs=6, kernel_size=3, lookahead_frames=2)

STREAMS: dict[str, tuple[Layer, int]] = {
    "rnn": (RNN(hidden=7), 5),
    "rnn wide": (RNN(hidden=40, function="relu"), 20),
    "bidirectional gru": (BidirectionalRNN(hidden=5, chunk=4, lookahead_frames=3), 3),
    "bidirectional lstm wide": (
        BidirectionalRNN(hidden=20, chunk=3, lookahead_frames=0, cell="lstm"),
        18,
    ),
    "bidirectional rnn": (
        BidirectionalRNN(hidden=12, chunk=1, lookahead_frames=6, cell="rnn"),
        4,
    ),
    "bidirectional behind a delay": (
        Serial(
            layers=(
                LATE,
                BidirectionalRNN(hidden=4, chunk=5, lookahead_frames=2),
                Conv1d(outputs=3, kernel_size=3, stride=2, lookahead_frames=1),
                BidirectionalRNN(hidden=3, chunk=2, lookahead_frames=1, cell="lstm"),
            )
        ),
        2,
    ),
    "row convolution": (Conv1d(outputs=20, kernel_size=8, groups=20, lookahead_frames=7), 20),
    "upsample": (Upsample(factor=3), 5),
    "upsample wide": (Upsample(factor=2), 20),
    "upsample linear": (Upsample(factor=4, mode="linear"), 3),
    "upsample linear wide": (Upsample(factor=3, mode="linear"), 33),
    "upsample linear of one": (Upsample(factor=1, mode="linear"), 2),
    "upsample linear behind a delay": (
        Serial(layers=(LATE, Upsample(factor=3, mode="linear"))),
        2,
    ),
    # A frame is made finer and whole again: parts of frames are no lookahead.
    "upsample and pool, twice": (
        Serial(layers=(*[Upsample(factor=3), Pool(size=3, mode="mean")] * 2, Upsample(factor=2))),
        2,
    ),
    "pool mean": (Pool(size=4, mode="mean"), 18),
    "pool max": (Pool(size=3, mode="max"), 5),
    "pool behind a delay": (Serial(layers=(LATE, Pool(size=5, mode="mean"))), 2),
    "unpool": (
        Serial(layers=(Pool(size=3, mode="max_with_index"), Unpool(size=3))),
        17,
    ),
    "pool, body and unpool": (
        Serial(
            layers=(
                LATE,
                Pool(size=4, mode="max_with_index"),
                Merge(
                    op="cat",
                    branches=(
                        Serial(layers=(Channels(begin=0, end=6), Conv1d(outputs=6, kernel_size=2))),
                        Channels(begin=6, end=12),
                    ),
                ),
                Unpool(size=4),
            )
        ),
        3,
    ),
    "tail of what is not zero": (Serial(layers=(Activation(function="exp"), Tail(frames=2))), 5),
    "tail wide, then shorter": (
        Serial(layers=(Tail(frames=3), ConvTranspose1d(outputs=20, kernel_size=2, stride=1))),
        20,
    ),
    "tail behind a delay": (Serial(layers=(LATE, Tail())), 2),
    "pulse train": (PITCHED, 5),
    "pulse train behind a delay": (Serial(layers=(LATE, PITCHED)), 2),
    "cumulative_norm": (CumulativeNorm(), 6),
    "cumulative_norm wide": (CumulativeNorm(eps=1e-8), 35),
    "cumulative_norm of channels": (CumulativeNorm(per_channel=True), 20),
    "cumulative_norm behind a delay": (
        Serial(layers=(LATE, CumulativeNorm(), CumulativeNorm(per_channel=True))),
        2,
    ),
    "window_attention": (WindowAttention(heads=2, frames=5), 3 * 8),
    "window_attention wide": (WindowAttention(heads=3, frames=20), 3 * 51),
    "window_attention in a block": (
        Residual(
            body=Serial(
                layers=(
                    Conv1d(outputs=60, kernel_size=3, lookahead_frames=1),
                    WindowAttention(heads=1, frames=7),
                    Linear(outputs=4),
                )
            )
        ),
        4,
    ),
}
