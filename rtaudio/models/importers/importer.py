"""What an importer is: the files of a network that others trained, and our graph with its tensors.

An importer matches named constants of those files to the tensors of a graph of ours. It is no
compiler: the graph is written by hand in rtaudio/models, and a file of another shape is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from rtaudio.errors import ModelFileError
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.models.importers.onnx_file import OnnxFile
from rtaudio.models.importers.reading import digest


@dataclass(frozen=True)
class Imported:
    """A graph, its tensors by path, and what the model file shall say about them."""

    graph: Graph
    tensors: dict[str, FloatArray]
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Importer:
    """One network of others.

    `files`: names of its files in `package` (`same_in` are others that carry them too); `marks`: a
    tensor name for each by which a file that the user gives is recognised; `convert` gets the files
    read, in that order, and returns the tensors of `graph()`, or raises ModelFileError where one
    does not fit (OnnxFile.take does). `revision` counts changes of what is made: caches of older
    ones are not used. `int8_keeps`: matrices that int8 would harm, by the names of their tensors;
    they stay in bf16 there.
    """

    name: str
    title: str
    package: str
    files: tuple[str, ...]
    marks: tuple[str, ...]
    graph: Callable[[], Graph]
    convert: Callable[..., dict[str, FloatArray]]
    license: str
    paper: str
    same_in: tuple[str, ...] = ()
    int8_keeps: tuple[str, ...] = ()
    revision: int = 1

    def installed(self) -> tuple[Path, ...] | None:
        """The files in an installed package; None where there is none."""
        found = (packaged_files(each, self.files) for each in (self.package, *self.same_in))
        return next((paths for paths in found if paths is not None), None)

    def version(self) -> str:
        """Name and version of the package that is installed; empty where none is."""
        found = ((each, package_version(each)) for each in (self.package, *self.same_in))
        return next((f"{name} {version}" for name, version in found if version), "")

    def read(self, files: Sequence[OnnxFile]) -> Imported:
        """Raises ModelFileError where the files are of another version of the network."""
        graph = self.graph()
        tensors = {n: np.ascontiguousarray(t) for n, t in self.convert(*files).items()}
        graph.check_tensors(tensors)
        return Imported(
            graph,
            tensors,
            {
                "name": self.name,
                "description": self.title,
                "license": self.license,
                "paper": self.paper,
                "int8_keeps": ", ".join(self.int8_keeps),
                "imported_from": ", ".join(f.path.name for f in files),
                "imported_sha256": ", ".join(digest(f.path) for f in files),
            },
        )


def stored_betas(params: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """A chain's betas as a checkpoint holds them. Raises ModelFileError for anything else."""
    values = params[key]
    if not isinstance(values, (list, tuple)) or not all(
        isinstance(value, (int, float)) for value in values
    ):
        raise ModelFileError(f"the checkpoint's {key} is {values!r:.60}, no list of betas.")
    return tuple(map(float, values))


def packaged_files(package: str, names: Sequence[str]) -> tuple[Path, ...] | None:
    """Files of an installed package by their names; None where one of them is not there."""
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    paths = {f.name: Path(str(f.locate())) for f in listed}
    if not all(name in paths and paths[name].is_file() for name in names):
        return None
    return tuple(paths[name] for name in names)


def package_version(package: str) -> str:
    """Empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
