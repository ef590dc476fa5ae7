"""Autoregression in torch: free running, sample by sample, and teacher-forced as a whole."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rtaudio.dsp.noise import uniforms
from rtaudio.errors import GraphError
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.heads import Embedding
from rtaudio.nn import heads
from rtaudio.nn.functions import Tensors, meaning
from rtaudio.nn.heads import decode
from rtaudio.nn.net import Net
from rtaudio.nn.stepper import Stepper, expanded_plan


@meaning("embedding")
def embedding(layer: Embedding, t: Tensors, x: Tensor) -> Tensor:
    inside = (x > -0.5) & (x < layer.levels - 0.5)
    codes = torch.where(inside, torch.floor(x + 0.5), 0.0).long()
    return t["weight"].T[codes[:, 0]].transpose(1, 2)


class Loop:
    """A feedback at work on some lanes: what it has drawn and what its body remembers."""

    def __init__(self, net: Net, layer: Feedback, path: str, noise: tuple[int, int]) -> None:
        self.net, self.layer, self.path = net, layer, path
        self.seed, self.stream = noise
        self.site = site_of(net, path) & 0xFFFF
        self.position = 0
        self.previous: Tensor | None = None
        self.body: Stepper | None = None

    def run(self, x: Tensor) -> Tensor:
        """[lane, condition (and voiced), n] in, [lane, width, n * hop] samples out."""
        layer, lanes = self.layer, x.shape[0]
        condition = x[:, : layer.condition_channels(x.shape[1])]
        voiced = x[:, -1] if layer.how.needs_voiced else torch.zeros_like(x[:, 0])
        if self.body is None or self.previous is None:
            planned = expanded_plan(layer.body, condition.shape[1] + layer.draws.width)
            self.body = Stepper(self.net, lanes, planned=planned, path=self.path)
            self.previous = x.new_full((lanes, layer.draws.width), layer.start)
        samples = [x.new_zeros(lanes, layer.draws.width, 0)]
        for t in range(x.shape[2]):
            for _ in range(layer.hop):
                now = torch.cat([condition[:, :, t], self.previous], 1)
                parameters = self.body.step(now[:, :, None])[:, :, 0]
                numbers = torch.from_numpy(self.numbers().astype(np.float64)).to(x)
                self.previous = heads.draw(
                    layer.draws, layer.how, parameters, numbers.expand(lanes, -1), voiced[:, t]
                )
                samples.append(decode(layer.draws, self.previous)[:, :, None])
                self.position += 1
        return torch.cat(samples, 2)

    def numbers(self) -> np.ndarray:
        count = heads.num_uniforms(self.layer.draws)
        where = {"seed": self.seed, "stream": self.stream, "site": self.site}
        return uniforms(self.position, count, **where)


def teacher_forced(net: Net, layer: Feedback, path: str, x: Tensor, values: Tensor) -> Tensor:
    """Parameters [lane, parameter, n * hop] where the values before are known: [lane, width, n *
    hop], as they are fed back."""
    condition = x[:, : layer.condition_channels(x.shape[1])].repeat_interleave(layer.hop, 2)
    if values.shape[2] != condition.shape[2]:
        raise GraphError(
            f"{values.shape[2]} samples are given for a condition of {condition.shape[2]}."
        )
    start = values.new_full((*values.shape[:2], 1), layer.start)
    before = torch.cat([start, values], 2)[:, :, :-1]
    return net.run(layer.body, torch.cat([condition, before], 1), path)


def site_of(net: Net, path: str) -> int:
    """The number of the node that draws, part of its noise."""
    for node in net.graph.plan.nodes:
        if isinstance(node.layer, Feedback) and node.path == path:
            return node.output.buffer
    raise GraphError(f"there is no feedback {path!r} in the graph.")


__all__ = ["Loop", "decode", "teacher_forced"]
