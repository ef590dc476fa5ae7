"""Checkpoints of torch, read without running what they hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import ModelFileError, RtaudioError
from rtaudio.graph.strict import parse_json, quote
from rtaudio.models.importers import Imported, digest
from rtaudio.models.importers.diffwave import convert_diffwave, is_diffwave
from rtaudio.models.importers.r9y9 import convert_r9y9
from rtaudio.models.importers.wavegrad import PRESETS, convert_wavegrad, is_wavegrad

if TYPE_CHECKING:
    import torch

MAX_BYTES = 4 << 30
MAX_JSON_BYTES = 1 << 20


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint's `state_dict` (or `model`), as read_whole reads it."""
    return read_whole(path)[0]


def read_whole(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors of a checkpoint's `state_dict` (or `model`) and its `params`, if it has any.
    Raises ModelFileError for a file that is none or that holds code, which is never run
    (weights_only)."""
    if importlib.util.find_spec("torch") is None:
        raise RtaudioError(f"{path} is read by torch; pip install 'rtaudio[torch]'.")
    import torch

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelFileError(f"{path} is larger than {MAX_BYTES >> 30} GiB.")
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except FileNotFoundError:
        raise ModelFileError(f"there is no checkpoint {path}; check the name.") from None
    except ModelFileError:
        raise
    except Exception as error:  # whatever torch and pickle raise for a file of another kind
        reason = quote(error).split(". ")[0]
        raise ModelFileError(
            f"{path} is no checkpoint of plain tensors ({type(error).__name__}: {reason}); it is "
            "not run, whatever it holds."
        ) from None
    whole = data if isinstance(data, dict) else {}
    state = next((whole[n] for n in ("state_dict", "model") if n in whole), data)
    if not isinstance(state, dict):
        raise ModelFileError(f"{path} holds no state_dict.")
    found = {str(n): t for n, t in state.items() if isinstance(t, torch.Tensor)}
    params = whole.get("params", {})
    return (
        {n: _plain(path, n, t) for n, t in found.items()},
        params if isinstance(params, dict) else {},
    )


def _plain(path: Path, name: str, tensor: torch.Tensor) -> NDArray[Any]:
    """A few stored numbers may claim to be many: such a view is not spread out."""
    import torch

    try:
        stored = tensor.untyped_storage().nbytes() if tensor.layout == torch.strided else -1
        if tensor.is_quantized or tensor.is_complex() or tensor.device.type != "cpu":
            stored = -1
        if tensor.numel() * tensor.element_size() <= stored:
            return tensor.detach().to(torch.float64).numpy()
    except (RuntimeError, NotImplementedError):  # of kinds that have no storage
        pass
    shape = f"{tuple(tensor.shape)!s:.60}"
    raise ModelFileError(f"{path}: tensor {name!r:.60} of shape {shape} is no plain tensor.")


def read_hparams(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelFileError where it is none."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelFileError(f"{path} is too large for hparams.")
        content = parse_json(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelFileError(f"{path} cannot be read: {reason}.") from None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is no JSON of hparams ({error!s:.100}).") from None
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} holds no hparams: it is no JSON object.")
    return content


def read_diffusion(
    path: Path, numbers: Path | None = None, mel_preset: str | None = None
) -> Imported:
    """A checkpoint of the package diffwave, or, with `numbers`, the file of its least energy
    (.npy), of PriorGrad; or of the package wavegrad, whose `numbers` are the betas of a chain.
    Raises ModelFileError."""
    weights, params = read_whole(path)
    try:
        if is_wavegrad(weights):
            if mel_preset not in (None, *PRESETS.values()):
                raise ModelFileError(
                    f"WaveGrad's mels are of {' or '.join(PRESETS.values())}, not of {mel_preset}."
                )
            betas = None if numbers is None else _read_array(numbers)
            imported = convert_wavegrad(weights, params, path.stem, betas, mel_preset)
        elif is_diffwave(weights):
            least = 0.0 if numbers is None else _read_number(numbers)
            imported = convert_diffwave(weights, params, path.stem, least)
            if mel_preset not in (None, imported.metadata["mel_preset"]):
                raise ModelFileError(
                    f"its mels are of {imported.metadata['mel_preset']}, not of {mel_preset}."
                )
        else:
            raise ModelFileError(
                "it is no checkpoint of the packages diffwave and wavegrad; one of "
                "r9y9/wavenet_vocoder needs the JSON file of its hparams beside it: name both."
            )
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    return _with_origin(imported, path)


def _read_number(path: Path) -> float:
    """The one positive number of a NumPy file."""
    values = _read_array(path)
    if values.size != 1 or not 0.0 < float(values[0]) < 1e30:
        raise ModelFileError(f"{path} holds no positive number alone, as PriorGrad's energy is.")
    return float(values[0])


def _read_array(path: Path) -> NDArray[np.float64]:
    """The numbers of a NumPy file, [count]."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelFileError(f"{path} is too large for numbers beside a checkpoint.")
        return np.asarray(np.load(path, allow_pickle=False), np.float64).reshape(-1)
    except (OSError, ValueError, EOFError, TypeError):
        raise ModelFileError(f"{path} is no NumPy file of numbers.") from None


def read_r9y9(checkpoint: Path, hparams: Path, speaker: int | None = None) -> Imported:
    """A checkpoint of r9y9/wavenet_vocoder with its hparams (JSON). Raises ModelFileError."""
    try:
        weights, settings = read_checkpoint(checkpoint), read_hparams(hparams)
        imported = convert_r9y9(weights, settings, checkpoint.stem, speaker)
    except ModelFileError as error:
        where = (
            "" if str(checkpoint) in str(error) or str(hparams) in str(error) else f"{checkpoint}: "
        )
        raise ModelFileError(f"{where}{error}") from error
    return _with_origin(imported, checkpoint)


def _with_origin(imported: Imported, path: Path) -> Imported:
    about = {"imported_from": path.name, "imported_sha256": digest(path)}
    return Imported(imported.graph, imported.tensors, {**imported.metadata, **about})
