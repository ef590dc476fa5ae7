"""One torch function a layer kind: the meaning of each layer, for training and as the oracle.

Signals are [lane, channel, time]. The function's shape follows from the layer's streaming rule:

* pointwise: f(layer, tensors, x) -> y
* window: f(layer, tensors, x) -> y, x holds the window's context: (n - 1) * stride + width frames
* overlap: f(layer, tensors, x) -> (n - 1) * stride + width frames of overlapped sums
* recurrent: f(layer, tensors, x, state) -> (y, state), state None at the start
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.dsp.windows import analysis_window
from rtaudio.graph.conv import Conv1d, ConvTranspose1d, Linear
from rtaudio.graph.layer import Layer
from rtaudio.graph.noise import NoiseLevel
from rtaudio.graph.pointwise import Activation, BatchNorm, Channels, Gate, LayerNorm, PReLU
from rtaudio.graph.recurrent import RNN, MeanSubtract
from rtaudio.graph.spectral import (
    STFT,
    BandFilter,
    Cepstrum,
    ComplexCompress,
    DeepFilter,
    InverseSTFT,
    MinimumPhase,
)

Tensors = dict[str, Tensor]
Controls = dict[str, Tensor]
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def meaning(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a layer kind's function."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[kind] = function
        return function

    return register


@meaning("conv1d")
def conv1d(layer: Conv1d, t: Tensors, x: Tensor) -> Tensor:
    return F.conv1d(
        x,
        t["weight"],
        t.get("bias"),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )


@meaning("tail")
def tail(layer: Layer, t: Tensors, x: Tensor) -> Tensor:
    return x


@meaning("linear")
def linear(layer: Linear, t: Tensors, x: Tensor) -> Tensor:
    return F.conv1d(x, t["weight"][:, :, None], t.get("bias"))


@meaning("conv_transpose1d")
def conv_transpose1d(layer: ConvTranspose1d, t: Tensors, x: Tensor) -> Tensor:
    # The bias is added once an output is complete: Net and Stepper do that.
    return F.conv_transpose1d(x, t["weight"], stride=layer.stride, groups=layer.groups)


@meaning("activation")
def activation(layer: Activation, t: Tensors, x: Tensor) -> Tensor:
    a, b = layer.a, layer.b
    functions: dict[str, Callable[[], Tensor]] = {
        "identity": lambda: x,
        "relu": lambda: F.relu(x),
        "leaky_relu": lambda: F.leaky_relu(x, a),
        "tanh": lambda: torch.tanh(x),
        "sigmoid": lambda: torch.sigmoid(x),
        "silu": lambda: F.silu(x),
        "elu": lambda: F.elu(x, a),
        "softplus": lambda: F.softplus(x),
        "exp": lambda: torch.exp(x),
        "log": lambda: torch.log(x.clamp_min(a)),
        "sqrt": lambda: torch.sqrt(F.relu(x)),
        "power": lambda: F.relu(x) ** a,
        "affine": lambda: a * x + b,
        "clamp": lambda: x.clamp(a, b),
        "abs": lambda: x.abs(),
        "square": lambda: x * x,
        "gelu": lambda: F.gelu(x, approximate="tanh"),
        "sin": lambda: torch.sin(x.clamp(-8192.0, 8192.0)),
    }
    return functions[layer.function]()


@meaning("gate")
def gate(layer: Gate, t: Tensors, x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return (torch.tanh(a) if layer.function == "tanh" else a) * torch.sigmoid(b)


@meaning("modulate")
def modulate(layer: Layer, t: Tensors, x: Tensor) -> Tensor:
    values, shift, scale = x.chunk(3, dim=1)
    return scale * values + shift


@meaning("noise_level")
def noise_level(layer: NoiseLevel, t: Tensors, x: Tensor) -> Tensor:
    return x + torch.from_numpy(layer.encoding(x.shape[1])).to(x)[:, None]


@meaning("prelu")
def prelu(layer: PReLU, t: Tensors, x: Tensor) -> Tensor:
    return torch.where(x > 0, x, t["slope"].repeat(layer.bands)[:, None] * x)


@meaning("layer_norm")
def layer_norm(layer: LayerNorm, t: Tensors, x: Tensor) -> Tensor:
    bands = x.transpose(1, 2).unflatten(2, (layer.bands, -1))
    y = F.layer_norm(bands, bands.shape[3:], t["scale"], t["bias"], layer.eps)
    return y.flatten(2).transpose(1, 2)


@meaning("batch_norm")
def batch_norm(layer: BatchNorm, t: Tensors, x: Tensor) -> Tensor:
    each = {n: v.repeat(layer.bands) for n, v in t.items()}
    return F.batch_norm(
        x, each["mean"], each["variance"], each["scale"], each["bias"], eps=layer.eps
    )


@meaning("channels")
def channels(layer: Channels, t: Tensors, x: Tensor) -> Tensor:
    y = x[:, layer.begin : layer.end]
    return F.pad(y, (0, 0, 0, layer.out_channels(x.shape[1]) - y.shape[1]))


@meaning("blend")
def blend(layer: Layer, t: Tensors, x: Tensor, control: Tensor) -> Tensor:
    wet, dry = x.chunk(2, dim=1)
    return wet + control * (dry - wet)


@meaning("with_constant")
def with_constant(layer: Layer, t: Tensors, x: Tensor, constant: Tensor) -> Tensor:
    return torch.cat([x, constant[:, :, None].expand(-1, -1, x.shape[2])], 1)


@meaning("gru")
def gru(layer: Layer, t: Tensors, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    h = x.new_zeros(1, x.shape[0], t["weight_hh"].shape[1]) if state is None else state
    weights = [t["weight_ih"], t["weight_hh"], t["bias_ih"], t["bias_hh"]]
    y, h = torch.gru(x.transpose(1, 2), h, weights, True, 1, 0.0, False, False, True)
    return y.transpose(1, 2), h


@meaning("lstm")
def lstm(
    layer: Layer, t: Tensors, x: Tensor, state: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    zeros = x.new_zeros(1, x.shape[0], t["weight_hh"].shape[1])
    weights = [t["weight_ih"], t["weight_hh"], t["bias_ih"], t["bias_hh"]]
    start = (zeros, zeros) if state is None else state
    y, h, c = torch.lstm(x.transpose(1, 2), start, weights, True, 1, 0.0, False, False, True)
    return y.transpose(1, 2), (h, c)


@meaning("rnn")
def rnn(layer: RNN, t: Tensors, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    h = x.new_zeros(1, x.shape[0], t["weight_hh"].shape[1]) if state is None else state
    weights = [t["weight_ih"], t["weight_hh"], t["bias_ih"], t["bias_hh"]]
    function = torch.rnn_tanh if layer.function == "tanh" else torch.rnn_relu
    y, h = function(x.transpose(1, 2), h, weights, True, 1, 0.0, False, False, True)
    return y.transpose(1, 2), h


@meaning("mean_subtract")
def mean_subtract(
    layer: MeanSubtract, t: Tensors, x: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """m_n = sum_k alpha^(n-k) (1 - alpha) x_k + alpha^(n+1) m_0, in chunks small enough that no
    power of alpha underflows: a loop over frames would dominate training."""
    mean = torch.full_like(x[:, :, 0], layer.initial) if state is None else state
    chunk = 128
    outputs = []
    steps = torch.arange(chunk, device=x.device, dtype=x.dtype)
    powers = layer.alpha ** (steps[:, None] - steps[None, :]).clamp_min(0)
    mix = (1 - layer.alpha) * torch.tril(powers)
    for part in x.split(chunk, dim=2):
        n = part.shape[2]
        means = part @ mix[:n, :n].T + mean[:, :, None] * layer.alpha ** (steps[:n] + 1)
        outputs.append(part - means)
        mean = means[:, :, -1]
    return torch.cat(outputs, dim=2), mean


@meaning("stft")
def stft(layer: STFT, t: Tensors, x: Tensor) -> Tensor:
    window = analysis_window(layer.window_kind, layer.window, layer.hop) / layer.window
    frames = x[:, 0].unfold(1, layer.window, layer.hop)
    spectrum = torch.fft.rfft(frames * torch.from_numpy(window).to(x), n=layer.length, dim=2)
    return torch.cat([spectrum.real, spectrum.imag], dim=2).transpose(1, 2)


@meaning("istft")
@meaning("centred_istft")
@meaning("hop_istft")
def inverse_stft(layer: InverseSTFT, t: Tensors, x: Tensor) -> Tensor:
    re, im = x.transpose(1, 2).chunk(2, dim=2)
    frames = torch.fft.irfft(torch.complex(re, im), n=layer.length, dim=2)
    window = torch.from_numpy(layer.weights() * layer.length).to(x)
    return _overlap(frames * window, layer.length, layer.hop)


@meaning("cepstrum")
@meaning("minimum_phase")
@meaning("band_filter")
def fixed_matrix(layer: BandFilter | Cepstrum | MinimumPhase, t: Tensors, x: Tensor) -> Tensor:
    return torch.einsum("oc,bcn->bon", torch.from_numpy(layer.matrix()).to(x), x)


def _overlap(frames: Tensor, width: int, hop: int) -> Tensor:
    """[lane, frame, width] to the sums of what overlaps."""
    length = (frames.shape[1] - 1) * hop + width
    return F.fold(frames.transpose(1, 2), (1, length), (1, width), stride=(1, hop)).squeeze(2)


@meaning("complex_power")
def complex_power(layer: Layer, t: Tensors, x: Tensor) -> Tensor:
    re, im = x.chunk(2, dim=1)
    return re * re + im * im


@meaning("complex_compress")
def complex_compress(layer: ComplexCompress, t: Tensors, x: Tensor) -> Tensor:
    re, im = x.chunk(2, dim=1)
    scale = (re * re + im * im + layer.eps) ** ((layer.exponent - 1) / 2)
    return torch.cat([re * scale, im * scale], dim=1)


@meaning("complex_gain")
def complex_gain(layer: Layer, t: Tensors, x: Tensor) -> Tensor:
    gains, re, im = x.chunk(3, dim=1)
    return torch.cat([gains * re, gains * im], dim=1)


@meaning("deep_filter")
def deep_filter(layer: DeepFilter, t: Tensors, x: Tensor) -> Tensor:
    taps, bins = layer.taps, layer.bins
    num_frames = x.shape[2] - taps + 1
    spectrum = x[:, 2 * bins * taps :]
    y_re, y_im = [], []
    for tap in range(taps):
        c_re, c_im = x[:, 2 * bins * tap : 2 * bins * (tap + 1), taps - 1 :].chunk(2, dim=1)
        re, im = spectrum[:, :, tap : tap + num_frames].chunk(2, dim=1)
        y_re.append(c_re * re - c_im * im)
        y_im.append(c_re * im + c_im * re)
    return torch.cat([sum(y_re[1:], y_re[0]), sum(y_im[1:], y_im[0])], dim=1)
