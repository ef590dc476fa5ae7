"""Layers of torch_stream: each with its tensors and its state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtaudio.bench.torch_refine import Memory
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import RtaudioError
from rtaudio.graph.conv import GatedStack
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray, Overlap, Window
from rtaudio.graph.plan import Node
from rtaudio.graph.pointwise import Channels
from rtaudio.graph.recurrent import MeanSubtract
from rtaudio.graph.spectral import STFT, BandFilter, Cepstrum, InverseSTFT, MinimumPhase
from rtaudio.nn.functions import FUNCTIONS

CELLS = ("lstm", "gru")


class Part(nn.Module):
    """A node with its tensors."""

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__()
        self.layer, self.names, self.lanes = node.layer, tuple(tensors), lanes
        for name, value in tensors.items():
            self.constant(f"tensor {name}".replace(".", "/"), value)

    def constant(self, name: str, value: Any) -> None:
        self.register_buffer(name, torch.from_numpy(np.array(value, np.float32)))

    def tensors(self) -> dict[str, Tensor]:
        return {n: getattr(self, f"tensor {n}".replace(".", "/")) for n in self.names}


class Pointwise(Part):
    """Reads a control's default."""

    port: Tensor

    def __init__(
        self, node: Node, tensors: dict[str, FloatArray], lanes: int, graph: Graph
    ) -> None:
        super().__init__(node, tensors, lanes)
        kernel = node.layer.kernel(node.inputs[0].channels)
        if kernel.constant:
            raise RtaudioError(f"the peer in torch has no constants, such as {kernel.constant}.")
        values = [c.to_kernel(c.default) for c in graph.controls if c.name == kernel.control]
        self.has_port = bool(values)
        self.constant("port", sum(values))

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        if isinstance(layer, Channels) and layer.pad == 0 and layer.end <= x.shape[1]:
            return x[:, layer.begin : layer.end]
        port = (self.port,) if self.has_port else ()
        y: Tensor = FUNCTIONS[layer.kind](layer, self.tensors(), x, *port)
        return y


class Fixed(Part):
    matrix: Tensor

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__(node, tensors, lanes)
        assert isinstance(node.layer, BandFilter | Cepstrum | MinimumPhase)
        self.constant("matrix", node.layer.matrix())

    def forward(self, x: Tensor) -> Tensor:
        return self.matrix @ x


class Windowed(Part):
    window: Tensor

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__(node, tensors, lanes)
        layer, rule = node.layer, node.layer.rule()
        assert isinstance(rule, Window)
        context = rule.width - rule.stride + node.extra
        self.memory = Memory(lanes, node.inputs[0].channels, max(0, context))
        self.skipped, self.extra = max(0, -context), node.extra
        if isinstance(layer, STFT):
            window = analysis_window(layer.window_kind, layer.window, layer.hop) / layer.window
            self.constant("window", window)

    def forward(self, x: Tensor) -> Tensor:
        joined, layer = self.memory(x), self.layer
        seen = joined[:, :, self.skipped : joined.shape[2] - self.extra]
        if isinstance(layer, STFT):
            frames = seen[:, 0].unfold(1, layer.window, layer.hop) * self.window
            spectrum = torch.fft.rfft(frames, n=layer.length, dim=2)
            return torch.cat([spectrum.real, spectrum.imag], dim=2).transpose(1, 2)
        y: Tensor = FUNCTIONS[layer.kind](layer, self.tensors(), seen)
        return y


class Overlapped(Part):
    window: Tensor
    kept: Tensor

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__(node, tensors, lanes)
        layer, rule = node.layer, node.layer.rule()
        assert isinstance(rule, Overlap)
        self.width, self.stride = rule.width, rule.stride
        shape = lanes, node.output.channels, rule.width - rule.stride
        self.register_buffer("kept", torch.zeros(shape))
        if isinstance(layer, InverseSTFT):
            self.constant("window", layer.weights() * layer.length)

    def sums(self, x: Tensor) -> Tensor:
        layer = self.layer
        if not isinstance(layer, InverseSTFT):
            made: Tensor = FUNCTIONS[layer.kind](layer, self.tensors(), x)
            return made
        re, im = x.transpose(1, 2).chunk(2, dim=2)
        frames: Tensor = torch.fft.irfft(torch.complex(re, im), n=layer.length, dim=2) * self.window
        if x.shape[2] == 1:
            return frames
        length = (x.shape[2] - 1) * self.stride + self.width
        places = (1, length), (1, self.width)
        sums: Tensor = F.fold(frames.transpose(1, 2), *places, stride=(1, self.stride))
        return sums[:, :, 0]

    def forward(self, x: Tensor) -> Tensor:
        ready, kept = x.shape[2] * self.stride, self.kept.shape[2]
        sums = self.sums(x)
        if kept:
            sums = torch.cat([sums[:, :, :kept] + self.kept, sums[:, :, kept:]], 2)
            self.kept.copy_(sums[:, :, ready:])
        y = sums[:, :, :ready]
        tensors = self.tensors()
        return y + tensors["bias"][:, None] if "bias" in tensors else y


class Recurred(Part):
    """Cells frame by frame, by torch's own fused ones."""

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__(node, tensors, lanes)
        x = torch.zeros(lanes, node.inputs[0].channels, 1)
        _, state = FUNCTIONS[node.layer.kind](node.layer, self.tensors(), x, None)
        self.is_tuple = isinstance(state, tuple)
        states = state if self.is_tuple else (state,)
        start = node.layer.initial if isinstance(node.layer, MeanSubtract) else 0.0
        self.count = len(states)
        for i, each in enumerate(states):
            self.register_buffer(f"state{i}", torch.full_like(each, start))

    def states(self) -> tuple[Tensor, ...]:
        return tuple(getattr(self, f"state{i}") for i in range(self.count))

    def forward(self, x: Tensor) -> Tensor:
        layer, before = self.layer, self.states()
        after: tuple[Tensor, ...]
        if layer.kind in CELLS:
            y, after = self.cells(x, before)
        elif isinstance(layer, MeanSubtract) and x.shape[2] == 1:
            after = (torch.lerp(x[:, :, 0], before[0], layer.alpha),)
            y = x - after[0][:, :, None]
        else:
            state = before if self.is_tuple else before[0]
            y, state = FUNCTIONS[layer.kind](layer, self.tensors(), x, state)
            after = state if self.is_tuple else (state,)
        for kept, new in zip(before, after, strict=True):
            kept.copy_(new)
        return y

    def cells(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        t = self.tensors()
        weights = t["weight_ih"], t["weight_hh"], t["bias_ih"], t["bias_hh"]
        now, outputs = [s[0] for s in states], []
        for frame in x.unbind(2):
            if self.layer.kind == "lstm":
                now = list(torch.lstm_cell(frame, now, *weights))
            else:
                now = [torch.gru_cell(frame, now[0], *weights)]
            outputs.append(now[0])
        return torch.stack(outputs, 2), tuple(s[None] for s in now)


class Stack(Part):
    """GatedStack."""

    def __init__(self, node: Node, tensors: dict[str, FloatArray], lanes: int) -> None:
        super().__init__(node, tensors, lanes)
        assert isinstance(node.layer, GatedStack)
        self.stack = stack = node.layer
        if stack.conditioned:
            raise RtaudioError("no peer in torch has conditioned stacks.")
        self.memories = nn.ModuleList(
            Memory(lanes, stack.channels, (stack.kernel_size - 1) * d) for d in stack.dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        t, skip = self.tensors(), None
        for i, (memory, dilation) in enumerate(
            zip(self.memories, self.stack.dilations, strict=True)
        ):
            path = f"layers.{i}"
            z = F.conv1d(
                memory(x), t[f"{path}.conv.weight"], t[f"{path}.conv.bias"], dilation=dilation
            )
            a, b = z.chunk(2, 1)
            y = F.conv1d(
                torch.tanh(a) * torch.sigmoid(b),
                t[f"{path}.out.weight"][:, :, None],
                t[f"{path}.out.bias"],
            )
            x = x + y[:, : self.stack.channels]
            s = y[:, self.stack.channels :]
            skip = s if skip is None else skip + s
        assert skip is not None
        return skip
