"""From the network that training optimises to the tensors of rtaudio.models.rt_wavenet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rtaudio.dsp.pqmf import pqmf_filters
from rtaudio.graph import save_model
from rtaudio.models.rt_wavenet import RtWaveNet, rt_wavenet

FloatArray = NDArray[np.float32]


def graph_tensors(state: Mapping[str, Tensor], config: RtWaveNet) -> dict[str, FloatArray]:
    """Tensors of rt_wavenet(config) from a state dict of vocoder_network.VocoderNet."""
    w = {name: value.detach().float().cpu().numpy() for name, value in state.items()}

    def conv(weight: FloatArray, taps: int) -> FloatArray:
        """[outputs, taps * inputs] to [outputs, inputs, taps]."""
        return np.moveaxis(weight.reshape(weight.shape[0], taps, -1), 1, 2)

    tensors = {
        "levels.power.weight": w["level_weight"],
        "levels.power.bias": w["level_bias"],
        "levels.smooth.weight": np.full((config.bands, 1, 2), 0.5),
        "condition.mel.weight": conv(w["mel.weight"], config.condition_kernel_size),
        "condition.mel.bias": w["mel.bias"],
        "condition.hidden.weight": w["hidden.weight"],
        "condition.hidden.bias": w["hidden.bias"],
        "condition.out.weight": w["condition.weight"],
        "condition.out.bias": w["condition.bias"],
        "network.start.input.past.conv.weight": conv(w["past.weight"], config.input_kernel_size),
        "network.head.weight": w["head.weight"],
        "network.head.bias": w["head.bias"],
        "network.out.weight": w["out.weight"],
        "network.out.bias": w["out.bias"],
        "prediction.terms.past.conv.weight": conv(
            w["predictors.weight"], config.predictor_kernel_size
        ),
        "prediction.out.weight": w["prediction.weight"],
        "synthesis.weight": pqmf_filters(config.bands)[1][:, None],
    }
    for i in range(len(config.dilations)):
        layer = f"network.stack.layers.{i}"
        tensors[f"{layer}.in.past.conv.weight"] = conv(w[f"convs.{i}.weight"], config.kernel_size)
        tensors[f"{layer}.out.x.weight"] = w[f"outs.{i}.weight"]
        tensors[f"{layer}.out.x.bias"] = w[f"outs.{i}.bias"]
    # Paths end as above; what stands before depends on how the graph nests its layers.
    paths = {}
    for path in rt_wavenet(config).tensor_specs:
        (name,) = (n for n in tensors if path.endswith(n))
        paths[path] = np.ascontiguousarray(tensors[name], np.float32)
    return paths


def export_model(
    state: Mapping[str, Tensor], config: RtWaveNet, path: Path, metadata: Mapping[str, str]
) -> None:
    """Writes a model file; `metadata` adds licence, training data and metrics."""
    save_model(
        path,
        rt_wavenet(config),
        graph_tensors(state, config),
        {
            "name": "rt-wavenet",
            "mel_preset": config.mel,
            "config": json.dumps(asdict(config)),
            **metadata,
        },
    )
