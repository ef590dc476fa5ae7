"""Torch functions of the layers that change the rate, and of those that look back over time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.graph.cumulative import CumulativeNorm, WindowAttention
from rtaudio.graph.layer import Layer
from rtaudio.graph.oscillator import HIGHEST, LOWEST, PulseTrain
from rtaudio.graph.recurrent import RNN, BidirectionalRNN
from rtaudio.graph.resample import Pool, Unpool, Upsample
from rtaudio.nn.functions import FUNCTIONS, Tensors, meaning


@meaning("upsample")
def upsample(layer: Upsample, t: Tensors, x: Tensor) -> Tensor:
    """Overlapping tents of unit height, one a frame, or its repetition."""
    if layer.mode == "repeat":
        return x.repeat_interleave(layer.factor, 2)
    rise = torch.arange(1, layer.factor + 1, dtype=x.dtype, device=x.device) / layer.factor
    tent = torch.cat([rise, rise[:-1].flip(0)])
    channels = x.shape[1]
    return F.conv_transpose1d(x, tent.expand(channels, 1, -1), stride=layer.factor, groups=channels)


@meaning("pool")
def pool(layer: Pool, t: Tensors, x: Tensor) -> Tensor:
    blocks = x.unfold(2, layer.size, layer.size)
    if layer.mode == "mean":
        return blocks.mean(3)
    largest = blocks.max(3)
    if layer.mode == "max":
        return largest.values
    return torch.cat([largest.values, largest.indices.to(x)], 1)


@meaning("unpool")
def unpool(layer: Unpool, t: Tensors, x: Tensor) -> Tensor:
    values, indices = x.chunk(2, 1)
    places = torch.arange(layer.size, dtype=x.dtype, device=x.device)
    return torch.where(indices[..., None] == places, values[..., None], 0.0).flatten(2)


@meaning("cumulative_norm")
def cumulative_norm(
    layer: CumulativeNorm, t: Tensors, x: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """State: [frames, their sum, the sum of their squares]; squares of a frame are averaged."""
    width = x.shape[1] if layer.per_channel else 1
    start = x.new_zeros(3, x.shape[0], width, 1) if state is None else state
    each = torch.stack([torch.ones_like(x), x, x * x])
    each = each if layer.per_channel else each.mean(2, keepdim=True)
    sums = start + each.cumsum(3)
    mean = sums[1] / sums[0]
    variance = (sums[2] / sums[0] - mean * mean).clamp_min(0)
    y = (x - mean) / torch.sqrt(variance + layer.eps)
    return y * t["scale"][:, None] + t["bias"][:, None], sums[:, :, :, -1:]


@meaning("window_attention")
def window_attention(
    layer: WindowAttention, t: Tensors, x: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """State: keys and values of the last frames."""
    query, memory = x.tensor_split([x.shape[1] // 3], 1)
    memory = memory if state is None else torch.cat([state, memory], 2)
    now, kept = x.shape[2], memory.shape[2]
    # [lane, head, time, channel]
    q, k, v = (
        part.unflatten(1, (layer.heads, -1)).transpose(2, 3)
        for part in (query, *memory.chunk(2, 1))
    )
    age = torch.arange(kept - now, kept)[:, None] - torch.arange(kept)
    mask = ((age >= 0) & (age < layer.frames)).to(x.device)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return y.transpose(2, 3).flatten(1, 2), memory[:, :, max(0, kept - layer.frames + 1) :]


@meaning("bidirectional_rnn")
def bidirectional_rnn(
    layer: BidirectionalRNN, t: Tensors, x: Tensor, state: Any, ahead: int = 0
) -> tuple[Tensor, Any]:
    """The last `ahead` frames of x are what the backward cell alone sees, before its answer."""
    cell: Layer = RNN(hidden=layer.hidden) if layer.cell == "rnn" else layer
    run = FUNCTIONS[layer.cell]
    now = x.shape[2] - ahead
    reverse = {n.removesuffix("_reverse"): v for n, v in t.items() if n.endswith("_reverse")}
    forward, state = run(cell, t, x[:, :, :now], state)
    backward, _ = run(cell, reverse, x.flip(2), None)
    return torch.cat([forward, backward.flip(2)[:, :, :now]], 1), state


def pulses(f: Tensor, p: Tensor) -> Tensor:
    """Of PulseTrain at f and p, by Dirichlet's formula where that is not 0 / 0."""
    p = p - p.round()
    last = (0.5 / f).floor()
    bottom = 2 * torch.sin(torch.pi * p)
    near = bottom.abs() < 1e-4
    sums = torch.sin(2 * torch.pi * (last - 0.5) * p) / torch.where(near, 1.0, bottom) - 0.5
    fading = (0.5 / f - last) * torch.cos(2 * torch.pi * last * p)
    return torch.sqrt(4 * f) * (torch.where(near, last - 1, sums) + fading)


@meaning("pulse_train")
def pulse_train(
    layer: PulseTrain, t: Tensors, x: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """State: turns so far."""
    f = x.clamp(LOWEST, HIGHEST)
    ends = (0.0 if state is None else state) + f.cumsum(2)
    return pulses(f, ends - f), ends[:, :, -1:] % 1.0
