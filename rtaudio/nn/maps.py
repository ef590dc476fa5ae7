"""Torch functions of the layers over maps: channel index band * C + c."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.graph.arrange import BandUnfold, Permute, Tile
from rtaudio.graph.band_recurrent import BandRNN, BandScan
from rtaudio.graph.conv2d import BandMean, Conv2d, ConvTranspose2d
from rtaudio.nn.functions import Tensors, meaning

State = tuple[Tensor, ...]


def to_maps(x: Tensor, bands: int) -> Tensor:
    """[lane, band * C + c, time] to torch's [lane, c, time, band]."""
    lanes, channels, frames = x.shape
    return x.reshape(lanes, bands, channels // bands, frames).permute(0, 2, 3, 1)


def from_maps(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2).flatten(1, 2)


@meaning("conv2d")
def conv2d(layer: Conv2d, t: Tensors, x: Tensor) -> Tensor:
    y = F.conv2d(
        to_maps(x, layer.bands),
        t["weight"],
        t.get("bias"),
        stride=(layer.stride_frames, layer.stride_bands),
        padding=(0, layer.padding_bands),
        dilation=(layer.dilation_frames, layer.dilation_bands),
        groups=layer.groups,
    )
    return from_maps(y)


@meaning("conv_transpose2d")
def conv_transpose2d(layer: ConvTranspose2d, t: Tensors, x: Tensor) -> Tensor:
    # Cropped in time to the frames that all taps reach: x holds their context.
    y = F.conv_transpose2d(
        to_maps(x, layer.bands),
        t["weight"],
        t.get("bias"),
        stride=(1, layer.stride_bands),
        padding=(layer.width - 1, layer.padding_bands),
        output_padding=(0, layer.output_padding_bands),
        dilation=(layer.dilation_frames, 1),
        groups=layer.groups,
    )
    return from_maps(y)


@meaning("band_mean")
def band_mean(layer: BandMean, t: Tensors, x: Tensor) -> Tensor:
    return to_maps(x, layer.bands).mean(3)


@meaning("permute")
def permute(layer: Permute, t: Tensors, x: Tensor) -> Tensor:
    axes = [0, *(1 + axis for axis in layer.order), 1 + len(layer.shape)]
    axed = x.reshape(x.shape[0], *layer.shape, x.shape[2])
    return axed.permute(axes).reshape(x.shape)


@meaning("band_unfold")
def band_unfold(layer: BandUnfold, t: Tensors, x: Tensor) -> Tensor:
    maps = F.pad(to_maps(x, layer.bands), (layer.size // 2, layer.size // 2))
    neighbours = maps.unfold(3, layer.size, 1)  # [lane, c, time, band, k]
    return neighbours.permute(0, 3, 1, 4, 2).flatten(1, 3)


@meaning("tile")
def tile(layer: Tile, t: Tensors, x: Tensor) -> Tensor:
    return x.repeat(1, layer.times, 1)


def cells(
    layer: BandRNN | BandScan, t: Tensors, x: Tensor, state: State | None
) -> tuple[Tensor, State]:
    """x [row, step, channel] through every group's cell; the states are [cell, row, hidden]."""
    if state is None:
        zeros = x.new_zeros(layer.cells, x.shape[0], layer.hidden)
        state = (zeros,) if layer.cell == "gru" else (zeros, zeros)
    outputs, states = [], []
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    both = layer.directions == 2
    for group, part in enumerate(x.chunk(layer.groups, 2)):
        weights = [t[n][group, d] for d in range(layer.directions) for n in names]
        first = group * layer.directions
        start = [s[first : first + layer.directions].contiguous() for s in state]
        if layer.cell == "gru":
            y, *last = torch.gru(part, start[0], weights, True, 1, 0.0, False, both, True)
        else:
            y, *last = torch.lstm(part, start, weights, True, 1, 0.0, False, both, True)
        outputs.append(y)
        states.append(last)
    return torch.cat(outputs, 2), tuple(torch.cat(parts) for parts in zip(*states, strict=True))


@meaning("band_rnn")
def band_rnn(layer: BandRNN, t: Tensors, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    lanes, _, frames = x.shape
    rows = to_maps(x, layer.bands).permute(0, 3, 2, 1).flatten(0, 1)
    y, state = cells(layer, t, rows, state)
    return y.reshape(lanes, layer.bands, frames, -1).permute(0, 1, 3, 2).flatten(1, 2), state


@meaning("band_scan")
def band_scan(layer: BandScan, t: Tensors, x: Tensor) -> Tensor:
    lanes, _, frames = x.shape
    rows = to_maps(x, layer.bands).permute(0, 2, 3, 1).flatten(0, 1)
    y, _ = cells(layer, t, rows, None)
    return y.reshape(lanes, frames, -1).transpose(1, 2)
