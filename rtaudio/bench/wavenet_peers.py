"""An autoregressive WaveNet as people write it today, in torch, NumPy and onnxruntime: the same
weights, one sample a call. All but the first keep queues (Fast WaveNet, 1611.09482)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError
from rtaudio.graph.heads import MuLawSoftmax
from rtaudio.models.autoregressive import WaveNet

Array = NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """Of a network with one gated array, for one type of number. `embed` is [code, channel] of
    codes, else the two rows of a matrix and its bias."""

    embed: Array
    conv: list[Array]  # [2 * hidden, kernel, channels], oldest tap first
    bias: list[Array]  # with the condition's part, which is a constant
    out: list[Array]  # [channels + skip, hidden]
    out_bias: list[Array]
    head: list[tuple[Array, Array]]
    dilations: tuple[int, ...]
    codes: bool
    start: float

    @property
    def channels(self) -> int:
        return int(self.embed.shape[1])

    @property
    def kernel_size(self) -> int:
        return int(self.conv[0].shape[1])

    @staticmethod
    def of(config: WaveNet, tensors: dict[str, Array], dtype: Any) -> Weights:
        t = {n: np.asarray(v, dtype) for n, v in tensors.items()}
        dilations = config.arrays[0].dilations
        paths = [f"loop.arrays.0.layers.{i}." for i in range(len(dilations))]
        codes = isinstance(config.head, MuLawSoftmax)
        embed = t["loop.in.x.embed.weight"].T
        if not codes:
            embed = np.concatenate([embed, t["loop.in.x.embed.bias"][None]])
        conv = [t[p + "in.past.conv.weight"] for p in paths]
        return Weights(
            embed=np.ascontiguousarray(embed),
            conv=[np.ascontiguousarray(c.transpose(0, 2, 1)) for c in conv],
            bias=list(t["condition.v.bias"].reshape(len(dilations), -1)),
            out=[t[p + "out.x.weight"] for p in paths],
            out_bias=[t[p + "out.x.bias"] for p in paths],
            head=[(t[f"loop.head.{i}.weight"], t[f"loop.head.{i}.bias"]) for i in range(2)],
            dilations=dilations,
            codes=codes,
            start=config.start,
        )


class Peer(Protocol):
    name: str

    def parameters(self, value: float) -> Array:
        """What the network makes of the value before, as its next step."""
        ...

    def step(self) -> None:
        """One sample: the network, a draw from its answer, which is fed back."""
        ...


class Sampling:
    """A draw in NumPy from one step's parameters."""

    def __init__(self, weights: Weights) -> None:
        self.codes, self.value = weights.codes, weights.start
        self.rng = np.random.default_rng(0)

    def parameters(self, value: float) -> Array:
        raise NotImplementedError

    def step(self) -> None:
        p = self.parameters(self.value)
        if self.codes:
            cumulative = np.cumsum(np.exp(p - p.max()))
            drawn = np.searchsorted(cumulative, self.rng.random() * cumulative[-1])
            self.value = float(min(drawn, len(p) - 1))
            return
        count = len(p) // 3
        k = int(np.argmax(p[:count] - np.log(-np.log(self.rng.random(count)))))
        u = self.rng.random()
        x = p[count + k] + np.exp(max(p[2 * count + k], -7.0)) * (np.log(u) - np.log1p(-u))
        self.value = float(min(max(x, -1.0), 1.0))


class NumpyQueue(Sampling):
    name = "numpy queue"

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.w, self.position = weights, 0
        self.conv = [c.reshape(len(c), -1) for c in weights.conv]
        spans = [(weights.kernel_size - 1) * d + 1 for d in weights.dilations]
        self.rings = [np.zeros((s, weights.channels), weights.embed.dtype) for s in spans]

    def parameters(self, value: float) -> Array:
        w, taps = self.w, range(self.w.kernel_size - 1, -1, -1)
        x = w.embed[int(value)] if w.codes else w.embed[0] * w.embed.dtype.type(value) + w.embed[1]
        skip: Any = 0.0
        for i, d in enumerate(w.dilations):
            ring = self.rings[i]
            ring[self.position % len(ring)] = x
            past = np.concatenate([ring[(self.position - tap * d) % len(ring)] for tap in taps])
            z = self.conv[i] @ past + w.bias[i]
            half = len(z) // 2
            y = w.out[i] @ (np.tanh(z[:half]) / (1 + np.exp(-z[half:]))) + w.out_bias[i]
            x = x + y[: w.channels]
            skip = skip + y[w.channels :]
        self.position += 1
        for matrix, bias in w.head:
            skip = matrix @ np.maximum(skip, 0) + bias
        return np.asarray(skip)


class OnnxQueue(Sampling):
    """One step as a graph of onnxruntime; the queues are kept in NumPy."""

    name = "onnxruntime"

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = step_graph(weights)
        self.session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self.position, count, width = 0, len(weights.dilations), weights.channels
        self.taps = np.zeros((count, (weights.kernel_size - 1) * width), np.float32)
        span = max(weights.dilations) * (weights.kernel_size - 1) + 1
        self.ring = np.zeros((count, span, width), np.float32)
        back = np.arange(weights.kernel_size - 1, 0, -1)
        self.offsets = np.array(weights.dilations)[:, None] * back
        self.rows = np.arange(count)[:, None]

    def parameters(self, value: float) -> Array:
        span = self.ring.shape[1]
        past = self.ring[self.rows, (self.position - self.offsets) % span]
        first = np.array([int(value)]) if self.codes else np.array([[value, 1.0]], np.float32)
        feeds = {"x": first, "past": past.reshape(len(past), -1)}
        answer, now = self.session.run(None, feeds)
        self.ring[:, self.position % span] = now
        self.position += 1
        return np.asarray(answer[0])


def step_graph(w: Weights) -> bytes:
    """ONNX: x and past [layer, taps * channels] to the parameters and every layer's own input."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, count = [], [], len(w.dilations)

    def constant(name: str, value: Array) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    embed = constant("embed", w.embed)
    x = node("Gather" if w.codes else "MatMul", [embed, "x"] if w.codes else ["x", embed], ["x0"])
    ones = constant("ones", np.ones(count, np.int64))
    node("Split", ["past", ones], [f"past{i}" for i in range(count)], axis=0)
    half = constant("half", np.full(2, len(w.bias[0]) // 2, np.int64))
    parts = constant("parts", np.array([w.channels, len(w.out[0]) - w.channels], np.int64))
    skip, own = "", []
    for i in range(count):
        own.append(x)
        all_taps = node("Concat", [f"past{i}", x], [f"taps{i}"], axis=1)
        matrix = constant(f"conv{i}", w.conv[i].reshape(len(w.conv[i]), -1))
        node("Gemm", [all_taps, matrix, constant(f"b{i}", w.bias[i])], [f"z{i}"], transB=1)
        node("Split", [f"z{i}", half], [f"a{i}", f"g{i}"], axis=1)
        h = node(
            "Mul",
            [node("Tanh", [f"a{i}"], [f"ta{i}"]), node("Sigmoid", [f"g{i}"], [f"sg{i}"])],
            [f"h{i}"],
        )
        out = [constant(f"out{i}", w.out[i]), constant(f"ob{i}", w.out_bias[i])]
        node("Gemm", [h, *out], [f"y{i}"], transB=1)
        node("Split", [f"y{i}", parts], [f"r{i}", f"s{i}"], axis=1)
        x = node("Add", [x, f"r{i}"], [f"x{i + 1}"])
        skip = node("Add", [skip, f"s{i}"], [f"skip{i}"]) if skip else f"s{i}"
    for i, (matrix_, bias) in enumerate(w.head):
        relu = node("Relu", [skip], [f"relu{i}"])
        tensors = [constant(f"head{i}", matrix_), constant(f"hb{i}", bias)]
        skip = node("Gemm", [relu, *tensors], [f"p{i}"], transB=1)
    node("Concat", own, ["now"], axis=0)
    width = (w.kernel_size - 1) * w.channels
    shape = [1] if w.codes else [1, 2]
    kind = TensorProto.INT64 if w.codes else TensorProto.FLOAT
    float_ = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "step",
        [
            helper.make_tensor_value_info("x", kind, shape),
            helper.make_tensor_value_info("past", float_, [count, width]),
        ],
        [
            helper.make_tensor_value_info(skip, float_, [1, len(w.head[-1][1])]),
            helper.make_tensor_value_info("now", float_, [count, w.channels]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def make_peer(name: str, weights: Weights, device: str = "cpu") -> Peer | str:
    """The peer, or why it cannot be had. Those in torch are on the device."""
    from rtaudio.bench import wavenet_torch
    from rtaudio.bench.torch_peers import torch_device

    where = torch_device(device)
    kinds: dict[str, tuple[tuple[str, ...], Callable[[Weights], Peer]]] = {
        "numpy": ((), NumpyQueue),
        "onnxruntime": (("onnx", "onnxruntime"), OnnxQueue),
        "torch": (("torch",), lambda w: wavenet_torch.TorchQueue(w, where)),
        "torch-compile": (("torch",), lambda w: wavenet_torch.CompiledQueue(w, where)),
        "torch-graph": (("torch",), lambda w: wavenet_torch.GraphQueue(w, where)),
        "torch-naive": (("torch",), lambda w: wavenet_torch.TorchNaive(w, where)),
    }
    packages, kind = kinds[name]
    missing = [each for each in packages if importlib.util.find_spec(each) is None]
    if missing:
        return f"the peer {name} needs {' and '.join(missing)}; pip install {' '.join(missing)}"
    try:
        return kind(weights)
    except RtaudioError as error:
        return str(error)


PEERS = ("numpy", "onnxruntime", "torch", "torch-compile", "torch-graph", "torch-naive")
