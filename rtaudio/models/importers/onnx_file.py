"""The constant tensors of ONNX files by name. Nothing in a file is ever run."""

from __future__ import annotations

import gzip
import io
import math
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import ModelFileError
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.strict import quote
from rtaudio.models.importers.reading import MAX_FILE_BYTES, read_file

MAX_MEMBERS = 100
ARCHIVES = (".tar.gz", ".tgz")

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class OnnxFile:
    """Initialisers and Constant nodes, sub-graphs included, in the file's order; empty ones are
    left out.

    Those of an archive (.tar.gz) have the stem of their own file's name before them: "enc/weight".
    """

    path: Path
    tensors: Mapping[str, NDArray[Any]]

    def take(self, name: str, *shape: int) -> FloatArray:
        """A tensor as float32. Raises ModelFileError unless it is there with that shape."""
        if name not in self.tensors:
            raise ModelFileError(
                f"{self.path} holds no tensor {name!r}, so it is another version of the network; "
                "`rtaudio models` names the package whose files can be imported."
            )
        tensor = self.tensors[name]
        if tensor.shape != shape or tensor.dtype.kind != "f":
            raise ModelFileError(
                f"{self.path}: tensor {name!r} is {tensor.dtype} of shape {tensor.shape}, not "
                f"float of {shape}, so it is another version of the network; `rtaudio models` "
                "names the package whose files can be imported."
            )
        return np.array(tensor, np.float32)


def read_onnx(path: Path) -> OnnxFile:
    """An ONNX file, or an archive of some. Raises ModelFileError for anything else, and for
    tensors that are kept elsewhere."""
    content = read_file(path)
    if path.name.endswith(ARCHIVES):
        tensors = dict(_archived(path, content))
    else:
        tensors = _tensors(path, content)
    if not tensors:
        raise ModelFileError(f"{path} holds no tensors, so there is nothing to import.")
    return OnnxFile(path, tensors)


def _archived(path: Path, content: bytes) -> Iterator[tuple[str, NDArray[Any]]]:
    """Members are read into memory and never unpacked to disk."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            # Bounded before tarfile sees it, which reads a header of any size.
            unpacked = packed.read(MAX_FILE_BYTES + 1)
        left = MAX_FILE_BYTES if len(unpacked) <= MAX_FILE_BYTES else -1
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for number, member in enumerate(archive):
                left -= abs(member.size)  # as a sparse file claims it, or a broken header
                if left < 0 or number >= MAX_MEMBERS:
                    raise ModelFileError(
                        f"{path} unpacks to more than {MAX_FILE_BYTES} bytes or {MAX_MEMBERS} "
                        "files; give the archive that the package carries."
                    )
                name = PurePosixPath(member.name)
                stored = archive.extractfile(member) if name.suffix == ".onnx" else None
                if stored is None:
                    continue
                for tensor, value in _tensors(path, stored.read()).items():
                    yield f"{name.stem}/{tensor}", value
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ModelFileError(
            f"{path} is no archive, or a truncated one ({quote(error)}); get it again."
        ) from None


def _tensors(path: Path, content: bytes) -> Tensors:
    try:
        import onnx
    except ImportError:
        raise ModelFileError(
            "reading ONNX files needs the package onnx; pip install 'rtaudio[models]'."
        ) from None
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise ModelFileError(
            f"{path} is no ONNX file, or a truncated one ({quote(error)}); get it again."
        ) from None
    tensors: Tensors = {}
    for name, proto in _protos(model.graph):
        if not isinstance(name, str):  # bytes, where they are no UTF-8
            raise ModelFileError(
                f"{path}: a tensor's name is not text ({name!r:.60}); get the file again."
            )
        if proto.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelFileError(
                f"{path} keeps tensor {name!r:.60} in another file; give one that holds its "
                "tensors."
            )
        if 0 in proto.dims:
            continue
        if min(proto.dims, default=0) < 0 or math.prod(proto.dims) > 4 * proto.ByteSize():
            # The narrowest types have 2 bits; onnx makes room before it looks.
            raise ModelFileError(
                f"{path}: tensor {name!r:.60} is broken (of shape {list(proto.dims)!s:.80}, with "
                f"{proto.ByteSize()} bytes)."
            )
        try:
            tensors[name] = onnx.numpy_helper.to_array(proto)
        except (TypeError, ValueError, KeyError) as error:
            raise ModelFileError(
                f"{path}: tensor {name!r:.60} is broken ({quote(error)})."
            ) from None
    return tensors


def _protos(graph: Any) -> Iterator[tuple[str, Any]]:
    for proto in graph.initializer:
        yield proto.name, proto
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _protos(attribute.g)
            elif node.op_type == "Constant" and node.output and attribute.HasField("t"):
                yield node.output[0], attribute.t
