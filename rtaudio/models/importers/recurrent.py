"""Recurrent layers as ONNX stores them, in torch's order of gates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtaudio.graph.layer import FloatArray
from rtaudio.models.importers.onnx_file import OnnxFile


def onnx_lstm(file: OnnxFile, name: str, inputs: int, hidden: int) -> dict[str, FloatArray]:
    """`name`_W, _R and _B, whose gates are i, o, f, c; torch's are i, f, g (c), o."""
    bias = file.take(f"{name}_B", 1, 8 * hidden)[0]
    stored = {
        "weight_ih": file.take(f"{name}_W", 1, 4 * hidden, inputs)[0],
        "weight_hh": file.take(f"{name}_R", 1, 4 * hidden, hidden)[0],
        "bias_ih": bias[: 4 * hidden],
        "bias_hh": bias[4 * hidden :],
    }
    return {key: _reorder(value, hidden, (0, 2, 3, 1)) for key, value in stored.items()}


def onnx_gru(
    file: OnnxFile, names: Sequence[str], inputs: int, hidden: int
) -> dict[str, FloatArray]:
    """The tensors W, R and B by name, with gates z, r, h; torch's are r, z, n (h)."""
    w, r, b = names
    bias = file.take(b, 1, 6 * hidden)[0]
    stored = {
        "weight_ih": file.take(w, 1, 3 * hidden, inputs)[0],
        "weight_hh": file.take(r, 1, 3 * hidden, hidden)[0],
        "bias_ih": bias[: 3 * hidden],
        "bias_hh": bias[3 * hidden :],
    }
    return {key: _reorder(value, hidden, (1, 0, 2)) for key, value in stored.items()}


def _reorder(gates: FloatArray, hidden: int, order: tuple[int, ...]) -> FloatArray:
    return np.concatenate([gates[g * hidden : (g + 1) * hidden] for g in order])


def torch_gru(
    weight: FloatArray, recurrence: FloatArray, bias: FloatArray
) -> dict[str, FloatArray]:
    """ONNX's [direction, gates, ...] z, r, h as torch's r, z, n (h); `linear_before_reset` is 1."""
    hidden = recurrence.shape[2]
    stored = {
        "weight_ih": weight,
        "weight_hh": recurrence,
        "bias_ih": bias[:, : 3 * hidden],
        "bias_hh": bias[:, 3 * hidden :],
    }
    return {
        key: np.stack([_reorder(each, hidden, (1, 0, 2)) for each in value])
        for key, value in stored.items()
    }
