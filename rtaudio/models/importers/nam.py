"""Guitar amplifiers and pedals as .nam files (Neural Amp Modeler) of WaveNet type: A1, whose
configs are flat, and A2. Other architectures are refused.

A .nam plays as if silence had gone on for ever before its first sample. Ours starts from zeros, so
every signal inside is taken relative to its value in silence, which only changes the biases: the
output is the same from the first sample on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph import Activation
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.strict import parse_json, quote
from rtaudio.models.importers.importer import Imported
from rtaudio.models.importers.nam_config import NamArray, NamConfig, check_whole, read_config
from rtaudio.models.importers.reading import digest, read_file
from rtaudio.models.wavenet import Head, wavenet

MAX_FILE_BYTES = 16 << 20
MAX_NUMBERS = 1 << 24  # in all matrices, zeros between groups included
STANDARD_RATE = 48_000
Array = NDArray[np.float64]


def read_nam(path: Path) -> Imported:
    """A .nam file's network. Raises ModelFileError where it is broken or of another kind."""
    content = _read_object(path)
    try:
        architecture = content.get("architecture")
        if architecture != "WaveNet":
            raise ModelFileError(
                f"its architecture is {architecture!r:.60}; only WaveNet can be imported."
            )
        rate = content.get("sample_rate") or STANDARD_RATE
        if isinstance(rate, float) and rate.is_integer():
            rate = int(rate)
        check_whole(rate, 1, 1_000_000, "sample_rate")
        config = read_config(content.get("config"))
        graph = wavenet(tuple(a.array for a in config.arrays), config.head, rate)
        with np.errstate(over="ignore", invalid="ignore"):  # check_tensors finds it
            tensors = {
                name if name in graph.tensor_specs else f"net.{name}": tensor
                for name, tensor in _tensors(config, _Weights(content.get("weights"))).items()
            }
        graph.check_tensors(tensors)
    except (ModelFileError, GraphError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    return Imported(graph, tensors, _metadata(path, content.get("metadata")))


def _read_object(path: Path) -> dict[str, Any]:
    stored = read_file(path, MAX_FILE_BYTES)
    try:
        content = parse_json(stored)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is no .nam file, or a truncated one ({quote(error)}); get it again."
        ) from None
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} is no .nam file: it holds no object; get it again.")
    return content


def _metadata(path: Path, data: Any) -> dict[str, str]:
    found = data if isinstance(data, dict) else {}
    told = {k: v for k, v in found.items() if isinstance(v, str) and v.isprintable()}
    name = told.get("name") or path.stem
    gear = " ".join(told[k] for k in ("gear_make", "gear_model") if k in told)
    return {
        "name": name[:100],
        "description": f"{gear or name} (Neural Amp Modeler)"[:200],
        "license": "not stated in the file",
        "imported_from": path.name,
        "imported_sha256": digest(path),
    }


class _Weights:
    """The flat list of all weights, taken from in order."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
            raise ModelFileError("weights is not a list of numbers.")
        try:
            self._values = np.array(values, np.float64)
        except OverflowError:
            self._values = np.array([math.inf])
        if not (np.abs(self._values) <= np.finfo(np.float32).max).all():
            raise ModelFileError("a weight is not finite; get the file again.")
        self._used = 0
        self._room = MAX_NUMBERS

    def take(self, *shape: int) -> Array:
        count = math.prod(shape)
        begin, self._used = self._used, self._used + count
        if self._used > len(self._values):
            raise ModelFileError(
                f"there are {len(self._values)} weights, fewer than the config's sizes need; get "
                "the file again."
            )
        return self._values[begin : self._used].reshape(shape)

    def take_grouped(self, groups: int, outputs: int, inputs: int, taps: int) -> Array:
        """[outputs, inputs, taps], zero between groups."""
        compact = self.take(outputs, inputs // groups, taps)
        self.use(compact.size * groups)
        dense = np.zeros((outputs, inputs, taps))
        rows, columns = outputs // groups, inputs // groups
        for g in range(groups):
            part = slice(g * rows, (g + 1) * rows)
            dense[part, g * columns : (g + 1) * columns] = compact[part]
        return dense

    def use(self, numbers: int) -> None:
        """Before an array that may be larger than what is stored of it."""
        self._room -= numbers
        if self._room < 0:
            raise ModelFileError(f"the matrices need more than {MAX_NUMBERS} numbers.")

    def finish(self) -> None:
        if self._used != len(self._values):
            raise ModelFileError(
                f"there are {len(self._values)} weights, but the config's sizes need {self._used}."
            )


def _tensors(config: NamConfig, weights: _Weights) -> dict[str, FloatArray]:
    """x and s: their values in silence; a start: what s begins with, so that it ends relative to
    its silence."""
    tensors: dict[str, Array] = {}
    x, s = np.zeros(1), np.zeros(config.arrays[0].array.width)
    for i, each in enumerate(config.arrays):
        channels, width = each.array.channels, each.array.width
        matrix = weights.take(channels, len(x))
        x = matrix @ x
        s_before = s
        layers, x, s = _layers(each, weights, x, s)
        tensors |= {f"arrays.{i}.{n}": t for n, t in layers.items()}
        start = s_before - s
        if i == 0:
            tensors["input.weight"] = np.concatenate([matrix, [[1.0]], np.zeros((width, 1))])
            tensors["input.bias"] = np.concatenate([np.zeros(channels + 1), start])
        else:
            wide = np.zeros((channels + 1, matrix.shape[1] + 1))
            wide[:channels, :-1], wide[-1, -1] = matrix, 1.0
            tensors[f"join.{i - 1}.x.linear.weight"] = wide
            tensors[f"join.{i - 1}.head.conv.bias"] = start
        weight = weights.take(each.array.head_outputs, width, each.array.head_kernel_size)
        bias = weights.take(len(weight)) if each.head_bias else np.zeros(len(weight))
        s = weight.sum(axis=2) @ s + bias
        if i + 1 < len(config.arrays):
            tensors[f"join.{i}.head.conv.weight"] = weight
    head = _head(config.head, weights, s) if config.head else None
    scale = float(weights.take(1)[0])
    weights.finish()
    tensors["output.conv.weight"], tensors["output.conv.bias"] = weight * scale, s * scale
    if config.head and head:
        tensors |= _centred(config.head, head, s * scale)
    return {n: np.ascontiguousarray(t, np.float32) for n, t in tensors.items()}


def _layers(
    each: NamArray, weights: _Weights, x: Array, s: Array
) -> tuple[dict[str, Array], Array, Array]:
    array = each.array
    tensors: dict[str, Array] = {}
    wide = array.hidden * (2 if array.gate else 1)
    for i, size in enumerate(array.kernel_sizes):
        conv = weights.take_grouped(each.input_groups, wide, array.channels, size)
        bias = weights.take(wide)
        condition = weights.take_grouped(each.condition_groups, wide, 1, 1)[:, :, 0]
        z = conv.sum(axis=2) @ x + bias
        h = _apply(array.activation, z[: array.hidden])
        if array.gate:
            h = h * _apply(array.gate, z[array.hidden :])
        if not each.has_residual:
            weights.use(array.channels**2)
            residual, constant = np.eye(array.channels), np.zeros(array.channels)
        else:
            residual = weights.take_grouped(each.residual_groups, array.channels, array.hidden, 1)[
                :, :, 0
            ]
            constant = weights.take(array.channels)
        layer = {
            "in.past.conv.weight": conv,
            "in.past.conv.bias": z,
            "in.now.condition.weight": condition,
            "out.residual.weight": residual,
            "out.residual.bias": -(residual @ h),
        }
        x = x + residual @ h + constant
        if array.head_channels:
            skip = weights.take_grouped(each.head_groups, array.width, array.hidden, 1)[:, :, 0]
            bias = weights.take(array.width)
            layer["out.skip.weight"], layer["out.skip.bias"] = skip, bias
            h = skip @ h + bias
        s = s + h
        tensors |= {f"layers.{i}.{n}": t for n, t in layer.items()}
    return tensors, x, s


def _head(head: Head, weights: _Weights, s: Array) -> list[tuple[Array, Array]]:
    """Weight and bias of each convolution, as stored."""
    found, inputs = [], len(s)
    for i, size in enumerate(head.kernel_sizes):
        outputs = head.channels if i + 1 < len(head.kernel_sizes) else 1
        found.append((weights.take(outputs, inputs, size), weights.take(outputs)))
        inputs = outputs
    return found


def _centred(head: Head, convs: list[tuple[Array, Array]], value: Array) -> dict[str, Array]:
    """The head's tensors, from the value in silence of what enters it."""
    tensors: dict[str, Array] = {}
    for i, (weight, bias) in enumerate(convs):
        h = _apply(head.activation, value)
        value = weight.sum(axis=2) @ h + bias
        tensors[f"head.{i}.centre.weight"], tensors[f"head.{i}.centre.bias"] = np.eye(len(h)), -h
        tensors[f"head.{i}.conv.weight"], tensors[f"head.{i}.conv.bias"] = weight, value
    return tensors


def _apply(activation: Activation, z: Array) -> Array:
    functions: dict[str, Callable[[Array], Array]] = {
        "tanh": np.tanh,
        "sigmoid": _sigmoid,
        "relu": lambda z: np.maximum(z, 0.0),
        "silu": lambda z: z * _sigmoid(z),
        "softplus": lambda z: np.logaddexp(0.0, z),
        "identity": lambda z: z,
        "leaky_relu": lambda z: np.where(z > 0, z, activation.a * z),
        "clamp": lambda z: np.clip(z, activation.a, activation.b),
    }
    return np.asarray(functions[activation.function](z))


def _sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -z))
