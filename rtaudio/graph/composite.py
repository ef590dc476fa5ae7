"""Layers made of layers. The plan inserts every delay they need."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import Composite, Layer

MERGES = ("add", "mul", "cat")


@frozen
class Serial(Composite):
    """Layers one after the other. Without layers: the identity."""

    kind: ClassVar[str] = "serial"

    layers: tuple[Layer, ...] = ()

    def children(self) -> tuple[Layer, ...]:
        return self.layers


@frozen
class Merge(Composite):
    """Branches of one input, joined frame by frame: added, multiplied or concatenated.

    Branches of different delay are aligned by the plan; the valid length is the shortest one's.
    """

    kind: ClassVar[str] = "merge"

    op: str
    branches: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if self.op not in MERGES:
            raise GraphError(f"merge: op is {self.op!r}; it must be one of {', '.join(MERGES)}.")
        if not self.branches:
            raise GraphError("merge: there is no branch; give at least one layer.")

    def children(self) -> tuple[Layer, ...]:
        return self.branches


@frozen
class Residual(Composite):
    """x + body(x)."""

    kind: ClassVar[str] = "residual"

    body: Layer

    def children(self) -> tuple[Layer, ...]:
        return (self.body,)

    def segment(self, index: int) -> str:
        return self.body.name


@frozen
class Unrolled(Composite):
    """A composite that is its parts, one after the other. Layers of different parts may stand at
    the same path: they are the same layer, with its tensors, run again."""

    def parts(self) -> tuple[Layer, ...]:
        raise NotImplementedError

    def children(self) -> tuple[Layer, ...]:
        return self.parts()

    def segment(self, index: int) -> str:
        return ""


@frozen
class Fused(Composite):
    """A composite that one native operation serves. Its definition is `expansion`."""

    def expansion(self) -> Serial:
        """The same in plain layers, with the same tensors by the same paths."""
        raise NotImplementedError

    def history(self) -> tuple[int, ...]:
        """Past frames kept by each layer."""
        raise NotImplementedError

    def num_layers(self, channels: int) -> int:
        return len(self.history())

    def children(self) -> tuple[Layer, ...]:
        return (self.expansion(),)

    def segment(self, index: int) -> str:
        return ""
