"""What the heads of `Feedback` mean: how a value is drawn, and how likely a given one is."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.graph.heads import Head, Mixture, MuLawSoftmax, Sampler


def draw(
    head: Head, sampler: Sampler, parameters: Tensor, uniforms: Tensor, voiced: Tensor
) -> Tensor:
    """Values [lane, width] that are fed back, from parameters [lane, parameter], at least
    `num_uniforms(head)` uniform numbers [lane, n] and flags [lane].

    argmax where it is asked for, else inverse CDF of the codes; Gumbel's maximum for a component,
    then its quantile (logistic) or Box and Muller's transform (Gaussian).
    """
    loud = voiced > 0.5
    scale = torch.full_like(voiced, sampler.temperature)
    if sampler.mode == "mode":
        scale = torch.where(loud, scale * sampler.voiced_scale, scale)
    sure = torch.full_like(loud, sampler.mode == "argmax")
    if sampler.mode == "greedy":
        sure = loud
    if isinstance(head, MuLawSoftmax):
        likeliest = parameters.argmax(1)
        cumulative = torch.softmax(parameters / scale[:, None], 1).cumsum(1)
        drawn = (cumulative <= uniforms[:, :1] * cumulative[:, -1:]).sum(1)
        code = torch.where(sure, likeliest, drawn.clamp_max(head.levels - 1))
        return code[:, None].to(parameters)
    assert isinstance(head, Mixture)
    logits, means, log_scales = split(head, parameters[:, :, None])
    component = torch.zeros_like(sure, dtype=torch.long)
    first = 0
    if head.components > 1:
        gumbel = -torch.log(-torch.log(uniforms[:, : head.components]))
        noisy = logits[:, 0, :, 0] / sampler.temperature + gumbel
        component = torch.where(sure, logits[:, 0, :, 0].argmax(1), noisy.argmax(1))
        first = head.components + head.components % 2
    at = component[:, None, None].expand(-1, head.values, 1)
    mean = means[..., 0].gather(2, at)[:, :, 0]
    log_scale = log_scales[..., 0].gather(2, at)[:, :, 0]
    unit = _unit(head, uniforms[:, first:])
    x = mean + torch.where(sure[:, None], 0.0, log_scale.exp() * scale[:, None] * unit)
    x = x.clamp(-head.limit, head.limit)
    if head.levels:
        half = (head.levels - 1) / 2
        x = torch.floor((x + 1) * half + 0.5) / half - 1
    return x


def num_uniforms(head: Head) -> int:
    """Numbers that one draw may take."""
    if isinstance(head, Mixture):
        return (head.components + 1 if head.components > 1 else 0) + head.values + 1
    return 1


def decode(head: Head, values: Tensor) -> Tensor:
    """The samples that fed-back values are."""
    levels = head.levels if isinstance(head, MuLawSoftmax) else 0
    if isinstance(head, Mixture):
        levels = head.mu_law_levels
        if not levels:
            return values
    y = 2 * values / (levels - 1) - 1 if isinstance(head, MuLawSoftmax) else values
    return torch.sign(y) * torch.expm1(y.abs() * math.log(levels)) / (levels - 1)


def log_probability(head: Head, parameters: Tensor, values: Tensor) -> Tensor:
    """ln p of `values` [lane, width, time] (as they are fed back: `head.encode(audio)`) under
    parameters [lane, parameter, time]; [lane, width, time]. Densities, but for codes and for a
    logistic mixture of `levels`, which have masses; there the first and the last level have the
    tails, and those alone."""
    if isinstance(head, MuLawSoftmax):
        return F.log_softmax(parameters, 1).gather(1, values.long())
    assert isinstance(head, Mixture)
    logits, mean, log_scale = split(head, parameters)
    y = values[:, :, None]
    z = (y - mean) * torch.exp(-log_scale)
    if head.distribution == "gaussian":
        each = -0.5 * z * z - log_scale - 0.5 * math.log(2 * math.pi)
    elif head.levels:
        each = _log_mass(y, z, log_scale, 1 / (head.levels - 1))
    else:
        each = -F.softplus(z) - F.softplus(-z) - log_scale
    return torch.logsumexp(F.log_softmax(logits, 2) + each, 2)


def split(head: Mixture, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, means and clamped log scales, each [lane, value, component, time]."""
    if head.components > 1:
        parts = parameters[:, None].chunk(3, 2)
    else:
        means, log_scales = parameters[:, :, None].chunk(2, 1)
        parts = (torch.zeros_like(means), means, log_scales)
    logits, means, log_scales = parts
    return logits, means, log_scales.clamp(head.min_log_scale, head.max_log_scale)


def _log_mass(y: Tensor, z: Tensor, log_scale: Tensor, half_step: float) -> Tensor:
    """ln(sigmoid(a) - sigmoid(b)) = ln sigmoid(a) + ln sigmoid(-b) + ln(1 - e^(b - a))."""
    half = half_step * torch.exp(-log_scale)
    a, b = z + half, z - half
    inner = F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(-2 * half))
    first, last = y <= -1 + half_step / 2, y >= 1 - half_step / 2
    return torch.where(first, F.logsigmoid(a), torch.where(last, F.logsigmoid(-b), inner))


def _unit(head: Mixture, uniforms: Tensor) -> Tensor:
    """[lane, value] numbers of mean 0 and scale 1."""
    if head.distribution == "logistic":
        u = uniforms[:, : head.values]
        return torch.log(u) - torch.log1p(-u)
    count = head.values + head.values % 2
    radius = torch.sqrt(-2 * torch.log(uniforms[:, 0:count:2]))
    angle = 2 * math.pi * uniforms[:, 1:count:2]
    pairs = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 2)
    return pairs.flatten(1)[:, : head.values]
