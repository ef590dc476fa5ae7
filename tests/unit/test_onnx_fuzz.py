"""Mutated ONNX files and archives of them: imported, or refused in one sentence, within bounds.

`python -m tests.unit.test_onnx_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtaudio.models.importers import IMPORTERS

from .fuzzing import Fuzzed, outcomes_of
from .model_mutations import Mutator
from .test_model_file_fuzz import try_import

onnx = pytest.importorskip("onnx", reason="reads ONNX files: pip install 'rtaudio[models]'")

LARGEST_SEED = 3 << 20
NUMBERS = (-(1 << 63), -1, 0, 1, 2, 16, 1 << 16, 1 << 31, 1 << 40, (1 << 63) - 1)


def seeds(folder: Path) -> list[bytes]:
    """A small file that holds everything the reader knows, its archive, and networks that are
    installed. Parts that an importer looks for beside a file are laid there."""
    small = small_file()
    files = [small, small, archive({"a/enc.onnx": small, "b/readme.txt": b"text"})]
    for importer in IMPORTERS.values():
        for path in importer.installed() or ():
            if path.suffix == ".onnx" and path.stat().st_size < LARGEST_SEED:
                files.append(path.read_bytes())
                (folder / path.name).write_bytes(files[-1])
    return files


def small_file() -> bytes:
    helper, rng = onnx.helper, np.random.default_rng(0)
    marks = [mark for each in IMPORTERS.values() for mark in each.marks]
    tensors = [
        onnx.numpy_helper.from_array(rng.standard_normal((3, 4)).astype(kind), name)
        for name, kind in zip([*marks, "f8", "i4", "?"], [*"ffffff", "f8", "i4", "?"], strict=False)
    ]
    tensors.append(helper.make_tensor("half", onnx.TensorProto.FLOAT16, [2], [1.0, 2.0]))
    tensors.append(helper.make_tensor("brain", onnx.TensorProto.BFLOAT16, [2], [1.0, 2.0]))
    tensors.append(helper.make_tensor("text", onnx.TensorProto.STRING, [1], [b"abc"]))
    tensors.append(helper.make_tensor("floats", onnx.TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]))
    constant = helper.make_node("Constant", [], ["c"], value=tensors[0])
    inner = helper.make_graph([constant], "inner", [], [], tensors[:1])
    outer = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([constant, outer], "g", [], [], tensors)
    return bytes(helper.make_model(graph).SerializeToString())


def archive(members: dict[str, bytes]) -> bytes:
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w:gz", compresslevel=1) as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return stored.getvalue()


def mutate(rng: random.Random, data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        inside = gzip.decompress(data)
        if rng.random() < 0.7:
            return gzip.compress(Mutator(rng).scramble(inside, 1100), 1)
        return Mutator(rng).scramble(data, 40)
    if rng.random() < 0.3:
        return Mutator(rng).scramble(data, rng.choice([200, 1 << 30]))
    model = onnx.load_model_from_string(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        change(rng, model.graph)
    changed = bytes(model.SerializeToString())
    return (
        archive({"a/enc.onnx": changed}) if len(changed) < 9999 and rng.random() < 0.2 else changed
    )


def change(rng: random.Random, graph: Any) -> None:
    if not graph.initializer:
        return
    tensor = rng.choice(graph.initializer)
    kind = rng.randrange(9)
    if kind == 0:
        tensor.data_type = rng.randrange(30)
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif kind == 2:
        tensor.dims.append(rng.choice(NUMBERS))
    elif kind == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    elif kind == 4:
        tensor.name = rng.choice(
            ["", "x\ny", "\x1b[2J", "ü" * 400, rng.choice(graph.initializer).name]
        )
    elif kind == 5:
        tensor.ClearField(rng.choice(["raw_data", "dims", "data_type", "name"]))
    elif kind == 6:
        graph.initializer.remove(tensor)
    elif kind == 7 and graph.node:
        node = rng.choice(graph.node)
        node.ClearField(rng.choice(["output", "attribute", "op_type"]))
    elif tensor.raw_data:
        values = bytearray(tensor.raw_data)
        bad = np.float32(rng.choice([np.nan, np.inf, -1e30, 1e-42])).tobytes()
        at = rng.randrange(len(values)) // 4 * 4
        values[at : at + 4] = bad
        tensor.raw_data = bytes(values)


def attempt(path: Path, _rng: random.Random) -> list[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        path = path.replace(path.with_name("case.tar.gz"))
    return try_import([path])


ONNX = Fuzzed(
    name="onnx",
    suffix=".onnx",
    outcomes=("imported", "refused"),
    memory=6 << 30,
    seeds=seeds,
    mutate=mutate,
    attempt=attempt,
)


def test_mutated_networks() -> None:
    """In a process of its own, whose memory is limited."""
    results = outcomes_of(__name__, cases=200)
    assert results["refused"] > 100


if __name__ == "__main__":
    warnings.simplefilter("error")
    ONNX.main()
