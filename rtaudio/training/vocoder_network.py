"""rt-wavenet as training sees it: all steps at once under teacher forcing, [lane, time, channel].

`vocoder_export` turns its weights into the tensors of rtaudio.models.rt_wavenet.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rtaudio.errors import RtaudioError
from rtaudio.models.rt_wavenet import LARGEST, LEAST_LOG_SCALE, QUIETEST, RtWaveNet

LEAST_POWER = 1e-8  # of a band: -80 dB of full scale


class VocoderNet(nn.Module):
    """forward(mel, bands, noise): parameters and targets of every step but those of the last frame,
    which the network only looks ahead to.

    mel [lane, num_mels, frames], bands [lane, steps, bands]; `noise` is added to the values that
    the network looks back on.
    """

    level_weight: Tensor
    level_bias: Tensor

    def __init__(self, config: RtWaveNet) -> None:
        super().__init__()
        self.config = c = config
        hidden, num_mels = c.condition_hidden, c.preset.num_mels
        self.register_buffer("level_weight", torch.zeros(c.bands, num_mels))
        self.register_buffer("level_bias", torch.full((c.bands,), LEAST_POWER))
        self.mel = nn.Linear(num_mels * c.condition_kernel_size, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.condition = nn.Linear(hidden, c.condition_channels)
        self.past = nn.Linear(c.bands * c.input_kernel_size, c.channels, bias=False)
        self.convs = nn.ModuleList(
            nn.Linear(c.channels * c.kernel_size, 2 * c.gate_channels, bias=False)
            for _ in c.dilations
        )
        self.outs = nn.ModuleList(
            nn.Linear(c.gate_channels, c.channels + c.skip_channels) for _ in c.dilations
        )
        self.predictors = nn.Linear(c.bands * c.predictor_kernel_size, c.predictors, bias=False)
        self.prediction = nn.Linear(c.predictors, 2 * c.bands, bias=False)
        self.head = nn.Linear(c.skip_channels, c.head_channels)
        self.out = nn.Linear(c.head_channels, 2 * c.bands)
        with torch.no_grad():  # at first every value is a Gaussian of unit variance
            for value in (self.prediction.weight, self.out.weight, self.out.bias):
                value.zero_()

    def levels(self, mel: Tensor) -> Tensor:
        """Logarithms of the bands' amplitudes, less QUIETEST: [lane, frame, band]."""
        power = torch.exp(2 * mel.transpose(1, 2)) @ self.level_weight.T + self.level_bias
        level = (0.5 * torch.log(power) - QUIETEST).clamp(min=0)
        return 0.5 * (level + F.pad(level, (0, 0, 1, 0))[:, :-1])

    def frames(self, mel: Tensor) -> Tensor:
        """The condition at the rate of the mel: [lane, frame, condition_channels]."""
        c = self.config
        x = 0.2 * (mel - math.log(c.preset.floor)).transpose(1, 2)
        x = torch.tanh(self.mel(taps(x, c.condition_kernel_size, 1)))
        return self.condition(torch.tanh(self.hidden(x)))  # type: ignore[no-any-return]

    def upsample(self, x: Tensor) -> Tensor:
        """Lines from each frame to the next: [lane, steps of all frames but the last, channel]."""
        steps = self.config.steps_per_frame
        w = torch.arange(steps, device=x.device, dtype=x.dtype)[:, None] / steps
        now, to_next = x[:, :-1, None], (x[:, 1:] - x[:, :-1])[:, :, None]
        return (now + w * to_next).flatten(1, 2)

    def normalise(self, mel: Tensor, bands: Tensor) -> Tensor:
        logs = self.upsample(self.levels(mel)) + QUIETEST
        return (bands[:, : logs.shape[1]] * torch.exp(-logs)).clamp(-LARGEST, LARGEST)

    def forward(self, mel: Tensor, bands: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        target = self.normalise(mel, bands)
        past = F.pad(target[:, :-1], (0, 0, 1, 0)) + noise[:, : target.shape[1]]
        mean, log_scale = self.body(self.frames(mel), past).float().chunk(2, 2)
        return mean, log_scale.clamp(LEAST_LOG_SCALE, 4.0), target

    def body(self, frames: Tensor, past: Tensor) -> Tensor:
        """[means; log scales] of all steps from the condition of frames and the values before."""
        c = self.config
        wide = 2 * c.gate_channels
        start, weights, *stack = frames.split(
            [c.channels, c.predictors, *[wide] * len(c.dilations)], dim=2
        )
        x = self.past(taps(past, c.input_kernel_size, 1)) + self.upsample(start)
        terms = self.predictors(taps(past, c.predictor_kernel_size, 1)) * self.upsample(weights)
        skip = x.new_zeros(())
        for conv, out, condition, dilation in zip(
            self.convs, self.outs, stack, c.dilations, strict=True
        ):
            z = conv(taps(x, c.kernel_size, dilation)) + self.upsample(condition)
            a, b = z.chunk(2, 2)
            residual, more = out(torch.tanh(a) * torch.sigmoid(b)).split(
                [c.channels, c.skip_channels], dim=2
            )
            x, skip = x + residual, skip + more
        y: Tensor = self.out(F.relu(self.head(F.relu(skip)))) + self.prediction(terms)
        return y


def taps(x: Tensor, count: int, dilation: int) -> Tensor:
    """Each frame with those before it, oldest first: [lane, time, count * channel]."""
    length = x.shape[1]
    padded = F.pad(x, (0, 0, (count - 1) * dilation, 0))
    return torch.cat([padded[:, i * dilation : i * dilation + length] for i in range(count)], 2)


def negative_log_likelihood(mean: Tensor, log_scale: Tensor, target: Tensor) -> Tensor:
    """Of each value, in nats."""
    z = (target - mean) * torch.exp(-log_scale)
    return 0.5 * z * z + log_scale + 0.5 * math.log(2 * math.pi)


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
    """The averaged weights of a `last.pt`, or of a numbered average of a run.

    Raises RtaudioError where the file is neither.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RtaudioError(f"cannot read the checkpoint {path}: {reason}.") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise RtaudioError(f"{path} is no checkpoint; give a .pt file of a run.") from None
    network = VocoderNet(RtWaveNet())
    try:
        network.load_state_dict(stored.get("average", stored))
    except (RuntimeError, AttributeError, TypeError):
        raise RtaudioError(
            f"{path} does not fit this version's rt-wavenet; train it anew."
        ) from None
    return network.eval()
