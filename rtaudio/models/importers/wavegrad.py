"""Checkpoints of the package wavegrad (lmnt-com/wavegrad)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.diffusion.schedules import checked_betas
from rtaudio.errors import GraphError, ModelFileError, ScheduleError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.importers.importer import Imported, stored_betas
from rtaudio.models.steps import choose_betas
from rtaudio.models.wavegrad import FACTORS, WaveGrad, wavegrad

Weights = Mapping[str, NDArray[Any]]
MARK = "film.0.input_conv.weight"
PRESETS = {22_050: "wavegrad22", 24_000: "wavegrad24"}
STEPS = 6
_HOP = 300
_NETWORK = "refine.step.x.found.network."
# Where a module of the package stands at its rate of our network.
_BLOCK = {
    "block1": "joined.up.block.0.wide",
    "block2.0": "joined.up.block.1.conv.0",
    "block2.1": "second.sum.1.conv.1",
    "block3.0": "third.1.conv.2",
    "block3.1": "fourth.1.conv.3",
}
_FILM = {"input_conv": "joined.film.in", "output_conv": "joined.film.out"}
_DOWN = {
    "residual_dense": "block.skip",
    "conv.0": "block.0.conv.0",
    "conv.1": "block.0.conv.1",
    "conv.2": "block.0.conv.2",
}


def is_wavegrad(weights: Weights) -> bool:
    return MARK in weights or f"module.{MARK}" in weights


def convert_wavegrad(
    weights: Weights,
    params: Mapping[str, Any],
    name: str,
    betas: Sequence[float] | NDArray[Any] | None = None,
    preset: str | None = None,
) -> Imported:
    """The network of a state dict and the `params` beside it. `betas`: the chain to make speech
    with, as the package's noise_schedule writes it (None: a published one of 6 steps); `preset`:
    of its mels, where the params do not say the truth. Raises ModelFileError for a checkpoint of
    another kind or size."""
    weights = {n.removeprefix("module."): np.asarray(v) for n, v in weights.items()}
    if params.get("hop_samples", _HOP) != _HOP:
        raise ModelFileError(
            f"the checkpoint's hop_samples is {params['hop_samples']!r:.60}; the network makes "
            f"{_HOP} samples of a frame."
        )
    mel = preset or _preset(params)
    try:
        said = "noise_schedule" in params
        trained = stored_betas(params, "noise_schedule") if said else WaveGrad.trained
        chosen = choose_betas(trained, STEPS) if betas is None else checked_betas(betas)
        config = WaveGrad(
            mel=mel,
            down=_sizes(weights, "film.{}.input_conv.weight", 0),
            up=_sizes(weights, "upsample.{}.block1.weight", 0)[::-1],
            first=_take(weights, "first_conv.weight").shape[0],
            trained=trained,
            betas=tuple(map(float, chosen)),
        )
        graph = wavegrad(config)
        tensors = _tensors(weights)
        graph.check_tensors(tensors)
    except (GraphError, ScheduleError, ValueError) as error:
        raise ModelFileError(f"the checkpoint is no WaveGrad that is known: {error}") from error
    return Imported(
        graph,
        tensors,
        {
            "name": name[:100],
            "description": f"WaveGrad, {graph.num_parameters:,} parameters",
            "license": "not stated in the file",
            "paper": "arXiv:2009.00713",
            "mel_preset": mel,
        },
    )


def _preset(params: Mapping[str, Any]) -> str:
    rate = params.get("sample_rate", 24_000)
    if rate not in PRESETS:
        raise ModelFileError(
            f"the checkpoint's sample_rate is {rate!r:.60}; 22050 and 24000 Hz are known."
        )
    return PRESETS[rate]


def _sizes(weights: Weights, pattern: str, axis: int) -> tuple[int, ...]:
    return tuple(_take(weights, pattern.format(i)).shape[axis] for i in range(len(FACTORS)))


def _tensors(weights: Weights) -> dict[str, FloatArray]:
    paths = {"downsample.0": "in.1.down.0", "last_conv": "last"}
    at = ""
    for level in range(len(FACTORS)):
        if level:
            inner = at.removesuffix("joined.up.")
            paths |= {
                f"downsample.{level}.{n}": f"{inner}joined.up.lower.d.{p}" for n, p in _DOWN.items()
            }
        paths |= {f"film.{level}.{n}": at + p for n, p in _FILM.items()}
        stored = f"upsample.{len(FACTORS) - 1 - level}."
        paths |= {stored + n: at + p for n, p in _BLOCK.items()}
        at += "joined.up."
    paths["first_conv"] = f"{at}first"
    found = {}
    for stored, path in paths.items():
        weight, bias = _take(weights, f"{stored}.weight"), _take(weights, f"{stored}.bias")
        if path.endswith(".wide") and weight.ndim == 3 and weight.shape[2] == 1:
            weight = weight[:, :, 0]  # a convolution of one tap is a matrix
        found[f"{_NETWORK}{path}.weight"] = weight
        found[f"{_NETWORK}{path}.bias"] = bias
    return {n: np.ascontiguousarray(v, np.float32) for n, v in found.items()}


def _take(weights: Weights, name: str) -> NDArray[Any]:
    if name not in weights:
        raise ModelFileError(f"the checkpoint lacks {name}.")
    if not weights[name].size or not weights[name].ndim:
        raise ModelFileError(f"the checkpoint's {name} has shape {weights[name].shape}.")
    return weights[name]
