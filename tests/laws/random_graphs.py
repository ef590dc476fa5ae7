"""Random graphs of every kind of composition, for the laws of the plan."""

from __future__ import annotations

import random
from fractions import Fraction

from rtaudio.graph import (
    GRU,
    LSTM,
    Activation,
    Channels,
    Conv1d,
    ConvTranspose1d,
    Gate,
    GatedStack,
    Graph,
    Layer,
    LayerNorm,
    Linear,
    MeanSubtract,
    Merge,
    PReLU,
    Residual,
    Serial,
    StreamPort,
)


def random_graph(seed: int, *, max_channels: int = 6) -> Graph:
    """Residuals, concatenations, strides, dilation, lookahead, transposed convolutions and
    recurrent layers behind delays, nested; one input port of 1 to 3 channels."""
    maker = _Maker(random.Random(seed), max_channels)
    channels = maker.rng.randint(1, 3)
    body, outputs, _ = maker.serial(channels, Fraction(1), maker.rng.randint(2, 5), 0)
    return Graph(
        body=body,
        sample_rate=1000,
        input=StreamPort(name="x", channels=channels),
        output=StreamPort(name="y", channels=outputs),
    )


class _Maker:
    def __init__(self, rng: random.Random, max_channels: int) -> None:
        self.rng = rng
        self.max_channels = max_channels

    def serial(
        self, channels: int, rate: Fraction, length: int, depth: int
    ) -> tuple[Serial, int, Fraction]:
        layers: list[Layer] = []
        for _ in range(length):
            layer, channels, rate = self.layer(channels, rate, depth)
            layers.append(layer)
        return Serial(layers=tuple(layers)), channels, rate

    def layer(self, channels: int, rate: Fraction, depth: int) -> tuple[Layer, int, Fraction]:
        rng = self.rng
        kinds = ["conv", "conv", "strided", "transposed", "point", "recurrent", "stack"]
        if depth < 2:
            kinds += ["residual", "cat", "unet", "unet"]
        kind = rng.choice(kinds)
        out = rng.randint(1, self.max_channels)
        if kind == "conv":
            dilation, kernel = rng.randint(1, 3), rng.randint(1, 4)
            lookahead = rng.randint(-1, (kernel - 1) * dilation + 1)
            return self.conv(channels, out, kernel, 1, dilation, lookahead), out, rate
        if kind == "strided" and rate.denominator <= 3:
            stride, kernel = rng.choice([2, 3]), rng.randint(1, 6)
            layer = self.conv(channels, out, kernel, stride, rng.randint(1, 2), rng.randint(-1, 3))
            return layer, out, rate / stride
        if kind == "transposed" and rate.numerator <= 3:
            stride = rng.choice([2, 3])
            return self.transposed(out, stride), out, rate * stride
        if kind == "recurrent":
            return rng.choice(
                [
                    (GRU(hidden=out), out, rate),
                    (LSTM(hidden=out), out, rate),
                    (MeanSubtract(alpha=0.9, initial=0.3), channels, rate),
                ]
            )
        if kind == "residual":
            body, inner, inner_rate = self.same_rate(channels, rate, depth)
            back = Linear(outputs=channels)
            return Residual(body=Serial(layers=(body, back))), channels, inner_rate
        if kind == "cat":
            a, ca, _ = self.same_rate(channels, rate, depth)
            b, cb, _ = self.same_rate(channels, rate, depth)
            return Merge(op="cat", branches=(a, b, Serial())), ca + cb + channels, rate
        if kind == "unet":
            stride = rng.choice([2, 3])
            down = self.conv(channels, out, rng.randint(1, 5), stride, 1, rng.randint(0, 2))
            inner, _, _ = self.same_rate(out, rate / stride, depth)
            up = self.transposed(channels, stride)
            body = Serial(layers=(down, inner, up))
            return Merge(op=rng.choice(["add", "mul"]), branches=(body, Serial())), channels, rate
        if kind == "stack":
            stack = GatedStack(
                channels=channels,
                gate_channels=rng.randint(1, 4),
                skip_channels=out,
                kernel_size=rng.randint(1, 3),
                dilations=tuple(rng.randint(1, 4) for _ in range(rng.randint(1, 3))),
            )
            return stack, out, rate
        return self.point(channels, out), out, rate

    def same_rate(self, channels: int, rate: Fraction, depth: int) -> tuple[Layer, int, Fraction]:
        while True:
            body, out, new = self.serial(channels, rate, self.rng.randint(1, 2), depth + 1)
            if new == rate:
                return body, out, rate

    def conv(
        self, channels: int, out: int, kernel: int, stride: int, dilation: int, lookahead: int
    ) -> Conv1d:
        grouped = self.rng.random() < 0.3 and out % channels == 0
        return Conv1d(
            outputs=out,
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            lookahead_frames=lookahead,
            groups=channels if grouped else 1,
            bias=self.rng.random() < 0.8,
        )

    def transposed(self, out: int, stride: int) -> ConvTranspose1d:
        kernel = stride + self.rng.randint(0, 4)
        return ConvTranspose1d(
            outputs=out,
            kernel_size=kernel,
            stride=stride,
            crop=self.rng.randint(0, kernel - stride),
        )

    def point(self, channels: int, out: int) -> Layer:
        choices: list[Layer] = [
            Linear(outputs=out),
            Serial(layers=(Linear(outputs=2 * out), Gate(function="glu"))),
            Serial(layers=(LayerNorm(), Linear(outputs=out))),
            Serial(layers=(PReLU(), Channels(begin=0, end=out))),
            Serial(layers=(Activation(function="tanh"), Linear(outputs=out))),
        ]
        return self.rng.choice(choices)
