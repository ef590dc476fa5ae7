"""What people hand over: control values by name, whole numbers, arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from rtaudio.errors import RtaudioError
from rtaudio.graph.graph import ControlPort, Graph
from rtaudio.graph.layer import FloatArray

CONTROL_RAMP_SECONDS = 0.005


class Controls:
    """The control ports of a graph and the values they are set to."""

    def __init__(self, model: str, graph: Graph, values: Mapping[str, float]) -> None:
        self._model = model
        self._ports = {c.name: (i, c) for i, c in enumerate(graph.controls)}
        self.values = {c.name: c.default for c in graph.controls}
        for name, value in values.items():
            self.set(name, value)

    @property
    def ports(self) -> list[ControlPort]:
        return [port for _, port in self._ports.values()]

    def set(self, name: str, value: float) -> tuple[int, float]:
        """The port's index and the value for its kernel. NaN is the port's default; what lies
        outside its range is clamped. Raises RtaudioError for an unknown name."""
        if name not in self._ports:
            known = ", ".join(self._ports) or "none"
            raise RtaudioError(f"model {self._model!r} has no control {name!r}; it has: {known}.")
        index, port = self._ports[name]
        self.values[name] = port.clamp(_number(name, value))
        return index, port.to_kernel(self.values[name])

    def for_kernel(self) -> list[float]:
        return [port.to_kernel(self.values[port.name]) for port in self.ports]


def whole(name: str, value: Any) -> int:
    """A whole number that an int of C holds. Raises RtaudioError."""
    number = _index(name, value)
    if abs(number) >= 1 << 31:
        raise RtaudioError(f"{name} is {number}; no stream is that large.")
    return number


def word(name: str, value: Any) -> int:
    """A whole number of 32 bits. Raises RtaudioError."""
    number = _index(name, value)
    if not 0 <= number < 1 << 32:
        raise RtaudioError(f"{name} is {number}; it must be 0 to {(1 << 32) - 1}.")
    return number


def array(x: Any) -> FloatArray:
    if not isinstance(x, np.ndarray):
        raise TypeError(f"the input is {type(x).__name__}; give a numpy array of float32")
    return x


def _index(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise RtaudioError(f"{name} is {value!r:.60}; it must be a whole number.") from None


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an int beyond every float
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        raise RtaudioError(f"{name} is {value!r:.60}; it must be a number.") from None
