"""Layers over maps [band, channel] against the modules of torch.nn whose names they bear."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch.nn is the oracle")

from torch import Tensor, nn  # noqa: E402

from rtaudio.graph import (  # noqa: E402
    BandRNN,
    BandScan,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Layer,
    LayerNorm,
    Permute,
    PReLU,
)
from rtaudio.nn import Net  # noqa: E402
from rtaudio.runtime.laws import graph_of  # noqa: E402
from rtaudio.runtime.model import Model  # noqa: E402

FRAMES = 23


def agree(layer: Layer, tensors: dict[str, Tensor], x: Tensor, wanted: Tensor) -> None:
    """`wanted` is the module's answer to x, both [1, channel, time, band] in float64: the same
    from Net in float64 and from the engine in fp32."""
    flat_x, flat = (v.detach().permute(0, 3, 1, 2).flatten(1, 2) for v in (x, wanted))
    graph = graph_of(layer, flat_x.shape[1])
    values = {n: v.detach().float().numpy() for n, v in tensors.items()}
    with torch.no_grad():
        assert (Net(graph, values).double()(flat_x) - flat).abs().max() < 1e-12
    stream = Model.from_graph(graph, values).stream(channels=flat_x.shape[1])
    frames = flat_x[0].T.float().contiguous().numpy()
    native = torch.from_numpy(stream.push(frames)).T
    rest = torch.from_numpy(stream.flush()).T
    assert (torch.cat([native, rest], 1) - flat[0]).abs().max() < 2e-5


def rounded(module: nn.Module) -> nn.Module:
    """Random weights that fp32 holds too, in float64."""
    generator = torch.Generator().manual_seed(1)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) * 0.6 + 0.05
            tensor.data -= 0.3 * (tensor.ndim > 1)
    return module.double().eval()


def noise(channels: int, bands: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(1, channels, FRAMES, bands, generator=generator).double()


@pytest.mark.parametrize("lookahead", [0, 2])
def test_conv2d(lookahead: int) -> None:
    module = rounded(nn.Conv2d(8, 12, (3, 5), stride=(1, 2), dilation=(2, 3), groups=4))
    layer = Conv2d(
        bands=33,
        outputs=12,
        kernel_frames=3,
        kernel_bands=5,
        stride_bands=2,
        padding_bands=4,
        dilation_frames=2,
        dilation_bands=3,
        groups=4,
        lookahead_frames=lookahead,
    )
    x = noise(8, 33)
    padded = nn.functional.pad(x, (4, 4, 4 - lookahead, lookahead))
    agree(layer, dict(module.named_parameters()), x, module(padded))


def test_conv_transpose2d() -> None:
    module = rounded(
        nn.ConvTranspose2d(
            8,
            12,
            (3, 5),
            stride=(1, 2),
            padding=(0, 2),
            output_padding=(0, 1),
            dilation=(2, 1),
            groups=4,
        )
    )
    layer = ConvTranspose2d(
        bands=17,
        outputs=12,
        kernel_frames=3,
        kernel_bands=5,
        stride_bands=2,
        padding_bands=2,
        output_padding_bands=1,
        dilation_frames=2,
        groups=4,
        lookahead_frames=1,
    )
    x = noise(8, 17)
    agree(layer, dict(module.named_parameters()), x, module(x)[:, :, 1 : 1 + FRAMES])


def test_batch_norm_prelu_and_layer_norm() -> None:
    x = noise(6, 7)
    norm = rounded(nn.BatchNorm2d(6))
    names = {"weight": "scale", "running_mean": "mean", "running_var": "variance"}
    tensors = {names.get(n, n): v for n, v in norm.state_dict().items() if v.ndim}
    agree(BatchNorm(bands=7), tensors, x, norm(x))
    for slopes, bands in ((6, 7), (1, 42)):
        prelu = rounded(nn.PReLU(slopes))
        agree(PReLU(bands=bands), {"slope": prelu.weight}, x, prelu(x))
    each = rounded(nn.LayerNorm(6, eps=1e-8))
    tensors = {"scale": each.weight, "bias": each.bias}
    wanted = each(x.transpose(1, 3)).transpose(1, 3)
    agree(LayerNorm(bands=7, eps=1e-8), tensors, x, wanted)
    joint = rounded(nn.LayerNorm((7, 6)))
    tensors = {"scale": joint.weight.flatten(), "bias": joint.bias.flatten()}
    wanted = joint(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    agree(LayerNorm(), tensors, x, wanted)


def test_channel_shuffle() -> None:
    x = noise(6, 4)
    agree(Permute(shape=(4, 3, 2), order=(0, 2, 1)), {}, x, nn.ChannelShuffle(3)(x))


def stacked(modules: list[nn.Module], suffixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors of one module a group, as [group, direction, ...]."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {
        n: torch.stack(
            [torch.stack([getattr(m, f"{n}_l0{end}") for end in suffixes]) for m in modules]
        )
        for n in names
    }


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_band_rnn(cell: str) -> None:
    kind = nn.GRU if cell == "gru" else nn.LSTM
    modules = [rounded(kind(4, 3, batch_first=True)) for _ in range(2)]
    x = noise(8, 5)
    rows = x[0].permute(2, 1, 0)  # [band, time, channel]
    halves = [m(part)[0] for m, part in zip(modules, rows.chunk(2, 2), strict=True)]
    wanted = torch.cat(halves, 2).permute(2, 1, 0)[None]
    layer = BandRNN(bands=5, hidden=3, groups=2, cell=cell)
    agree(layer, stacked(modules, ("",)), x, wanted)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_band_scan(cell: str, bidirectional: bool) -> None:
    kind = nn.GRU if cell == "gru" else nn.LSTM
    modules = [rounded(kind(4, 6, batch_first=True, bidirectional=bidirectional)) for _ in range(2)]
    x = noise(8, 5)
    rows = x[0].permute(1, 2, 0)  # [time, band, channel]
    halves = [m(part)[0] for m, part in zip(modules, rows.chunk(2, 2), strict=True)]
    wanted = torch.cat(halves, 2).permute(2, 0, 1)[None]
    layer = BandScan(bands=5, hidden=6, groups=2, cell=cell, bidirectional=bidirectional)
    agree(layer, stacked(modules, ("", "_reverse")[: 1 + bidirectional]), x, wanted)
