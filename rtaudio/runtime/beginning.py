"""What the lanes of a stream are given when it begins: noise, constants, a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.controls import word


class Beginning:
    """Checked values, kept from one reset to the next; a prompt is used once."""

    def __init__(self, graph: Graph, lanes: int) -> None:
        self._graph = graph
        self._lanes = lanes
        self._seed = 0
        self._numbers = [0] * lanes
        self._ports = {p.name: p for p in graph.constants}
        self._constants = {p.name: np.zeros((lanes, p.channels)) for p in graph.constants}

    def change(
        self,
        seed: int | None,
        stream_numbers: Sequence[int] | None,
        constants: Mapping[str, NDArray[Any]] | None,
    ) -> None:
        """Raises RtaudioError where one does not fit; nothing is changed then."""
        new_seed = self._seed if seed is None else word("the seed", seed)
        numbers = self._numbers
        if stream_numbers is not None:
            numbers = [word("a stream number", n) for n in stream_numbers]
        if len(numbers) != self._lanes:
            raise RtaudioError(
                f"there are {len(numbers)} stream numbers for {self._lanes} lanes; give one a lane."
            )
        rows = {name: self._rows(name, value) for name, value in (constants or {}).items()}
        self._seed, self._numbers = new_seed, numbers
        self._constants |= rows

    def native(
        self, prompt: NDArray[Any] | None
    ) -> tuple[int, list[int], list[list[float]], list[list[float]]]:
        """As the native stream takes them."""
        rows = [
            [float(v) for values in self._constants.values() for v in values[lane]]
            for lane in range(self._lanes)
        ]
        return self._seed, list(self._numbers), rows, self._prompts(prompt)

    def _rows(self, name: str, value: Any) -> NDArray[Any]:
        if name not in self._ports:
            known = ", ".join(self._ports) or "none"
            raise RtaudioError(f"the model has no constant {name!r}; it has: {known}.")
        shape = (self._lanes, self._ports[name].channels)
        try:
            rows = np.broadcast_to(np.asarray(value, np.float32), shape)
        except (TypeError, ValueError):
            raise RtaudioError(
                f"constant {name!r} is no array of {shape[1]} numbers, for all lanes or a lane."
            ) from None
        if not np.isfinite(rows).all():
            raise RtaudioError(f"constant {name!r} holds values that are not finite.")
        return rows

    def _prompts(self, prompt: NDArray[Any] | None) -> list[list[float]]:
        if prompt is None:
            return [[] for _ in range(self._lanes)]
        loops = [n.layer for n in self._graph.plan.nodes if isinstance(n.layer, Feedback)]
        if len(loops) != 1:
            raise RtaudioError("this model is not autoregressive; it takes no prompt.")
        width = loops[0].draws.width
        x: FloatArray = np.asarray(prompt, np.float32)
        x = x[:, None] if x.ndim == 1 else x
        if x.ndim != 2 or x.shape[1] != self._lanes * width or not np.isfinite(x).all():
            raise RtaudioError(
                f"the prompt has shape {x.shape}; give finite samples (frames, "
                f"{self._lanes * width})."
            )
        values = loops[0].draws.encode(x).reshape(len(x), self._lanes, width)
        return [values[:, lane].ravel().tolist() for lane in range(self._lanes)]
