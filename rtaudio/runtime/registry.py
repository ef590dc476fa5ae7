"""Names of models: shipped ones, and those that are made from other packages' files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rtaudio.errors import ModelFileError
from rtaudio.graph.file import ModelFile, load_model_file

DEFAULT_DENOISER = "rt-tcn"
DEFAULT_VOCODER = "rt-wavenet"
OWN_LICENSE = "Apache-2.0"
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


def shipped_models() -> list[str]:
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def model_card(name_or_path: str | Path) -> Path | None:
    """The description beside a model file, shipped or not."""
    name = str(name_or_path)
    found = WEIGHTS / f"{name}.md" if name in shipped_models() else Path(name).with_suffix(".md")
    return found.resolve() if is_there(found) and found.is_file() else None


def shipped_license(metadata: Mapping[str, str]) -> str:
    """Of a model in the package: the package's, where its file names no other."""
    own = metadata.get("license", "")
    return OWN_LICENSE if not own or own.startswith("see ") else own


def is_there(path: Path) -> bool:
    """Path.exists; False too for a name that no file can have or that may not be looked up."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def open_model(name_or_path: str | Path) -> ModelFile:
    """A model file (.safetensors, or .nam of WaveNet type) by its path, or a model by its name.

    Raises ModelFileError where there is none of that name, where it is broken, or where the
    package it is made from is missing.
    """
    path, name = Path(name_or_path), str(name_or_path)
    if path.suffix.lower() == ".nam":
        from rtaudio.runtime.imported import load_nam

        return load_nam(path)
    if path.suffix == ".safetensors" or len(path.parts) > 1 or (is_there(path) and path.is_file()):
        return load_model_file(path)
    if name in shipped_models():
        return load_model_file(WEIGHTS / f"{name}.safetensors")
    from rtaudio.models.importers import IMPORTERS
    from rtaudio.runtime.imported import load_imported

    if name in IMPORTERS:
        return load_imported(IMPORTERS[name])
    if is_there(path):
        return load_model_file(path)
    shipped = ", ".join(shipped_models()) or "none"
    raise ModelFileError(
        f"there is no model {name!r}; shipped models: {shipped}; made from other packages: "
        f"{', '.join(IMPORTERS)}; or give the path of a .safetensors or .nam file."
    )
