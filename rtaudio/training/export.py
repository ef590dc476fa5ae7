"""From the network that training optimises to the tensors of rtaudio.models.denoiser.

The same function in another layout: features keep natural logarithms, their normalisation is
folded into the input layer, complex values stand as [re | im] instead of interleaved.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rtaudio.graph import save_model
from rtaudio.models.denoiser import RtTcn, rt_tcn

HOME_RATE = 48_000
FloatArray = NDArray[np.float32]


def graph_tensors(state: Mapping[str, Tensor], config: RtTcn) -> dict[str, FloatArray]:
    """Tensors of rt_tcn(config, 48000) from a state dict of training.network.RtTcn.

    Without a trained `high` head its gains are those of a neutral start: see `high_head`.
    """
    w = {name: value.detach().double().cpu().numpy() for name, value in state.items()}
    n, bands, core = config.complex_bins, config.num_bands, "denoiser.core."
    scale = w["feature_scale"].copy()
    weight = w["input.weight"] * scale
    bias = w["input.bias"] - weight @ w["feature_mean"]
    weight[:, : 2 * bands] /= math.log(10.0)
    low = weight[:, 2 * bands :].reshape(-1, n, 2)
    weight[:, 2 * bands :] = np.concatenate([low[..., 0], low[..., 1]], axis=1)
    tensors = {f"{core}input.weight": weight, f"{core}input.bias": bias}
    for i in range(len(config.dilations)):
        conv = w[f"stack.{i}.conv.weight"].reshape(-1, config.kernel_size, config.channels)
        tensors[f"{core}stack.layers.{i}.conv.weight"] = conv.transpose(0, 2, 1)
        tensors[f"{core}stack.layers.{i}.conv.bias"] = w[f"stack.{i}.conv.bias"]
        tensors[f"{core}stack.layers.{i}.out.weight"] = w[f"stack.{i}.out.weight"]
        tensors[f"{core}stack.layers.{i}.out.bias"] = w[f"stack.{i}.out.bias"]
    tensors[f"{core}skip.slope"] = w["skip_act.weight"]
    lstm = next(p for p in rt_tcn(config, HOME_RATE).tensor_specs if p.endswith("weight_ih"))
    lstm = lstm.removesuffix("weight_ih")
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        tensors[lstm + part] = w[f"rnn.{part}_l0"]
    tensors[f"{core}heads.gain.linear.weight"] = w["gain.weight"]
    tensors[f"{core}heads.gain.linear.bias"] = w["gain.bias"]
    for part in ("weight", "bias"):
        rows = w[f"filter.{part}"].reshape(config.filter_taps, config.filter_bins, 2, -1)
        rows = rows.transpose(0, 2, 1, 3).reshape(-1, rows.shape[-1])
        tensors[f"{core}heads.filter.linear.{part}"] = rows if part == "weight" else rows[:, 0]
    high_weight, high_bias = high_head(w, config)
    tensors[f"{core}heads.high.linear.weight"] = high_weight
    tensors[f"{core}heads.high.linear.bias"] = high_bias
    return {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}


def high_head(
    w: Mapping[str, NDArray[np.float64]], config: RtTcn
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The trained head of the bands above 8 kHz, or where there is none yet: every band follows
    the mean of the core's top kilohertz."""
    if "high.weight" in w:
        return w["high.weight"], w["high.bias"]
    top = slice(config.core_bins - 20, config.core_bins)
    weight = np.tile(w["gain.weight"][top].mean(axis=0), (config.high_bands, 1))
    return weight, np.full(config.high_bands, w["gain.bias"][top].mean())


def export_model(
    state: Mapping[str, Tensor], config: RtTcn, path: Path, metadata: Mapping[str, str]
) -> None:
    """Writes a model file; `metadata` adds licence, training data and metrics."""
    save_model(
        path,
        rt_tcn(config, HOME_RATE),
        graph_tensors(state, config),
        {"name": "rt-tcn", "family": "rt-tcn", "config": json.dumps(asdict(config)), **metadata},
    )
