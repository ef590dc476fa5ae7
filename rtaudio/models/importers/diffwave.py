"""Checkpoints of the package diffwave (lmnt-com/diffwave), base and large, and of PriorGrad
(microsoft/NeuralSpeech, PriorGrad-vocoder), which has the same network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError, ModelFileError, ScheduleError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.diffwave import (
    UPSAMPLING,
    DiffWaveVocoder,
    diffwave_vocoder,
    spread_tensors,
)
from rtaudio.models.importers.importer import Imported, stored_betas

Weights = Mapping[str, NDArray[Any]]
MARK = "residual_layers.0.diffusion_projection.weight"
# Where the package's module stands in our network, a layer of it, and what of it is a matrix.
_ENDS = {
    "input_projection": "in.x.input",
    "diffusion_embedding.projection1": "in.embedding.first",
    "diffusion_embedding.projection2": "in.embedding.second",
    "skip_projection": "skip",
    "output_projection": "output",
}
_LAYER = {
    "dilated_conv": "z.past.conv",
    "conditioner_projection": "z.now.condition",
    "output_projection": "out",
    "diffusion_projection": "z.past.moved.step.embed",
}
# Parameters that must be those of the preset, since a checkpoint is deaf to any other mel.
_MEL_PARAMETERS = {"sample_rate": 22_050, "n_mels": 80, "n_fft": 1024, "hop_samples": 256}


def is_diffwave(weights: Weights) -> bool:
    return MARK in weights or f"module.{MARK}" in weights


def convert_diffwave(
    weights: Weights, params: Mapping[str, Any], name: str, energy_min: float = 0.0
) -> Imported:
    """The network of a state dict and the `params` beside it; with PriorGrad's `energy_min`, its
    noise follows the mel. Raises ModelFileError for one of another kind or size."""
    preset = "hifigan22" if energy_min else "diffwave22"
    weights = {n.removeprefix("module."): np.asarray(v) for n, v in weights.items()}
    for key, wanted in _MEL_PARAMETERS.items():
        if params.get(key, wanted) != wanted:
            raise ModelFileError(
                f"the checkpoint's {key} is {params[key]!r:.60}, and mels of {preset} have "
                f"{wanted}; with another mel it would make noise."
            )
    numbers = {n.split(".")[1] for n in weights if n.startswith("residual_layers.")}
    layers = len(numbers)
    if not layers:
        raise ModelFileError("the checkpoint holds no residual_layers; it is no DiffWave.")
    if params.get("condition_prior") or params.get("condition_prior_global"):
        raise ModelFileError("the checkpoint reads the noise's spread as well; that is not known.")
    cycle = _whole(params, "dilation_cycle_length", 10)
    try:
        config = DiffWaveVocoder(
            mel=preset,
            energy_min=energy_min,
            spectral=False,
            channels=_take(weights, "input_projection.weight", 3).shape[0],
            dilations=tuple(2 ** (i % cycle) for i in range(layers)),
            **_chains(params),
        )
        graph = diffwave_vocoder(config)
        tensors = _tensors(weights, config)
        graph.check_tensors(tensors)
    except (GraphError, ScheduleError, ValueError) as error:
        raise ModelFileError(f"the checkpoint is no DiffWave that is known: {error}") from error
    return Imported(
        graph,
        tensors,
        {
            "name": name[:100],
            "description": f"{'PriorGrad' if energy_min else 'DiffWave'}, {layers} layers of "
            f"{config.channels} channels",
            "license": "not stated in the file",
            "paper": "arXiv:2106.06406" if energy_min else "arXiv:2009.09761",
            "mel_preset": preset,
        },
    )


def _chains(params: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """The chains of training and of inference, where the checkpoint says them."""
    keys = (("noise_schedule", "trained"), ("inference_noise_schedule", "betas"))
    return {field: stored_betas(params, key) for key, field in keys if key in params}


def _tensors(weights: Weights, config: DiffWaveVocoder) -> dict[str, FloatArray]:
    found: dict[str, NDArray[Any]] = {}
    for stored, path in _ENDS.items():
        found |= _linear(weights, stored, f"refine.{path}")
    for i in range(len(config.dilations)):
        at = f"refine.layers.{i}.body."
        for stored, path in _LAYER.items():
            new = _linear(weights, f"residual_layers.{i}.{stored}", at + path)
            if stored in ("dilated_conv", "conditioner_projection"):
                # The package's sigmoid takes the first half, and ours the second.
                new = {n: np.roll(v, config.channels, axis=0) for n, v in new.items()}
            found |= new
        conv = _take(weights, f"residual_layers.{i}.dilated_conv.weight", 3)
        found[f"{at}{_LAYER['dilated_conv']}.weight"] = np.roll(conv, config.channels, axis=0)
    path = "in.0." if config.energy_min else ""
    for i in range(len(UPSAMPLING)):
        found |= _upsampling(weights, i, config.preset.num_mels, path)
    if config.energy_min:
        sums = spread_tensors(config.preset.num_mels)
        found |= {f"in.prior.{n}": v for n, v in sums.items()}
    return {n: np.ascontiguousarray(v, np.float32) for n, v in found.items()}


def _linear(weights: Weights, stored: str, path: str) -> dict[str, NDArray[Any]]:
    """A matrix and its bias; a convolution of one tap is a matrix."""
    name = f"{stored}.weight"
    found = weights.get(name)
    matrix = _take(weights, name, 2 if found is not None and found.ndim == 2 else 3)
    if matrix.ndim == 3:
        matrix = matrix[:, :, 0]
    return {f"{path}.weight": matrix, f"{path}.bias": _take(weights, f"{stored}.bias", 1)}


def _take(weights: Weights, name: str, dimensions: int) -> NDArray[Any]:
    if name not in weights:
        raise ModelFileError(f"the checkpoint lacks {name}.")
    if weights[name].ndim != dimensions or not weights[name].size:
        raise ModelFileError(f"the checkpoint's {name} has shape {weights[name].shape}.")
    return weights[name]


def _whole(params: Mapping[str, Any], name: str, default: int) -> int:
    value = params.get(name, default)
    if type(value) is not int or not 1 <= value <= 16:
        raise ModelFileError(f"the checkpoint's {name} is {value!r:.60}; it must be 1 to 16.")
    return value


def _upsampling(weights: Weights, index: int, bands: int, path: str) -> dict[str, NDArray[Any]]:
    """A transposed convolution over bands and time as one over time: a band matrix each."""
    stored = f"spectrogram_upsampler.conv{index + 1}"
    kernel = _take(weights, f"{stored}.weight", 4)
    dense = np.zeros((bands, bands, kernel.shape[3]), np.float32)
    for k in range(kernel.shape[2]):
        out = np.arange(bands) + k - kernel.shape[2] // 2
        inside = (out >= 0) & (out < bands)
        dense[np.arange(bands)[inside], out[inside]] = kernel[0, 0, k]
    bias = _take(weights, f"{stored}.bias", 1)
    path = f"{path}up.{index}."
    return {f"{path}weight": dense, f"{path}bias": np.full(bands, bias[0])}
