"""silero-vad from the ONNX file of its 16 kHz network."""

from __future__ import annotations

import numpy as np

from rtaudio.errors import ModelFileError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.importers.importer import Importer
from rtaudio.models.importers.onnx_file import OnnxFile
from rtaudio.models.silero_vad import BINS, CHANNELS, FRAMES, HIDDEN, LAST, WINDOW, silero_vad


def convert(file: OnnxFile) -> dict[str, FloatArray]:
    basis = file.take("model.stft.forward_basis_buffer", 2 * BINS, 1, WINDOW)[:, 0]
    if np.abs(basis - _hann_basis()).max() > 1e-6:
        raise ModelFileError(
            f"{file.path}: its transform has no Hann window of {WINDOW} samples, so it is another "
            "version of the network; `rtaudio models` names the package."
        )
    tensors = {"frames.last.dft.weight": _mirrored(basis)[:, None]}
    weights, biases = [], []
    inputs = BINS
    for i, outputs in enumerate(CHANNELS):
        name = f"model.encoder.{i}.reparam_conv"
        weights.append(file.take(f"{name}.weight", outputs, inputs, 3))
        biases.append(file.take(f"{name}.bias", outputs))
        inputs = outputs
    first = _unrolled(weights[0], FRAMES, 1)  # [output frame, channel, input frame, bin]
    rows = FRAMES * CHANNELS[0]
    # Our STFT divides by the window; a power of two moves into the weights without rounding.
    whole = first[:, :, :-1].reshape(rows, FRAMES - 1, BINS).transpose(0, 2, 1)
    tensors["frames.whole.conv1.weight"] = whole * np.float32(WINDOW)
    tensors["frames.whole.conv1.bias"] = np.tile(biases[0], FRAMES)
    tensors["frames.last.conv1.weight"] = first[:, :, -1].reshape(rows, BINS)
    frames = FRAMES
    for i, stride in ((1, 2), (2, 2), (3, 1)):
        matrix = _unrolled(weights[i], frames, stride)
        frames = matrix.shape[0]
        tensors[f"conv{i + 1}.weight"] = matrix.reshape(frames * CHANNELS[i], -1)
        tensors[f"conv{i + 1}.bias"] = np.tile(biases[i], frames)
    for name, shape in (
        ("weight_ih", (4 * HIDDEN, CHANNELS[-1])),
        ("weight_hh", (4 * HIDDEN, HIDDEN)),
        ("bias_ih", (4 * HIDDEN,)),
        ("bias_hh", (4 * HIDDEN,)),
    ):
        tensors[f"lstm.{name}"] = file.take(f"model.decoder.rnn.{name}", *shape)
    tensors["output.weight"] = file.take("model.decoder.decoder.2.weight", 1, HIDDEN, 1)[:, :, 0]
    tensors["output.bias"] = file.take("model.decoder.decoder.2.bias", 1)
    return tensors


def _hann_basis() -> FloatArray:
    """Rows of the windowed DFT: cosines, then the negative sines."""
    n = np.arange(WINDOW)
    angle = 2 * np.pi * np.arange(BINS)[:, None] * n / WINDOW
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW)
    return np.asarray(np.concatenate([window * np.cos(angle), -window * np.sin(angle)]), np.float32)


def _mirrored(basis: FloatArray) -> FloatArray:
    """The basis for the LAST samples of a chunk, which are continued by their mirror image (the
    last sample itself is not repeated)."""
    folded = basis[:, :LAST].astype(np.float64)
    beyond = basis[:, LAST:]
    count = beyond.shape[1]
    folded[:, LAST - 1 - count : LAST - 1] += beyond[:, ::-1]
    return folded.astype(np.float32)


def _unrolled(weight: FloatArray, frames: int, stride: int) -> FloatArray:
    """A convolution of three taps over `frames` frames and a zero at each end, as one matrix:
    [output frame, output, input frame, input]."""
    outputs, inputs, _ = weight.shape
    matrix = np.zeros((-(-frames // stride), outputs, frames, inputs), np.float32)
    for o in range(matrix.shape[0]):
        for tap in range(3):
            frame = o * stride + tap - 1
            if 0 <= frame < frames:
                matrix[o, :, frame] = weight[:, :, tap]
    return matrix


SILERO_VAD = Importer(
    name="silero-vad",
    title="silero-vad, the probability of speech every 32 ms (16 kHz network of version 6)",
    package="silero-vad",
    files=("silero_vad_16k_op15.onnx",),
    marks=("model.encoder.0.reparam_conv.weight",),
    graph=silero_vad,
    convert=convert,
    license="MIT",
    paper="",
)
