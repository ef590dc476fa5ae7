"""Diffusion in torch: all samples of a step at once, or step by step with queues."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtaudio.dsp.noise import normals
from rtaudio.dsp.windows import analysis_window
from rtaudio.graph.noise import Noise, NoiseSpectrum
from rtaudio.graph.refine import Refine
from rtaudio.nn.net import Net
from rtaudio.nn.stepper import Stepper, expanded_plan


class Refinement:
    """The steps of a refinement, on signals that begin at some position: their noise, and how they
    move x."""

    def __init__(self, net: Net, layer: Refine, path: str, noise: tuple[int, int]) -> None:
        self.net, self.layer, self.path = net, layer, path
        self.seed, self.stream = noise
        self.site = site_of(net, path) & 0xFFFF
        self.embeddings = layer.inner.embed(layer.timesteps)

    def noise(self, condition: Tensor, begin: int, step: int) -> Tensor:
        """z of the condition's frames, which begin at `begin`, as its prior has it."""
        count, first = condition.shape[2], self.layer.inner.condition
        if self.layer.given:
            values = self.layer.inner.values
            return condition[:, first + step * values : first + (step + 1) * values]
        positions = np.maximum(np.arange(begin, begin + count), 0)
        drawn = normals(
            positions,
            self.layer.inner.values,
            seed=self.seed,
            stream=self.stream,
            site=self.site,
            step=len(self.layer.scales) - step,
        )
        z = _signal(drawn, condition)
        if self.layer.shaped:
            return condition[:, -1:] * z
        return z.expand(condition.shape[0], -1, -1)

    def inputs(self, x: Tensor, condition: Tensor, step: int) -> Tensor:
        """What the network's body sees: x, the condition and the step's embedding."""
        e = torch.from_numpy(self.embeddings[step]).to(x)
        e = e[None, :, None].expand(x.shape[0], -1, x.shape[2])
        return torch.cat([x, condition[:, : self.layer.inner.condition], e], 1)

    def update(self, x: Tensor, found: Tensor, condition: Tensor, begin: int, step: int) -> Tensor:
        layer = self.layer
        x = layer.scales[step] * (x - layer.weights[step] * found)
        if layer.deviations[step] > 0:
            x = x + layer.deviations[step] * self.noise(condition, begin, step + 1)
        return x.clamp(-1.0, 1.0) if layer.clip else x

    def run(self, condition: Tensor) -> Tensor:
        """[lane, condition (and spread), time] to [lane, values, time], the whole signal."""
        layer = self.layer
        x = self.noise(condition, 0, 0)
        body = layer.inner.body()
        for step in range(len(layer.scales)):
            found = self.net.run(body, self.inputs(x, condition, step), self.path)
            x = self.update(x, found, condition, 0, step)
        return x


class SteppedRefinement(Refinement):
    """The same with a queue for each step; signals come with `delay` frames before them."""

    def __init__(
        self, net: Net, layer: Refine, path: str, noise: tuple[int, int], delay: int
    ) -> None:
        super().__init__(net, layer, path, noise)
        network = layer.inner
        width = network.values + network.condition + network.embedding
        self.body = expanded_plan(network.body(), width)
        self.delay, self.seen = delay, 0
        self.steppers: list[Stepper] = []
        self.kept: list[tuple[Tensor, Tensor]] = []

    def step(self, condition: Tensor, length: int) -> Tensor:
        """`length`: of the signal, as far as it is known."""
        lanes, _, count = condition.shape
        ahead = self.layer.inner.lookahead
        if not self.steppers:
            for _ in self.layer.scales:
                stepper = Stepper(self.net, lanes, planned=self.body, path=self.path)
                self.steppers.append(stepper)
                late = condition.new_zeros(lanes, condition.shape[1], ahead)
                self.kept.append((late.new_zeros(lanes, self.layer.inner.values, ahead), late))
        begin = self.seen - self.delay
        x = self.noise(condition, begin, 0)
        for step, stepper in enumerate(self.steppers):
            # Each step's signal begins with frames that are none: they are cut off, not masked.
            start = min(max(-begin, 0), count)
            stepper.end(length)
            inputs = self.inputs(x, condition, step)[:, :, start:]
            found = x.new_zeros(lanes, x.shape[1], count)
            if start < count:
                found[:, :, start:] = stepper.step(inputs)
            joined = [
                torch.cat(pair, 2) for pair in zip(self.kept[step], (x, condition), strict=True)
            ]
            self.kept[step] = (joined[0][:, :, count:], joined[1][:, :, count:])
            x, condition = (each[:, :, :count] for each in joined)
            begin -= ahead
            x = self.update(x, found, condition, begin, step)
        self.seen += count
        return x


def draw(
    net: Net,
    layer: Noise | NoiseSpectrum,
    path: str,
    noise: tuple[int, int],
    x: Tensor,
    begin: int,
) -> Tensor:
    """What a source draws for x's frames, the first of which is the signal's frame `begin`."""
    positions = np.maximum(np.arange(begin, begin + x.shape[2]), 0)
    seed, stream = noise
    site = site_of(net, path) & 0xFFFF
    if isinstance(layer, NoiseSpectrum):
        window = np.arange(layer.window) - layer.window // 2
        at = layer.hop * positions[:, None] + window
        z = normals(at, 1, seed=seed, stream=stream, site=site, step=layer.step)[..., 0]
        shape = analysis_window("hann", layer.window, layer.hop) / layer.fft_size
        spectra = np.fft.rfft(z.astype(np.float64) * shape, layer.fft_size)
        both = np.concatenate([spectra.real, spectra.imag], 1)
        return torch.from_numpy(both.T[None].copy()).to(x).expand(x.shape[0], -1, -1)
    drawn = [
        normals(positions, layer.values, seed=seed, stream=stream, site=site, step=step)
        for step in range(layer.steps, 0, -1)
    ]
    return _signal(np.concatenate(drawn, 1), x).expand(x.shape[0], -1, -1)


def _signal(drawn: NDArray[np.float32], like: Tensor) -> Tensor:
    """[time, values] as [1, values, time]."""
    return torch.from_numpy(drawn.astype(np.float64).T[None].copy()).to(like)


def site_of(net: Net, path: str) -> int:
    """The number of the node, part of its noise."""
    return next(
        node.output.buffer
        for node in net.graph.plan.nodes
        if isinstance(node.layer, (Refine, Noise, NoiseSpectrum)) and node.path == path
    )
