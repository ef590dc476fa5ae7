"""Layers of other rates and of long memory against torch.nn or their definitions, in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch.nn is the oracle")

from torch import Tensor, nn  # noqa: E402

from rtaudio.graph import (  # noqa: E402
    RNN,
    BidirectionalRNN,
    Conv1d,
    CumulativeNorm,
    Layer,
    Pool,
    Serial,
    Unpool,
    Upsample,
    WindowAttention,
)
from rtaudio.nn import Net, stepper  # noqa: E402
from rtaudio.runtime.laws import graph_of, verify_streaming  # noqa: E402
from rtaudio.runtime.model import Model  # noqa: E402


def noise(channels: int, frames: int) -> Tensor:
    """Values that fp32 holds too."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, channels, frames, generator=generator).double()


def agree(
    layer: Layer, x: Tensor, wanted: Tensor, tensors: dict[str, Tensor] | None = None
) -> None:
    """Net in float64 and the engine in fp32 both give `wanted`, [1, channel, time]."""
    graph = graph_of(layer, x.shape[1])
    values = {n: v.detach().float().numpy() for n, v in (tensors or {}).items()}
    with torch.no_grad():
        assert (Net(graph, values).double()(x) - wanted).abs().max() < 1e-11
    stream = Model.from_graph(graph, values).stream(channels=x.shape[1])
    parts = [stream.push(x[0].T.float().contiguous().numpy()), stream.flush()]
    assert np.abs(np.concatenate(parts).T - wanted[0].detach().numpy()).max() < 2e-5


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_rnn(function: str) -> None:
    torch.manual_seed(1)
    module = nn.RNN(5, 7, nonlinearity=function, batch_first=True).double()
    tensors = {n.removesuffix("_l0"): v.float().double() for n, v in module.named_parameters()}
    for parameter, value in zip(module.parameters(), tensors.values(), strict=True):
        parameter.data = value.detach()
    x = noise(5, 30)
    wanted = module(x.transpose(1, 2))[0].transpose(1, 2)
    agree(RNN(hidden=7, function=function), x, wanted, tensors)


CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


@pytest.mark.parametrize("cell", CELLS)
def test_a_call_on_a_bidirectional_layer_is_torchs(cell: str) -> None:
    torch.manual_seed(1)
    module = CELLS[cell](5, 7, batch_first=True, bidirectional=True)
    tensors = {n.replace("_l0", ""): v.detach().numpy() for n, v in module.named_parameters()}
    x = noise(5, 30)
    with torch.no_grad():
        wanted = module.double()(x.transpose(1, 2))[0].transpose(1, 2)
        layer = BidirectionalRNN(hidden=7, chunk=4, lookahead_frames=2, cell=cell)
        graph = graph_of(layer, 5)
        assert (Net(graph, tensors).double()(x) - wanted).abs().max() < 1e-11
    y = Model.from_graph(graph, tensors)(x[0].T.float().contiguous().numpy())
    assert np.abs(y.T - wanted[0].numpy()).max() < 2e-5


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("chunk", "lookahead", "length"), [(4, 3, 30), (1, 0, 9), (6, 20, 41)])
def test_a_bidirectional_stream_answers_by_chunks(
    cell: str, chunk: int, lookahead: int, length: int
) -> None:
    """Chunk after chunk written out: the backward cell sees the chunk and `lookahead` frames."""
    layer = BidirectionalRNN(hidden=6, chunk=chunk, lookahead_frames=lookahead, cell=cell)
    graph = graph_of(layer, 3)
    tensors = graph.initial_tensors(4)
    net = Net(graph, tensors).double()
    x = noise(3, length)
    with torch.no_grad():
        whole = net(x)[:, :6]
        parts = [
            net(x[:, :, t : t + chunk + lookahead])[:, 6:, :chunk] for t in range(0, length, chunk)
        ]
    wanted = torch.cat([whole, torch.cat(parts, 2)], 1)
    stepped = stepper.stream(net, x, [1, 3, 2], {})
    assert (stepped - wanted).abs().max() < 1e-11
    stream = Model.from_graph(graph, tensors).stream(channels=3)
    y = np.concatenate([stream.push(x[0].T.float().contiguous().numpy()), stream.flush()])
    assert np.abs(y.T - wanted[0].numpy()).max() < 2e-5


def test_a_bidirectional_stream_is_declared_inexact_and_bounded() -> None:
    errors = []
    for lookahead in (0, 4, 60):
        layer = BidirectionalRNN(hidden=6, chunk=2, lookahead_frames=lookahead, cell="rnn")
        graph = graph_of(layer, 3)
        tensors = dict(graph.initial_tensors(1))
        tensors["weight_hh_reverse"] = 0.7 * np.linalg.qr(tensors["weight_hh_reverse"])[0]
        model = Model.from_graph(graph, tensors)
        report = verify_streaming(model)
        law = next(law for law in report.laws if law.name == "a stream is near the whole")
        assert report.ok
        assert not model.exact
        assert law.passed
        assert "inexact" in law.detail
        errors.append(float(law.detail.split("up to ")[1].split()[0]))
    assert errors[0] > 1e-2
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6
    assert graph_of(RNN(hidden=2), 1).plan.exact


def test_pooling_and_unpooling() -> None:
    x = noise(6, 40)
    pooled, where = nn.functional.max_pool1d(x, 4, return_indices=True)
    agree(Pool(size=4, mode="max"), x, pooled)
    agree(Pool(size=4, mode="mean"), x, nn.functional.avg_pool1d(x, 4))
    both = Serial(layers=(Pool(size=4, mode="max_with_index"), Unpool(size=4)))
    agree(both, x, nn.functional.max_unpool1d(pooled, where, 4))


def test_upsampling() -> None:
    x = noise(3, 20)
    agree(Upsample(factor=5), x, nn.functional.interpolate(x, scale_factor=5))
    # Straight lines between the frames, to a frame of zeros after the last.
    padded = np.pad(x[0].numpy(), ((0, 0), (0, 1)))
    at = np.arange(20 * 5) / 5
    lines = np.stack([np.interp(at, np.arange(21), row) for row in padded])
    agree(Upsample(factor=5, mode="linear"), x, torch.from_numpy(lines)[None])


@pytest.mark.parametrize("per_channel", [False, True])
def test_cumulative_norm(per_channel: bool) -> None:
    x = noise(6, 30) + 3.0
    scale, bias = noise(6, 2)[0].T
    tensors = {"scale": scale, "bias": bias}
    wanted = torch.zeros_like(x)
    for t in range(30):
        so_far = x[0, :, : t + 1]
        over = (1,) if per_channel else (0, 1)
        variance, mean = torch.var_mean(so_far, over, correction=0)
        y = (x[0, :, t] - mean) / torch.sqrt(variance + 1e-5)
        wanted[0, :, t] = y * tensors["scale"] + tensors["bias"]
    agree(CumulativeNorm(per_channel=per_channel), x, wanted, tensors)


def test_window_attention() -> None:
    heads, size, frames = 2, 5, 7
    x = noise(3 * heads * size, 25)
    q, k, v = (part.reshape(heads, size, 25) for part in x[0].chunk(3))
    wanted = torch.zeros(heads, size, 25, dtype=torch.float64)
    for t in range(25):
        first = max(0, t + 1 - frames)
        scores = torch.einsum("hc,hcj->hj", q[:, :, t], k[:, :, first : t + 1]) / size**0.5
        weights = scores.softmax(1)
        wanted[:, :, t] = torch.einsum("hj,hcj->hc", weights, v[:, :, first : t + 1])
    agree(WindowAttention(heads=heads, frames=frames), x, wanted.reshape(1, -1, 25))


def test_a_row_convolution_is_a_depthwise_one_with_lookahead() -> None:
    """Deep Speech 2 (1512.02595), section 3.7: r_t = sum of W_j h_(t + j - 1) over j <= tau."""
    tau, x = 4, noise(3, 30)
    weight = noise(3, tau)[0]
    padded = nn.functional.pad(x, (0, tau - 1))
    wanted = sum(weight[:, j : j + 1] * padded[:, :, j : j + 30] for j in range(tau))
    layer = Conv1d(outputs=3, kernel_size=tau, groups=3, lookahead_frames=tau - 1, bias=False)
    agree(layer, x, wanted, {"weight": weight[:, None]})
