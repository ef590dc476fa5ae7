"""rt-wavenet as training sees it: whole segments at once, [lane, time, channel].

`vocoder_export` turns its weights into the tensors of rtaudio.models.rt_wavenet.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rtaudio.dsp.bands import straight_lines
from rtaudio.dsp.pqmf import TAPS, pqmf_filters
from rtaudio.dsp.windows import analysis_window
from rtaudio.graph import Cepstrum, MinimumPhase
from rtaudio.models.rt_wavenet_source import (
    LARGEST,
    LARGEST_GAIN,
    LEAST_GAIN,
    QUIETEST,
    TRUNK,
    RtWaveNet,
    pitch_hertz,
)

from .optimise import load_average

LEVEL_FRAMES = 20_000  # for fitting levels
LEAST_POWER = 1e-8  # of a band: -80 dB of full scale


def band_centres(config: RtWaveNet) -> NDArray[np.float64]:
    """Hz of an envelope's bands: those of the mel, and equal steps above them."""
    mels, top = config.preset.centres, config.preset.sample_rate / 2
    return np.concatenate([mels, np.linspace(mels[-1], top, config.top_bands + 1)[1:]])


def bin_matrices(config: RtWaveNet) -> tuple[Tensor, Tensor]:
    """Log gains of bands to log gains and to phases of bins, each [bins, bands]: straight lines
    between the bands, and the minimum phase of these."""
    size = config.window
    hertz = np.arange(config.bins) * config.preset.sample_rate / size
    lines = straight_lines(hertz, band_centres(config))
    cepstrum = Cepstrum(fft_size=size, order=size // 2).matrix()
    folded = MinimumPhase(fft_size=size, order=size // 2).matrix()
    phases = folded[config.bins :].dot(cepstrum.dot(lines))
    return torch.from_numpy(lines).float(), torch.from_numpy(phases).float()


class Trunk(nn.Module):
    """Convolutions over mel frames, the first one over normalised values."""

    mean: Tensor
    scale: Tensor

    def __init__(self, num_mels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_mels))
        self.register_buffer("scale", torch.ones(num_mels))
        inputs = (num_mels, *[width] * (len(TRUNK) - 1))
        self.convs = nn.ModuleList(
            nn.Linear(size * count, width)
            for (size, _, _), count in zip(TRUNK, inputs, strict=True)
        )

    def normalise(self, x: Tensor) -> Tensor:
        count = x.shape[2] // len(self.mean)
        return (x - self.mean.repeat(count)) * self.scale.repeat(count)

    def forward(self, x: Tensor) -> Tensor:
        """`x`: 0 is silence."""
        for i, (conv, (size, dilation, ahead)) in enumerate(zip(self.convs, TRUNK, strict=True)):
            seen = taps(x, size, dilation, ahead)
            y = F.silu(conv(seen if i else self.normalise(seen)))
            x = x + y if i else y
        return x


class VocoderNet(nn.Module):
    """`hear` and `envelopes` are what the mel tells; forward makes sound of it."""

    level_weight: Tensor
    level_bias: Tensor
    magnitudes: Tensor
    phases: Tensor
    hertz: Tensor
    analysis: Tensor
    synthesis: Tensor
    window: Tensor

    def __init__(self, config: RtWaveNet) -> None:
        super().__init__()
        self.config = c = config
        num_mels, width, envelopes = c.preset.num_mels, c.channels, 2 * c.shape_bands
        self.register_buffer("level_weight", torch.zeros(c.bands, num_mels))
        self.register_buffer("level_bias", torch.full((c.bands,), LEAST_POWER))
        self.pitch_trunk = Trunk(num_mels, c.pitch_channels)
        self.pitch = nn.Linear(c.pitch_channels, c.pitches + 1)
        self.shape_trunk = Trunk(num_mels, c.shape_channels)
        self.shape = nn.Linear(c.shape_channels, envelopes)
        self.direct = nn.Linear(num_mels, envelopes, bias=False)
        self.condition = nn.Linear(c.shape_channels, c.condition_channels)
        self.input = nn.Linear(2 * c.bands * c.input_kernel_size, width, bias=False)
        self.convs = nn.ModuleList(
            nn.Linear(width * c.kernel_size, 2 * width, bias=False) for _ in c.dilations
        )
        self.outs = nn.ModuleList(nn.Linear(width, 2 * width) for _ in c.dilations)
        self.head = nn.Linear(width, width)
        self.out = nn.Linear(width, c.bands)
        with torch.no_grad():  # at first the mel itself is the envelope, and nothing is added
            for value in (self.direct.weight, self.out.weight, self.out.bias):
                value.zero_()
            self.shape.weight.mul_(0.1)
        analysis, synthesis = pqmf_filters(c.bands)
        magnitudes, phases = bin_matrices(c)
        window = analysis_window("sqrt_hann", c.window, c.preset.hop)
        for name, value in (
            ("magnitudes", magnitudes),
            ("phases", phases),
            ("hertz", torch.from_numpy(pitch_hertz(c.pitches))),
            ("analysis", torch.from_numpy(analysis[:, None, ::-1].copy()).float()),
            ("synthesis", torch.from_numpy(synthesis[:, None]).float()),
            ("window", torch.from_numpy(window).float()),
        ):
            self.register_buffer(name, value, persistent=False)

    def scaled(self, mel: Tensor) -> Tensor:
        return 0.2 * (mel - math.log(self.config.preset.floor)).transpose(1, 2)

    def hear(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the pitch's classes [lane, frame, pitches] and of being voiced."""
        y = self.pitch(self.pitch_trunk(self.scaled(mel)))
        return y[:, :, :-1].float(), y[:, :, -1].float()

    def turns(self, logits: Tensor) -> Tensor:
        """The pitch in turns a sample."""
        mean = torch.softmax(logits.clamp(-30.0, 30.0), -1) @ self.hertz
        return mean / self.config.preset.sample_rate

    def envelopes(self, mel: Tensor, shape: Tensor) -> Tensor:
        """Log gains of the pulses' bands, were they voiced, and of the noise's."""
        base = torch.cat([mel, mel[:, -1:].expand(-1, self.config.top_bands, -1)], 1)
        seen = self.shape_trunk.normalise(self.scaled(mel))
        more = self.shape(shape) + self.direct(seen)
        return more.float() + torch.cat([base, base], 1).transpose(1, 2)  # type: ignore[no-any-return]

    def forward(self, mel: Tensor, voicing: Tensor, source: Tensor, noise: Tensor) -> Tensor:
        """Samples [lane, hop * frames] of pulses and of noise of unit power."""
        return self.made(mel, voicing, source, noise)[0]

    def made(
        self, mel: Tensor, voicing: Tensor, source: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same, and without what the gated stack adds."""
        shape = self.shape_trunk(self.scaled(mel))
        pulsed, noisy = self.envelopes(mel, shape).chunk(2, 2)
        with torch.autocast(mel.device.type, enabled=False):
            parts = self.parts(source, noise, pulsed + F.logsigmoid(voicing)[:, :, None], noisy)
            level = torch.exp(self.upsample(self.levels(mel)) + QUIETEST)
        seen = (torch.cat(parts, 2) / level.repeat(1, 1, 2)).clamp(-LARGEST, LARGEST)
        added = self.stack(seen, self.condition(shape)).to(level.dtype) * level
        return self.joined((*parts, added)), self.joined(parts)

    def parts(
        self, source: Tensor, noise: Tensor, pulsed: Tensor, noisy: Tensor
    ) -> tuple[Tensor, ...]:
        """Bands of both under frames of log gains."""
        return (
            self.filtered(source, pulsed, minimum_phase=True),
            self.filtered(noise, noisy, minimum_phase=False),
        )

    def joined(self, bands: tuple[Tensor, ...]) -> Tensor:
        """Samples of a sum of bands [lane, step, band]."""
        total = torch.stack(bands).sum(0)
        y = F.conv_transpose1d(total.transpose(1, 2), self.synthesis, stride=self.config.bands)
        return y[:, 0, TAPS // 2 :][:, : total.shape[1] * self.config.bands]

    def filtered(self, x: Tensor, gains: Tensor, *, minimum_phase: bool) -> Tensor:
        """Bands of the filter bank [lane, step, band] of samples under frames of log gains."""
        c, hop = self.config, self.config.preset.hop
        count = gains.shape[1]
        gains = gains.clamp(LEAST_GAIN, LARGEST_GAIN)
        frames = F.pad(x, (hop, 0)).unfold(1, c.window, hop)
        spectrum = torch.fft.rfft(frames * self.window, dim=2)
        response = torch.exp(gains @ self.magnitudes.T)
        if minimum_phase:
            response = torch.polar(response, gains @ self.phases.T)
        shaped = torch.fft.irfft(spectrum * response, n=c.window, dim=2) * self.window
        # The last hop lies in this frame and in one after the end, which is silent.
        y = F.fold(shaped.transpose(1, 2), (1, (count + 1) * hop), (1, c.window), stride=(1, hop))[
            :, 0, 0, hop:
        ]
        half = TAPS // 2
        return F.conv1d(F.pad(y, (half, half))[:, None], self.analysis, stride=c.bands).transpose(
            1, 2
        )

    def levels(self, mel: Tensor) -> Tensor:
        """Logarithms of the bands' amplitudes, less QUIETEST: [lane, frame, band]."""
        power = torch.exp(2 * mel.transpose(1, 2)) @ self.level_weight.T + self.level_bias
        return (0.5 * torch.log(power) - QUIETEST).clamp(min=0)

    def upsample(self, x: Tensor) -> Tensor:
        """Lines from each frame to the next, and to zero after the last."""
        steps = self.config.steps_per_frame
        w = torch.arange(steps, device=x.device, dtype=x.dtype)[:, None] / steps
        following = F.pad(x, (0, 0, 0, 1))[:, 1:]
        return (x[:, :, None] + w * (following - x)[:, :, None]).flatten(1, 2)

    def stack(self, seen: Tensor, condition: Tensor) -> Tensor:
        """What the gated stack adds, of unit power: [lane, step, band]."""
        c = self.config
        start, *gates = condition.split([c.channels, *[2 * c.channels] * len(c.dilations)], dim=2)
        x = self.input(taps(seen, c.input_kernel_size, 1)) + self.upsample(start)
        skip = x.new_zeros(())
        for conv, out, gate, dilation in zip(
            self.convs, self.outs, gates, c.dilations, strict=True
        ):
            z = conv(taps(x, c.kernel_size, dilation)) + self.upsample(gate)
            a, b = z.chunk(2, 2)
            residual, more = out(torch.tanh(a) * torch.sigmoid(b)).chunk(2, 2)
            x, skip = x + residual, skip + more
        return self.out(F.relu(self.head(F.relu(skip))))  # type: ignore[no-any-return]


def taps(x: Tensor, count: int, dilation: int, ahead: int = 0) -> Tensor:
    """Each frame with those before it (and `ahead` after it), oldest first: [lane, time, count *
    channel]."""
    length = x.shape[1]
    padded = F.pad(x, (0, 0, (count - 1) * dilation - ahead, ahead))
    return torch.cat([padded[:, i * dilation : i * dilation + length] for i in range(count)], 2)


def fit_levels(mel: NDArray[np.float32], bands: NDArray[np.float32], steps: int) -> Tensor:
    """Sums of mel powers [bands, num_mels] that follow each band's power, by logarithms."""
    count = mel.shape[1]
    power = (bands[:, : count * steps] ** 2).reshape(len(bands), count, steps).mean(2)
    around = np.pad(power, ((0, 0), (1, 1)), "edge")
    # A mel frame sees about as much of its neighbours as of its own hop.
    target = torch.from_numpy(around[:, :-2] / 4 + power / 2 + around[:, 2:] / 4)
    target = torch.log(target + LEAST_POWER)
    heard = torch.exp(2 * torch.from_numpy(np.asarray(mel)))
    start = torch.log(target.exp().mean(1, keepdim=True) / heard.sum(0).mean())
    raw = start.expand(-1, heard.shape[0]).clone().requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=0.1)
    num_steps = 300
    for step in range(num_steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * (1 - step / num_steps)
        error = torch.log(raw.exp() @ heard + LEAST_POWER) - target
        optimiser.zero_grad()
        error.abs().mean().backward()
        optimiser.step()
    return raw.detach().exp()


def read_network(path: Path) -> VocoderNet:
    """See `load_average`."""
    return load_average(path, VocoderNet(RtWaveNet()), "rt-wavenet")
