"""rt-tcn as a plain torch module: the network that training optimises.

Spectra are `[lane, frame, bin, 2]`, divided by the window length, 161 bins of 50 Hz.
Frames-major tensors keep every product a plain matrix product over lane x frame rows, which
is what a CPU trains fastest; bfloat16 autocast more than doubles that again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

NUM_BINS = 161


@dataclass(frozen=True, kw_only=True)
class RtTcnConfig:
    num_bands: int = 48
    num_complex_bins: int = 50  # compressed spectrum among the features
    num_filter_bins: int = 50  # bins that the deep filter corrects
    filter_taps: int = 3
    channels: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 2)
    kernel: int = 3
    hidden: int = 96
    compression: float = 0.3
    mean_seconds: float = 1.0
    floor: float = 1e-10  # added to band powers: about -100 dBFS
    mean_start: float = -6.0  # where the running mean of a band's log10 power begins


def band_matrix(num_bands: int, num_bins: int = NUM_BINS) -> np.ndarray:
    """Triangular bands [band, bin]: single bins at the bottom, equal steps of ERB rate above.

    Every column sums to one, so that the transpose spreads band gains over bins.
    """
    erb = 21.4 * np.log10(1 + 0.00437 * np.arange(num_bins) * 50)
    low, high = 0.0, float(num_bins - 1)
    centres = np.zeros(num_bands)
    for b in range(1, num_bands):  # ERB steps, but never less than one bin
        left = num_bands - b
        e = np.interp(centres[b - 1], np.arange(num_bins), erb)
        step = (erb[-1] - e) / left
        target = float(np.interp(e + step, erb, np.arange(num_bins)))
        centres[b] = min(max(target, centres[b - 1] + 1), high)
    del low
    out = np.zeros((num_bands, num_bins))
    for k in range(num_bins):
        b = int(np.searchsorted(centres, k, side="right") - 1)
        if b >= num_bands - 1:
            out[num_bands - 1, k] = 1
            continue
        part = (k - centres[b]) / (centres[b + 1] - centres[b])
        out[b, k] += 1 - part
        out[b + 1, k] += part
    return out


class GatedLayer(nn.Module):
    """One layer of the stack: dilated causal convolution, gate, 1x1 to residual and skip."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.conv = nn.Linear(kernel * channels, 2 * channels)  # taps oldest first
        self.out = nn.Linear(channels, 2 * channels)  # residual, then skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        span = (self.kernel - 1) * self.dilation
        padded = F.pad(x, (0, 0, span, 0))
        frames = x.shape[1]
        taps = [padded[:, i * self.dilation :][:, :frames] for i in range(self.kernel)]
        filtered, gate = self.conv(torch.cat(taps, -1)).chunk(2, -1)
        residual, skip = self.out(torch.tanh(filtered) * torch.sigmoid(gate)).chunk(2, -1)
        return x + residual, skip


class RtTcn(nn.Module):
    """Spectrum in, enhanced spectrum out; causal, one frame at a time if need be."""

    bands: Tensor
    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: RtTcnConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or RtTcnConfig()
        self.use_bfloat16 = False  # products in bfloat16, features and spectra always in float32
        num_features = 2 * c.num_bands + 2 * c.num_complex_bins
        bands = band_matrix(c.num_bands)
        bands /= bands.sum(1, keepdims=True)
        self.register_buffer("bands", torch.tensor(bands, dtype=torch.float32))
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_scale", torch.ones(num_features))
        self.input = nn.Linear(num_features, c.channels)
        self.stack = nn.ModuleList(GatedLayer(c.channels, c.kernel, d) for d in c.dilations)
        self.skip_act = nn.PReLU(c.channels)
        self.rnn = nn.LSTM(c.channels, c.hidden, batch_first=True)
        self.gain = nn.Linear(c.channels + c.hidden, NUM_BINS)
        self.filter = nn.Linear(c.channels + c.hidden, c.num_filter_bins * c.filter_taps * 2)
        with torch.no_grad():
            self.gain.bias.fill_(1.0)
            self.filter.weight.mul_(0.1)
            for layer in self.stack:
                assert isinstance(layer, GatedLayer)
                layer.out.weight.mul_(0.5)

    def features(self, spectrum: Tensor) -> Tensor:
        """[lane, frame, feature]: band log power, the same less its running mean, low bins."""
        c = self.config
        power = (spectrum**2).sum(-1)
        log = torch.log10(power @ self.bands.T + c.floor)
        squared = power[..., : c.num_complex_bins, None]
        low = spectrum[..., : c.num_complex_bins, :] * (squared + 1e-12) ** (
            (c.compression - 1) / 2
        )
        relative = log - running_mean(log, c.mean_seconds, c.mean_start)
        joined = torch.cat([log, relative, low.flatten(-2)], -1)
        return (joined - self.feature_mean) * self.feature_scale

    def core(self, features: Tensor) -> Tensor:
        x = self.input(features)
        total = torch.zeros_like(x)
        for layer in self.stack:
            x, skip = layer(x)
            total = total + skip
        skips = self.skip_act(total.transpose(1, 2)).transpose(1, 2)
        memory, _ = self.rnn(skips)
        return torch.cat([skips, memory], -1)

    def heads(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """Gains and deep-filter taps before their activations."""
        with torch.no_grad():
            features = self.features(spectrum)
        with torch.autocast(spectrum.device.type, torch.bfloat16, enabled=self.use_bfloat16):
            h = self.core(features)
            gain, taps = self.gain(h), self.filter(h)
        return gain.float(), self._planar(taps)

    def _planar(self, taps: Tensor) -> Tensor:
        """From [tap, bin, part] to [tap, part, bin] within the last axis."""
        c = self.config
        planar: Tensor = taps.unflatten(-1, (c.filter_taps, c.num_filter_bins, 2)).transpose(-1, -2)
        return planar

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imag = enhance(spectrum[..., 0], spectrum[..., 1], *self.heads(spectrum))
        return torch.stack([real, imag], -1)


def enhance(real: Tensor, imag: Tensor, gain: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    """A complex filter over the last frames corrects the low bins, then a gain on every bin.

    `taps` is [lane, frame, tap, part, bin], the oldest tap first. Real and imaginary planes stay
    apart: compilers vectorise them, and complex autograd they do not.
    """
    weights = torch.tanh(taps.float())
    num_taps, num_bins = weights.shape[2], weights.shape[4]
    frames = real.shape[1]
    past_real = F.pad(real[..., :num_bins], (0, 0, num_taps - 1, 0))
    past_imag = F.pad(imag[..., :num_bins], (0, 0, num_taps - 1, 0))
    out_real = torch.zeros_like(real[..., :num_bins])
    out_imag = torch.zeros_like(out_real)
    for i in range(num_taps):
        a, b = past_real[:, i : i + frames], past_imag[:, i : i + frames]
        u, v = weights[:, :, i, 0], weights[:, :, i, 1]
        out_real = out_real + a * u - b * v
        out_imag = out_imag + a * v + b * u
    scale = torch.sigmoid(gain)
    rest = (0, real.shape[2] - num_bins)
    # The gain comes last: a filter that cancels the noise must not leave the gain open.
    return (real + F.pad(out_real, rest)) * scale, (imag + F.pad(out_imag, rest)) * scale


def running_mean(x: Tensor, seconds: float, start: float) -> Tensor:
    """m += (1 - a)(x - m) along frames, a = exp(-0.01 / seconds), in blocks of matrix products.

    Block length 64 keeps a ** 64 far from underflow; the oldest block's end seeds the next.
    """
    a = float(np.exp(-0.01 / seconds))
    block = 64
    steps = torch.arange(block, dtype=x.dtype, device=x.device)
    exponent = steps[:, None] - steps[None, :]
    weights = torch.where(exponent >= 0, (1 - a) * a ** exponent.clamp(min=0), 0.0)
    decay = (a ** (steps + 1))[:, None]
    mean = x.new_full((x.shape[0], 1, x.shape[2]), start)
    out = []
    for part in x.split(block, 1):
        n = part.shape[1]
        now = weights[:n, :n] @ part + decay[:n] * mean
        out.append(now)
        mean = now[:, -1:]
    return torch.cat(out, 1)


def stft(x: Tensor, window: int = 320) -> Tensor:
    """[lane, time] to [lane, frame, bin, 2]; the first frame ends at the first hop of samples."""
    hop = window // 2
    w = torch.hann_window(window, dtype=x.dtype, device=x.device).sqrt()
    frames = F.pad(x, (hop, 0)).unfold(-1, window, hop) * w
    return torch.view_as_real(torch.fft.rfft(frames)) / window


def istft(spectrum: Tensor, window: int = 320) -> Tensor:
    """The inverse by weighted overlap-add, delayed by one hop against the input of `stft`."""
    hop = window // 2
    w = torch.hann_window(window, dtype=spectrum.dtype, device=spectrum.device).sqrt()
    frames = torch.fft.irfft(torch.view_as_complex(spectrum.contiguous()) * window, window) * w
    first, second = frames[..., :hop], frames[..., hop:]
    tail = F.pad(second, (0, 0, 1, 0))[:, :-1]
    y: Tensor = (first + tail).flatten(1)
    return y
