"""From the network that training optimises to the tensors of rtaudio.models.rt_wavenet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.graph import save_model
from rtaudio.models.rt_wavenet import rt_wavenet
from rtaudio.models.rt_wavenet_source import DRAWN, TRUNK, heard_tensors, pitch_hertz

from .vocoder_network import Trunk, VocoderNet

FloatArray = NDArray[np.float32]


def graph_tensors(network: VocoderNet) -> dict[str, FloatArray]:
    """Tensors of rt_wavenet of the network's configuration."""
    config = network.config
    w = {
        name: value.detach().double().cpu().numpy() for name, value in network.state_dict().items()
    }
    fixed = {
        name: getattr(network, name).double().cpu().numpy()
        for name in ("magnitudes", "phases", "analysis", "synthesis")
    }
    tensors = {
        **_trunk(network.pitch_trunk, w, "pitch_trunk", "pitch.trunk"),
        **_trunk(network.shape_trunk, w, "shape_trunk", "shape"),
        "pitch.out.weight": w["pitch.weight"],
        "pitch.out.bias": w["pitch.bias"],
        **heard_tensors(pitch_hertz(config.pitches), config.preset.sample_rate),
        **_bands(network, w),
        "pulses.1.0.0.magnitudes.weight": fixed["magnitudes"],
        "noise.1.magnitudes.weight": fixed["magnitudes"],
        "phases.weight": fixed["phases"],
        "condition.out.weight": w["condition.weight"],
        "condition.out.bias": w["condition.bias"],
        "levels.power.weight": w["level_weight"],
        "levels.power.bias": w["level_bias"],
        "harmonics.analysis.weight": fixed["analysis"],
        "noise.analysis.weight": fixed["analysis"],
        "drawn.weight": np.zeros((2 * DRAWN, DRAWN + 1)),
        "in_turn.weight": np.eye(DRAWN)[:, None],
        "conv.weight": _conv(w["input.weight"], config.input_kernel_size),
        "network.head.weight": w["head.weight"],
        "network.head.bias": w["head.bias"],
        "network.out.weight": w["out.weight"],
        "network.out.bias": w["out.bias"],
        "synthesis.weight": fixed["synthesis"],
    }
    for i in range(len(config.dilations)):
        layer = f"network.stack.layers.{i}"
        tensors[f"{layer}.in.past.conv.weight"] = _conv(w[f"convs.{i}.weight"], config.kernel_size)
        tensors[f"{layer}.out.x.weight"] = w[f"outs.{i}.weight"]
        tensors[f"{layer}.out.x.bias"] = w[f"outs.{i}.bias"]
    # Paths end as above; what stands before depends on how the graph nests its layers.
    paths = {}
    for path in rt_wavenet(config).tensor_specs:
        name = max((n for n in tensors if path.endswith(n)), key=len)
        paths[path] = np.ascontiguousarray(tensors[name], np.float32)
    return paths


def _conv(weight: NDArray[np.float64], taps: int) -> NDArray[np.float64]:
    """[outputs, taps * inputs] to [outputs, inputs, taps]."""
    return np.moveaxis(weight.reshape(weight.shape[0], taps, -1), 1, 2)


def _trunk(
    trunk: Trunk, w: Mapping[str, NDArray[np.float64]], name: str, path: str
) -> dict[str, NDArray[np.float64]]:
    """The first convolution takes in how its inputs are normalised."""
    tensors = {}
    for i, (size, _, _) in enumerate(TRUNK):
        weight, bias = w[f"{name}.convs.{i}.weight"], w[f"{name}.convs.{i}.bias"]
        if i == 0:
            weight = weight * np.tile(w[f"{name}.scale"], size)
            bias = bias - weight @ np.tile(w[f"{name}.mean"], size)
        where = f"{path}.{i + 1 if i else 0}{f'.{i}' if i else ''}.conv"
        tensors[f"{where}.weight"], tensors[f"{where}.bias"] = _conv(weight, size), bias
    return tensors


def _bands(network: VocoderNet, w: Mapping[str, NDArray[np.float64]]) -> dict[str, FloatArray]:
    """Envelopes from [log of the voicing; shape; mel]."""
    config = network.config
    mels, bands = config.preset.num_mels, config.shape_bands
    voiced = np.repeat([[1.0], [0.0]], bands, 0)
    scale = w["shape_trunk.scale"]
    direct = w["direct.weight"] * scale
    # The scaled mel is 0.2 (mel - silence).
    silence = np.log(config.preset.floor)
    bias = w["shape.bias"] - direct @ (0.2 * silence + w["shape_trunk.mean"])
    base = np.concatenate([np.eye(mels), np.repeat(np.eye(mels)[-1:], config.top_bands, 0)])
    return {
        "envelopes.bands.weight": np.concatenate(
            [voiced, w["shape.weight"], 0.2 * direct + np.concatenate([base, base])], 1
        ),
        "envelopes.bands.bias": bias,
    }


def export_model(network: VocoderNet, path: Path, metadata: Mapping[str, str]) -> None:
    """Writes a model file; `metadata` adds licence, training data and metrics."""
    config = network.config
    save_model(
        path,
        rt_wavenet(config),
        graph_tensors(network),
        {
            "name": "rt-wavenet",
            "description": "this project's own vocoder",
            "mel_preset": config.mel,
            "config": json.dumps(asdict(config)),
            **metadata,
        },
    )
