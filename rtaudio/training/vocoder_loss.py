"""What a vocoder is trained to: WORLD's pitch and envelopes frame by frame, then spectra."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.nn.streams import pulses

RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32))  # window, hop
LEAST_POWER = 1e-9
PITCH_WIDTH = 35.0  # cents
UNVOICED_WEIGHT = 0.02  # of the pitch where there is none: a line between its neighbours
QUIET, QUIET_WEIGHT = -9.5, 0.05  # mean log mel of a frame that hardly counts


def pitch_divergence(logits: Tensor, hertz: Tensor, f0: Tensor) -> Tensor:
    """Of each frame's classes from a bump around the pitch (CREPE, Kim et al., 1802.06182)."""
    cents = 1200 * torch.log2(f0[..., None] / hertz)
    target = torch.softmax(-0.5 * (cents / PITCH_WIDTH) ** 2, -1)
    logs = torch.log_softmax(logits, -1)
    return (target * (torch.log(target + 1e-9) - logs)).sum(-1)


def heard_loss(
    logits: Tensor, voicing: Tensor, hertz: Tensor, f0: Tensor, voiced: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the pitch, mostly in voiced frames, and of the voicing."""
    weight = voiced + UNVOICED_WEIGHT
    pitch = (pitch_divergence(logits, hertz, f0) * weight).sum() / weight.sum()
    return pitch, F.binary_cross_entropy_with_logits(voicing, voiced)


def envelope_loss(
    gains: Tensor, target: Tensor, centres: Tensor, voiced: Tensor, mel: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean differences of log gains [lane, frame, 2 * band] from [lane, 2, band, frame], of the
    pulses where voiced and of the noise. High bands count less, as they do for the ear."""
    weight = 1 / (1 + centres / 4000)
    weight = weight / weight.mean()
    off = (torch.stack(gains.chunk(2, 2), 1).transpose(2, 3) - target).abs()
    each = (off * weight[:, None]).mean(2)
    loud = (mel.mean(1) > QUIET).float() + QUIET_WEIGHT
    of_pulses = loud * (voiced + UNVOICED_WEIGHT)
    return (
        (each[:, 0] * of_pulses).sum() / of_pulses.sum(),
        (each[:, 1] * loud).sum() / loud.sum(),
    )


def source(turns: Tensor, phase: Tensor, hop: int) -> Tensor:
    """Pulses [lane, hop * frames] at a pitch [lane, frame] in turns a sample whose fundamental has
    these phases, in turns, at every frame: what the pitch's integral is off spreads evenly."""
    s = torch.arange(hop, device=turns.device, dtype=turns.dtype)
    following = torch.cat([turns[:, 1:], turns[:, -1:]], 1)
    whole = hop * (turns + following) / 2
    reached = torch.cat([phase[:, 1:], phase[:, -1:] + whole[:, -1:]], 1)
    off = reached - phase - whole
    off = off - off.round()
    turns, rise = turns[:, :, None], (following - turns)[:, :, None] / hop
    p = phase[:, :, None] + turns * s + 0.5 * rise * s * s + off[:, :, None] * s / hop
    return pulses((turns + rise * s).flatten(1), p.flatten(1))


def spectra(x: Tensor) -> list[Tensor]:
    """Amplitudes at every resolution; white noise of unit power has a mean power of one."""
    found = []
    for size, hop in RESOLUTIONS:
        window = torch.hann_window(size, device=x.device)
        window = window / window.square().sum().sqrt()
        y = torch.stft(x, size, hop, window=window, center=False, return_complex=True)
        found.append(torch.sqrt(y.real.square() + y.imag.square() + LEAST_POWER))
    return found


def distance(a: list[Tensor], b: list[Tensor], loudness: list[Tensor], rate: int) -> Tensor:
    """Of amplitudes: by logarithms, and in parts of those of `loudness`. Bins above 2 kHz count
    less."""
    total = a[0].new_zeros(())
    for x, y, of in zip(a, b, loudness, strict=True):
        hertz = torch.linspace(0, rate / 2, x.shape[1], device=x.device)
        weight = 1 / (1 + hertz / 2000)
        weight = (weight / weight.mean())[:, None]
        logs = (weight * (x.log() - y.log()).abs()).mean()
        parts = (weight * (x - y).abs()).mean((1, 2)) / (weight * of).mean((1, 2))
        total = total + logs + 0.5 * parts.mean()
    return total / len(a)
