"""Examples of the layers over maps [band, channel]; the number beside each is band * channel."""

from __future__ import annotations

from rtaudio.graph import (
    BandMean,
    BandRNN,
    BandScan,
    BandUnfold,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Layer,
    LayerNorm,
    Merge,
    Permute,
    PReLU,
    Serial,
    Tile,
)

MAPS: dict[str, tuple[Layer, int]] = {
    "conv2d": (
        Conv2d(bands=5, outputs=4, kernel_frames=3, kernel_bands=3, padding_bands=1),
        5 * 3,
    ),
    "conv2d of one tap": (Conv2d(bands=7, outputs=32), 7 * 16),
    "conv2d strided bands": (
        Conv2d(bands=9, outputs=16, kernel_bands=5, stride_bands=2, padding_bands=2),
        9 * 9,
    ),
    "conv2d wide": (
        Conv2d(
            bands=4,
            outputs=20,
            kernel_frames=2,
            kernel_bands=3,
            dilation_frames=3,
            lookahead_frames=2,
        ),
        4 * 18,
    ),
    "conv2d strided frames": (
        Conv2d(bands=3, outputs=2, kernel_frames=5, stride_frames=2, kernel_bands=2),
        3 * 2,
    ),
    "conv2d dilated bands": (
        Conv2d(
            bands=11,
            outputs=6,
            kernel_bands=3,
            dilation_bands=3,
            stride_bands=2,
            padding_bands=1,
            bias=False,
        ),
        11 * 2,
    ),
    "conv2d of more padding than bands": (
        Conv2d(bands=2, outputs=3, kernel_bands=2, padding_bands=4, stride_bands=3),
        2,
    ),
    "conv2d grouped": (
        Conv2d(bands=6, outputs=16, kernel_frames=2, kernel_bands=5, padding_bands=2, groups=2),
        6 * 16,
    ),
    "conv2d of wide groups": (
        Conv2d(bands=4, outputs=40, kernel_bands=3, padding_bands=1, groups=2),
        4 * 4,
    ),
    "conv2d depthwise": (
        Conv2d(
            bands=7,
            outputs=16,
            kernel_frames=3,
            kernel_bands=3,
            padding_bands=1,
            dilation_frames=2,
            groups=16,
        ),
        7 * 16,
    ),
    "conv2d depthwise wide": (
        Conv2d(bands=5, outputs=37, kernel_frames=2, kernel_bands=3, groups=37, bias=False),
        5 * 37,
    ),
    "conv2d depthwise dilated": (
        Conv2d(bands=8, outputs=5, kernel_bands=3, dilation_bands=2, stride_bands=2, groups=5),
        8 * 5,
    ),
    "conv_transpose2d": (
        ConvTranspose2d(
            bands=5, outputs=3, kernel_frames=2, kernel_bands=5, stride_bands=2, padding_bands=2
        ),
        5 * 4,
    ),
    "conv_transpose2d wide": (
        ConvTranspose2d(
            bands=4,
            outputs=18,
            kernel_frames=3,
            kernel_bands=4,
            stride_bands=3,
            padding_bands=1,
            output_padding_bands=2,
            dilation_frames=2,
            lookahead_frames=1,
        ),
        4 * 17,
    ),
    "conv_transpose2d grouped": (
        ConvTranspose2d(
            bands=6, outputs=16, kernel_bands=5, stride_bands=2, padding_bands=2, groups=2
        ),
        6 * 16,
    ),
    "conv_transpose2d depthwise": (
        ConvTranspose2d(
            bands=6,
            outputs=16,
            kernel_frames=3,
            kernel_bands=3,
            padding_bands=1,
            dilation_frames=5,
            groups=16,
            bias=False,
        ),
        6 * 16,
    ),
    "band_mean": (BandMean(bands=9), 9 * 5),
    "band_mean wide": (BandMean(bands=3), 3 * 33),
    "permute": (Permute(shape=(5, 7), order=(1, 0)), 35),
    "permute to shuffle": (Permute(shape=(3, 2, 4), order=(0, 2, 1)), 24),
    "band_unfold": (BandUnfold(bands=4, size=3), 4 * 2),
    "band_unfold of few bands": (BandUnfold(bands=2, size=7), 2 * 3),
    "tile": (Tile(times=5), 4),
    "attention": (
        Merge(
            op="mul",
            branches=(
                Serial(),
                Serial(layers=(BandMean(bands=6), Conv1d(outputs=3, kernel_size=2), Tile(times=6))),
            ),
        ),
        6 * 3,
    ),
    "prelu of maps": (PReLU(bands=5), 5 * 4),
    "layer_norm of bands": (LayerNorm(bands=5), 5 * 7),
    "layer_norm of wide bands": (LayerNorm(bands=3, eps=1e-8), 3 * 20),
    "batch_norm of maps": (BatchNorm(bands=6), 6 * 3),
    "band_rnn": (BandRNN(bands=5, hidden=3), 5 * 2),
    "band_rnn wide": (BandRNN(bands=3, hidden=20, groups=2), 3 * 16),
    "band_rnn lstm": (BandRNN(bands=4, hidden=8, groups=2, cell="lstm"), 4 * 6),
    "band_rnn behind a delay": (
        Serial(
            layers=(
                Conv2d(bands=3, outputs=2, kernel_frames=3, lookahead_frames=2),
                BandRNN(bands=3, hidden=4),
            )
        ),
        3,
    ),
    "band_scan": (BandScan(bands=6, hidden=5), 6 * 3),
    "band_scan bidirectional": (
        BandScan(bands=7, hidden=4, groups=2, bidirectional=True),
        7 * 16,
    ),
    "band_scan wide": (BandScan(bands=3, hidden=18, bidirectional=True), 3 * 20),
    "band_scan lstm": (
        BandScan(bands=4, hidden=3, groups=3, cell="lstm", bidirectional=True),
        4 * 6,
    ),
}
