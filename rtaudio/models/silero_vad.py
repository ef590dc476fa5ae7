"""silero-vad: the probability of speech in every chunk of 512 samples at 16 kHz.

A chunk and the 64 samples before it are framed (256 samples every 128), and the frames' magnitudes
go through four convolutions that do not see beyond the chunk, an LSTM and a last layer. The network
pads the chunk by reflection and the convolutions by zeros; both are part of the matrices here.
"""

from __future__ import annotations

from rtaudio.graph import (
    LSTM,
    STFT,
    Activation,
    ComplexPower,
    Conv1d,
    Graph,
    Layer,
    Linear,
    Merge,
    Serial,
    StreamPort,
)

SAMPLE_RATE = 16_000
CHUNK, CONTEXT = 512, 64
WINDOW, HOP, BINS = 256, 128, 129
FRAMES = 4  # of a chunk; the last one reads 192 samples and 64 of them mirrored
LAST = WINDOW - CONTEXT
CHANNELS = (128, 64, 64, 128)
HIDDEN = 128


def silero_vad() -> Graph:
    """Samples in, one probability for each CHUNK out."""
    relu = Activation(function="relu")
    _, second, third, fourth = CHANNELS
    body = Serial(
        layers=(
            Merge(op="add", name="frames", branches=(_whole_frames(), _last_frame())),
            relu,
            Linear(name="conv2", outputs=2 * second),  # two frames
            relu,
            Linear(name="conv3", outputs=third),  # one, as from here on
            relu,
            Linear(name="conv4", outputs=fourth),
            relu,
            LSTM(name="lstm", hidden=HIDDEN),
            relu,
            Linear(name="output", outputs=1),
            Activation(function="sigmoid"),
        )
    )
    return Graph(
        body=body,
        sample_rate=SAMPLE_RATE,
        input=StreamPort(name="audio"),
        output=StreamPort(name="speech", unit=f"probability, one every {CHUNK} samples"),
    )


def _whole_frames() -> Layer:
    """The part of the first three frames in the first convolution's four. They begin CONTEXT
    before the chunk, so of the four frames that end in a chunk the last three are its own."""
    return Serial(
        name="whole",
        layers=(
            STFT(window=WINDOW, hop=HOP, window_kind="hann", lag=HOP - CONTEXT),
            ComplexPower(),
            Activation(function="sqrt"),
            Conv1d(
                name="conv1",
                outputs=FRAMES * CHANNELS[0],
                kernel_size=FRAMES - 1,
                stride=FRAMES,
            ),
        ),
    )


def _last_frame() -> Layer:
    """The part of the mirrored frame."""
    return Serial(
        name="last",
        layers=(
            Conv1d(name="dft", outputs=2 * BINS, kernel_size=LAST, stride=CHUNK, bias=False),
            ComplexPower(),
            Activation(function="sqrt"),
            Linear(name="conv1", outputs=FRAMES * CHANNELS[0], bias=False),
        ),
    )
