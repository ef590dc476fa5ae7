"""Files in the format of Neural Amp Modeler, with random weights, and their network in float64
torch, written from the format's equations and order of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import conv1d

DILATIONS = [1, 2, 4, 8, 16]


def flat(inputs: int, channels: int, head: int, bias: bool, **more: Any) -> dict[str, Any]:
    """A layer array as A1 files have it."""
    return {
        "input_size": inputs,
        "condition_size": 1,
        "head_size": head,
        "channels": channels,
        "kernel_size": 3,
        "dilations": DILATIONS,
        "activation": "Tanh",
        "gated": False,
        "head_bias": bias,
    } | more


def deep(inputs: int, channels: int, head: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A layer array as newer files have it."""
    film = {"active": False, "shift": True, "groups": 1}
    layers = len(more.get("dilations", DILATIONS))
    return {
        "input_size": inputs,
        "condition_size": 1,
        "head": head,
        "channels": channels,
        "kernel_sizes": [3] * layers,
        "dilations": DILATIONS,
        "activation": [{"type": "Tanh"}] * layers,
        "bottleneck": channels,
        "head1x1": {"active": False, "out_channels": 1, "groups": 1},
        "layer1x1": {"active": True, "groups": 1},
        "groups_input": 1,
        "groups_input_mixin": 1,
        "conv_pre_film": film,
        "gating_mode": ["none"] * layers,
        "secondary_activation": [None] * layers,
        "slimmable": None,
    } | more


def head_of(outputs: int, size: int = 1, bias: bool = True) -> dict[str, Any]:
    return {"out_channels": outputs, "kernel_size": size, "bias": bias}


# Small networks of every kind that can be imported.
CONFIGS: dict[str, dict[str, Any]] = {
    "a1": {"layers": [flat(1, 16, 8, False), flat(16, 8, 1, True)], "head": None},
    "a1 gated": {
        "layers": [flat(1, 6, 4, False, gated=True), flat(6, 4, 1, True, activation="ReLU")],
        "head": None,
    },
    "a2": {
        "layers": [
            deep(
                1,
                3,
                head_of(1, 16),
                kernel_sizes=[6, 6, 15, 6],
                dilations=[1, 41, 13, 101],
                activation=[{"type": "LeakyReLU", "negative_slope": 0.01}] * 4,
                gating_mode=["none"] * 4,
                secondary_activation=[None] * 4,
            )
        ],
        "head": None,
    },
    "many arrays": {
        "layers": [
            flat(2 if i else 1, 2, 1 if i == 16 else 2, False, dilations=[1 + i % 3])
            for i in range(17)
        ],
        "head": None,
    },
    "everything": {
        "layers": [
            deep(
                1,
                6,
                head_of(3, 3),
                kernel_sizes=[2] * 5,
                activation=[{"type": "SiLU"}] * 5,
                gating_mode=["gated"] * 5,
                secondary_activation=[{"type": "Sigmoid"}] * 5,
                bottleneck=4,
                head1x1={"active": True, "out_channels": 2, "groups": 2},
                layer1x1={"active": True, "groups": 2},
                groups_input=2,
            ),
            deep(
                6,
                3,
                head_of(2, bias=False),
                layer1x1={"active": False, "groups": 1},
                activation=[{"type": "Hardtanh", "min_val": -0.5, "max_val": 0.5}] * 5,
            ),
        ],
        "head": {"channels": 5, "activation": "Tanh", "out_channels": 1, "kernel_sizes": [3, 1, 2]},
    },
}


class Reader:
    """Weights in the file's order: random ones are made on the way, or a list is read."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.all: list[float] = []

    def __call__(self, *shape: int) -> torch.Tensor:
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 4
        made = self.random.uniform(-1, 1, shape) * fan_in**-0.5
        made = made.astype(np.float32).astype(np.float64)  # as the file has them
        self.all += made.reshape(-1).tolist()
        return torch.from_numpy(made)


def function(each: Any) -> Any:
    data = each if isinstance(each, dict) else {"type": each}
    return {
        "Tanh": torch.tanh,
        "Sigmoid": torch.sigmoid,
        "ReLU": torch.relu,
        "SiLU": torch.nn.functional.silu,
        "LeakyReLU": lambda z: torch.nn.functional.leaky_relu(z, data.get("negative_slope", 0.01)),
        "Hardtanh": lambda z: torch.clamp(z, data.get("min_val", -1), data.get("max_val", 1)),
    }[data["type"]]


def make_nam(
    config: dict[str, Any], x: np.ndarray, seed: int = 0, head_scale: float = 0.5
) -> tuple[dict[str, Any], np.ndarray]:
    """The content of a file with random weights, and its network's answer to x (frames,)."""
    read = Reader(seed)
    audio = torch.from_numpy(np.pad(np.asarray(x, np.float64), (4000, 0)))[None, None]
    y, total = audio, None
    for array in config["layers"]:
        y, total = run_array(array, read, y, audio, total)
    out = read_head(config["head"], read, head_scale * total)
    read.all.append(head_scale)
    content = {
        "version": "0.7.0",
        "metadata": {"name": "Test amp", "loudness": -18.0},
        "architecture": "WaveNet",
        "config": config | {"head_scale": head_scale},
        "weights": read.all,
        "sample_rate": 48000.0,
    }
    return content, out[0, 0, -len(x) :].numpy()


def run_array(array: dict, read: Reader, x: Any, audio: Any, total: Any) -> tuple[Any, Any]:
    channels, hidden = array["channels"], array.get("bottleneck", array["channels"])
    sizes = array.get("kernel_sizes") or [array["kernel_size"]] * len(array["dilations"])
    activation = array["activation"]
    activation = activation[0] if isinstance(activation, list) else activation
    gated = array.get("gated") or array.get("gating_mode", [""])[0] == "gated"
    wide = hidden * (2 if gated else 1)
    head1x1, layer1x1 = array.get("head1x1", {}), array.get("layer1x1", {"active": True})
    x = conv1d(x, read(channels, x.shape[1], 1))
    for size, dilation in zip(sizes, array["dilations"], strict=True):
        groups = array.get("groups_input", 1)
        weight, bias = read(wide, channels // groups, size), read(wide)
        z = conv1d(x, weight, bias, dilation=dilation, groups=groups)
        z = z + conv1d(audio, read(wide, 1, 1))[:, :, -z.shape[2] :]
        h = function(activation)(z[:, :hidden])
        if gated:
            h = h * torch.sigmoid(z[:, hidden:])
        residual = h
        if layer1x1["active"]:
            groups = layer1x1.get("groups", 1)
            weight, bias = read(channels, hidden // groups, 1), read(channels)
            residual = conv1d(h, weight, bias, groups=groups)
        x = x[:, :, -h.shape[2] :] + residual
        if head1x1.get("active"):
            groups, outputs = head1x1["groups"], head1x1["out_channels"]
            weight, bias = read(outputs, hidden // groups, 1), read(outputs)
            h = conv1d(h, weight, bias, groups=groups)
        total = h if total is None else total[:, :, -h.shape[2] :] + h
    head = array.get("head") or head_of(array["head_size"], bias=array["head_bias"])
    weight = read(head["out_channels"], total.shape[1], head["kernel_size"])
    return x, conv1d(total, weight, read(len(weight)) if head["bias"] else None)


def read_head(head: dict | None, read: Reader, x: Any) -> Any:
    for i, size in enumerate(head["kernel_sizes"] if head else ()):
        last = i + 1 == len(head["kernel_sizes"])
        outputs = head["out_channels"] if last else head["channels"]
        x = function(head["activation"])(x)
        x = conv1d(x, read(outputs, x.shape[1], size), read(outputs))
    return x
