"""Which network a file belongs to, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rtaudio.errors import ModelFileError
from rtaudio.models.importers.importer import Importer
from rtaudio.models.importers.onnx_file import OnnxFile, read_onnx


def find_importer(
    files: Sequence[OnnxFile], importers: Iterable[Importer]
) -> tuple[Importer, tuple[OnnxFile, ...]]:
    """The importer of these files, and the files in its order.

    Files that are not given are looked for beside the first one, by the importer's names. Raises
    ModelFileError where no importer knows a file, or a file is missing.
    """
    known = tuple(importers)
    for importer in known:
        if any(mark in files[0].tensors for mark in importer.marks):
            return importer, tuple(_part(importer, i, files) for i in range(len(importer.marks)))
    names = ", ".join(each.name for each in known)
    raise ModelFileError(
        f"{files[0].path} is of no network that can be imported (these can: {names}), or of "
        "another version of one; `rtaudio models` names their packages."
    )


def _part(importer: Importer, index: int, files: Sequence[OnnxFile]) -> OnnxFile:
    mark, name = importer.marks[index], importer.files[index]
    given = next((file for file in files if mark in file.tensors), None)
    if given is not None:
        return given
    beside = files[0].path.with_name(name)
    found = read_onnx(beside) if beside.is_file() else None
    if found is None or mark not in found.tensors:
        raise ModelFileError(
            f"{importer.name} has {len(importer.files)} files ({', '.join(importer.files)}), and "
            f"{name} is not among those given, nor beside them; name it too."
        )
    return found
