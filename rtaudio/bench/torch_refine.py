"""Diffusion's steps block by block in torch; see torch_stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtaudio.graph.diffwave import HALF
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.refine import Refine


class Memory(nn.Module):
    """The last `frames` frames of a signal, in front of its new ones."""

    kept: Tensor

    def __init__(self, lanes: int, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.register_buffer("kept", torch.zeros(lanes, channels, frames))

    def forward(self, x: Tensor) -> Tensor:
        if self.frames == 0:
            return x
        joined = torch.cat([self.kept, x], 2)
        self.kept.copy_(joined[:, :, x.shape[2] :])
        return joined


def white(like: Tensor, step: int, late: int) -> Tensor:
    """Normal noise of a step, in the shape of `like`."""
    return torch.randn_like(like)


class Network(nn.Module):
    """DiffWave with one step's queues. What a step adds is folded into the biases: its embedding
    is a constant."""

    skips: Tensor

    def __init__(
        self, layer: Refine, tensors: dict[str, FloatArray], vectors: FloatArray, lanes: int
    ) -> None:
        super().__init__()
        net = self.net = layer.inner
        names = {slot: path for slot, path in net.paths().items() if "embedding" not in slot}
        for slot, path in names.items():
            if slot.endswith(".step"):
                continue
            weight, bias = (tensors[f"{path}.{each}"] for each in ("weight", "bias"))
            if slot.endswith(".conv"):
                bias = bias + weight.sum(2) @ vectors[int(slot.split(".")[1])]
            matrix = weight if weight.ndim == 3 else weight[:, :, None]
            key = slot.replace(".", "/")
            self.register_buffer(f"{key}/w", torch.from_numpy(np.array(matrix, np.float32)))
            self.register_buffer(f"{key}/b", torch.from_numpy(np.array(bias, np.float32)))
        self.memories = nn.ModuleList(
            Memory(lanes, net.channels, (net.kernel_size - 1) * d) for d in net.dilations
        )
        self.register_buffer("skips", torch.zeros(lanes, net.channels, net.lookahead))

    def linear(self, slot: str, x: Tensor, dilation: int = 1) -> Tensor:
        weight, bias = getattr(self, f"{slot}/w"), getattr(self, f"{slot}/b")
        return F.conv1d(x, weight, bias, dilation=dilation)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """condition: of x's frames, and the `lookahead` before, whose answers it gives."""
        net, n = self.net, x.shape[2]
        h, ahead = F.relu(self.linear("input", x)), net.lookahead
        # Of frames, not of calls: each layer adds its own where they stand.
        skips = torch.cat([self.skips, h.new_zeros(h.shape[0], net.channels, n)], 2)
        seen = 0
        for i, (memory, dilation) in enumerate(zip(self.memories, net.dilations, strict=True)):
            joined = memory(h)
            each = 0 if net.causal else (net.kernel_size - 1) // 2 * dilation
            seen += each
            begin = ahead - seen
            told = self.linear(f"layers/{i}/condition", condition[:, :, begin : begin + n])
            a, b = (self.linear(f"layers/{i}/conv", joined, dilation) + told).chunk(2, 1)
            r, s = self.linear(f"layers/{i}/out", torch.tanh(a) * torch.sigmoid(b)).chunk(2, 1)
            at = joined.shape[2] - n - each
            h = (joined[:, :, at : at + n] + r) * HALF
            skips[:, :, ahead - seen : ahead - seen + n] += s
        self.skips.copy_(skips[:, :, n:])
        y = self.linear("skip", skips[:, :, :n] * len(net.dilations) ** -0.5)
        return self.linear("output", F.relu(y))


class Refined(nn.Module):
    """Refine. `noise`(like, step, late) gives z before step `step`, of frames that end `late`
    frames before the newest ones."""

    def __init__(
        self,
        layer: Refine,
        tensors: dict[str, FloatArray],
        lanes: int,
        noise: Callable[..., Tensor],
    ) -> None:
        super().__init__()
        self.layer, self.noise = layer, noise
        net, steps = layer.inner, len(layer.scales)
        vectors = layer.fold(tensors)["steps"]
        self.networks = nn.ModuleList(
            Network(layer, tensors, vectors[i], lanes) for i in range(steps)
        )
        self.memories = nn.ModuleList(
            Memory(lanes, net.values, net.lookahead) for _ in range(steps)
        )
        channels = net.condition + layer.prior_channels
        self.condition = Memory(lanes, channels, steps * net.lookahead)

    def z(self, seen: Tensor, n: int, step: int, late: int) -> Tensor:
        layer, values = self.layer, self.layer.inner.values
        at, first = seen.shape[2] - late - n, layer.inner.condition
        now = seen[:, :, at : at + n]
        if layer.given:
            return now[:, first + step * values : first + (step + 1) * values]
        z = self.noise(now[:, :values], step, late)
        return now[:, -1:] * z if layer.shaped else z

    def forward(self, condition: Tensor) -> Tensor:
        layer, n, late = self.layer, condition.shape[2], 0
        seen = self.condition(condition)
        ahead = layer.inner.lookahead
        x = self.z(seen, n, 0, 0)
        for i, (network, memory) in enumerate(zip(self.networks, self.memories, strict=True)):
            end = seen.shape[2] - late
            found = network(x, seen[:, : layer.inner.condition, end - n - ahead : end])
            late += ahead
            x = layer.scales[i] * (memory(x)[:, :, :n] - layer.weights[i] * found)
            if layer.deviations[i] > 0:
                x = x + layer.deviations[i] * self.z(seen, n, i + 1, late)
            x = x.clamp(-1.0, 1.0) if layer.clip else x
        return x
