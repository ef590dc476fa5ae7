"""The model file: one .safetensors, tensors plus JSON metadata."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.program import NUMERICS_REVISION, Program, lower
from rtaudio.graph.serialize import graph_from_json, graph_to_json
from rtaudio.graph.strict import parse_json, quote, visible

FORMAT = "rtaudio-model"
MAX_FILE_BYTES = 4 << 30
MAX_HEADER_BYTES = 4 << 20
_OWN_KEYS = frozenset({"format", "numerics", "graph", "program"})


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds. `tensors` are the graph's, `metadata` is free text by key:
    name, family, config, license, training_data, metrics."""

    graph: Graph
    tensors: dict[str, FloatArray]
    program: Program
    program_tensors: dict[str, FloatArray]
    metadata: dict[str, str]


def save_model(
    path: str | os.PathLike[str],
    graph: Graph,
    tensors: Mapping[str, FloatArray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes a model file; an existing file is replaced whole or not at all.

    Raises GraphError if the tensors do not fit the graph.
    """
    from safetensors.numpy import save

    program, program_tensors = lower(graph, tensors)
    stored = {n: np.ascontiguousarray(tensors[n], np.float32) for n in graph.tensor_specs}
    for name, tensor in program_tensors.items():
        if name.startswith("constant."):
            stored[name] = np.ascontiguousarray(tensor, np.float32)
    info = {
        **(metadata or {}),
        "format": FORMAT,
        "numerics": str(NUMERICS_REVISION),
        "graph": graph_to_json(graph),
        "program": program.to_json(),
    }
    target = Path(path)
    partial = target.with_name(f".{target.name}.part{os.getpid()}")
    try:
        partial.write_bytes(save(stored, metadata=info))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


# None of these can be a length of a safetensors header: they would be far above the limit.
_OTHER_KINDS = {
    b"RIFF": "a WAV file",
    b"RF64": "a WAV file",
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"ID3": "an MP3 file",
    b"PK\3\4": "a zip archive (a PyTorch checkpoint, perhaps)",
}


def load_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Reads and checks a model file. Raises ModelFileError with what is wrong and what to do."""
    path = Path(path)
    tensors, metadata = _read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} is no rtaudio model (its format is {metadata.get('format')!r:.60}, not "
            f"{FORMAT!r}); give a file written by rtaudio's export."
        )
    if metadata.get("numerics") != str(NUMERICS_REVISION):
        raise ModelFileError(
            f"{path} was made for numerics revision {metadata.get('numerics')!r:.60}, this rtaudio "
            f"has {NUMERICS_REVISION}; update rtaudio or export the model again."
        )
    for key in ("graph", "program"):
        if key not in metadata:
            raise ModelFileError(f"{path} holds no {key}; export the model again.")
    try:
        graph = graph_from_json(metadata["graph"])
        program = Program.from_json(metadata["program"])
        weights = {n: t for n, t in tensors.items() if not n.startswith("constant.")}
        graph.check_tensors(weights)
        lowered, program_tensors = lower(graph, weights)
    except (ModelFileError, GraphError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    if lowered != program:
        raise ModelFileError(
            f"{path}: its program does not belong to its graph; export the model again."
        )
    for name in [n for n in program_tensors if n.startswith("constant.")]:
        stored = tensors.get(name)
        if stored is None or not _close(stored, program_tensors[name]):
            raise ModelFileError(f"{path}: tensor {name!r} is wrong; export the model again.")
        program_tensors[name] = stored  # the very bits of the machine that exported it
    free = {visible(k): visible(v) for k, v in metadata.items() if k not in _OWN_KEYS}
    return ModelFile(graph, weights, program, program_tensors, free)


def _read_safetensors(path: Path) -> tuple[dict[str, FloatArray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        found = path.stat()
        size = found.st_size
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(f"{path} is a device or a pipe; give a .safetensors file.")
        _check_header(path, size)
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}; check the name.") from None
    except IsADirectoryError:
        raise ModelFileError(f"{path} is a directory; give a .safetensors file.") from None
    except PermissionError:
        raise ModelFileError(f"{path} may not be read; change its permissions.") from None
    except ModelFileError:
        raise
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is no readable model file ({quote(error)}).") from error
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise ModelFileError(f"{path}: tensor {name!r:.60} is {tensor.dtype}, not float32.")
    return tensors, metadata


def _other_kind(head: bytes) -> str:
    """What a file is that starts so, where that is well known."""
    for start, kind in _OTHER_KINDS.items():
        if head.startswith(start):
            return kind
    return ""


def _check_header(path: Path, size: int) -> None:
    """Bounds the sizes that the file claims before anything is allocated for them."""
    if size > MAX_FILE_BYTES:
        raise ModelFileError(f"{path} has {size} bytes, more than {MAX_FILE_BYTES}.")
    with path.open("rb") as file:
        head = file.read(8)
        kind = _other_kind(head)
        if kind:
            raise ModelFileError(f"{path} is {kind}, not a model; give a .safetensors file.")
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise ModelFileError(
                f"{path} is truncated or no model file (its header claims {length} bytes, "
                f"the file has {size})."
            )
        try:
            parse_json(file.read(length))
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path} is no model file (its header is no JSON).") from error


def _close(a: FloatArray, b: FloatArray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-5, atol=1e-7))
