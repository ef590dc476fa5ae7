"""Names of shipped models."""

from __future__ import annotations

from pathlib import Path

from rtaudio.errors import ModelFileError

DEFAULT_DENOISER = "rt-tcn"
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


def shipped_models() -> list[str]:
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def find_model(name_or_path: str | Path) -> Path:
    """A file's path, or that of a shipped model. Raises ModelFileError where there is neither."""
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or len(path.parts) > 1 or path.exists():
        return path
    if str(name_or_path) in shipped_models():
        return WEIGHTS / f"{name_or_path}.safetensors"
    known = ", ".join(shipped_models()) or "none"
    raise ModelFileError(
        f"there is no model {str(name_or_path)!r}; shipped models: {known}, or give the path of a "
        ".safetensors file."
    )
