"""The same in torch: queues in eager mode, compiled and as a CUDA graph, and the whole receptive
field anew for every sample. torch is imported when a peer is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtaudio.bench.wavenet_peers import Array, Sampling, Weights
from rtaudio.errors import RtaudioError


class TorchQueue(Sampling):
    name = "torch queue"

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        super().__init__(weights)
        import torch

        self.torch, self.w, self.position, self.device = torch, weights, 0, device
        torch.set_num_threads(1)

        def tensor(x: Array) -> Any:
            return torch.from_numpy(np.ascontiguousarray(x)).to(device)

        self.embed = tensor(weights.embed)
        self.conv = [tensor(c.reshape(len(c), -1)) for c in weights.conv]
        self.bias, self.out = [tensor(b) for b in weights.bias], [tensor(o) for o in weights.out]
        self.out_bias = [tensor(b) for b in weights.out_bias]
        self.head = [(tensor(m), tensor(b)) for m, b in weights.head]
        spans = [(weights.kernel_size - 1) * d + 1 for d in weights.dilations]
        self.rings = [torch.zeros(s, weights.channels, device=device) for s in spans]

    def first(self, value: float) -> Any:
        if self.codes:
            return self.embed[int(value)]
        return self.embed[0] * value + self.embed[1]

    def parameters(self, value: float) -> Array:
        with self.torch.inference_mode():
            return np.asarray(self.network(self.first(value)).cpu().numpy())

    def network(self, x: Any) -> Any:
        torch, w = self.torch, self.w
        linear = torch.nn.functional.linear
        taps = range(w.kernel_size - 1, -1, -1)
        skip: Any = 0
        for i, d in enumerate(w.dilations):
            ring = self.rings[i]
            ring[self.position % len(ring)] = x
            past = torch.cat([ring[(self.position - tap * d) % len(ring)] for tap in taps])
            a, b = linear(past, self.conv[i], self.bias[i]).chunk(2)
            y = linear(torch.tanh(a) * torch.sigmoid(b), self.out[i], self.out_bias[i])
            x = x + y[: w.channels]
            skip = skip + y[w.channels :]
        self.position += 1
        return self.end(skip)

    def end(self, skip: Any) -> Any:
        for matrix, bias in self.head:
            skip = self.torch.nn.functional.linear(self.torch.relu(skip), matrix, bias)
        return skip


class TensorQueue(TorchQueue):
    """The place in the queues is a tensor, so that every step is the same."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        super().__init__(weights, device)
        self.at = self.torch.zeros((), dtype=self.torch.int64, device=device)
        self.fixed = self.first(weights.start).clone()
        self.step_of_network: Any = lambda: self.queues(self.fixed, self.at, self.rings)
        try:
            with self.torch.no_grad():
                self.prepare()
        except Exception as error:  # a compiler may be missing, or anything else
            reason = str(error).strip().split("\n")[0][:100]
            raise RtaudioError(f"{self.name} does not work here ({reason}).") from error
        for ring in self.rings:
            ring.zero_()

    def prepare(self) -> None:
        raise NotImplementedError

    def queues(self, x: Any, at: Any, rings: list[Any]) -> Any:
        torch, w = self.torch, self.w
        linear = torch.nn.functional.linear
        taps = range(w.kernel_size - 1, -1, -1)
        skip: Any = 0
        for i, d in enumerate(w.dilations):
            ring = rings[i]
            size = ring.shape[0]
            ring.index_copy_(0, (at % size)[None], x[None])
            where = torch.stack([(at - tap * d) % size for tap in taps])
            past = ring.index_select(0, where).flatten()
            a, b = linear(past, self.conv[i], self.bias[i]).chunk(2)
            y = linear(torch.tanh(a) * torch.sigmoid(b), self.out[i], self.out_bias[i])
            x = x + y[: w.channels]
            skip = skip + y[w.channels :]
        return self.end(skip)

    def network(self, x: Any) -> Any:
        self.fixed.copy_(x)
        y = self.step_of_network()
        self.at += 1
        return y

    def parameters(self, value: float) -> Array:
        with self.torch.no_grad():
            return np.asarray(self.network(self.first(value)).cpu().numpy())


class CompiledQueue(TensorQueue):
    """The step under torch.compile."""

    name = "torch.compile queue"

    def prepare(self) -> None:
        compiled = self.torch.compile(self.queues, fullgraph=True)
        self.step_of_network = lambda: compiled(self.fixed, self.at, self.rings)
        self.step_of_network()


class GraphQueue(TensorQueue):
    """The step as a CUDA graph."""

    name = "torch CUDA graph queue"

    def prepare(self) -> None:
        from rtaudio.bench.torch_peers import captured

        self.step_of_network = captured(self.step_of_network, self.device)


class TorchNaive(TorchQueue):
    """The network over its whole receptive field for every sample."""

    name = "torch, no queue"

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        super().__init__(weights, device)
        field = (weights.kernel_size - 1) * sum(weights.dilations) + 1
        self.past = self.torch.zeros(1, weights.channels, field, device=device)
        self.seen = 0
        self.kernels = [
            self.torch.from_numpy(np.ascontiguousarray(c.transpose(0, 2, 1))).to(device)
            for c in weights.conv
        ]

    def network(self, x: Any) -> Any:
        torch, w = self.torch, self.w
        self.past = torch.cat([self.past[:, :, 1:], x[None, :, None]], 2)
        self.seen = min(self.seen + 1, self.past.shape[2])
        signal: Any = self.past
        skip: Any = 0
        # Before the first sample every layer's input is zero, not only the first one's.
        for i, d in enumerate(w.dilations):
            a, b = torch.conv1d(signal, self.kernels[i], self.bias[i], dilation=d).chunk(2, 1)
            h = torch.tanh(a) * torch.sigmoid(b)
            y = torch.conv1d(h, self.out[i][:, :, None], self.out_bias[i])
            signal = signal[:, :, signal.shape[2] - y.shape[2] :] + y[:, : w.channels]
            if self.seen < signal.shape[2]:
                signal[:, :, : signal.shape[2] - self.seen] = 0
            skip = skip + y[:, w.channels :, -1]
        return self.end(skip[0])
