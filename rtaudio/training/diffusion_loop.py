"""Training of rt-priorgrad: the network learns what noise stands in noisy speech, at every step of
the chain (DDPM, 2006.11239, algorithm 1), each frame's error weighted by its spread (PriorGrad,
2106.06406, equation 6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rtaudio.diffusion import alphas_bar
from rtaudio.graph import Refine, Serial
from rtaudio.models.rt_priorgrad import TRAINED, RtPriorGrad, fixed_tensors, rt_priorgrad
from rtaudio.nn import Net

from .diffusion_data import Segments, Voice
from .optimise import Loop, LoopConfig, load_average
from .recordings import SegmentConfig


@dataclass(frozen=True, kw_only=True)
class DiffusionTrainConfig(LoopConfig):
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    warm_frames: int = 4  # mel frames at a segment's start without a loss: memory fills
    bfloat16: bool = False  # products in bfloat16, where the machine has them


def make_network(config: RtPriorGrad) -> Net:
    """The graph itself in torch; at first it finds no noise (as DiffWave begins)."""
    graph = rt_priorgrad(config)
    fixed = fixed_tensors(config)
    tensors = {**graph.initial_tensors(), **fixed}
    for name in ("refine.output.weight", "refine.output.bias"):
        tensors[name] = np.zeros_like(tensors[name])
    network = Net(graph, tensors)
    for name in fixed:
        getattr(network, name.replace(".", "/")).requires_grad_(False)
    return network


class Objective:
    """The loss of a network that is told the step and the mel."""

    def __init__(self, network: Net, config: RtPriorGrad, warm_frames: int) -> None:
        self.network, self.columns = network, config.steps_per_frame
        self.warm = warm_frames * config.steps_per_frame
        body = network.graph.body
        assert isinstance(body, Serial)
        self.frame = body.layers[0]
        refine = next(layer for layer in body.layers if isinstance(layer, Refine))
        self.body = refine.inner.body()
        steps = tuple(float(n) for n in range(len(TRAINED)))
        self.embedding = torch.from_numpy(refine.inner.embed(steps).astype(np.float32))
        self.level = torch.from_numpy(alphas_bar(TRAINED).astype(np.float32))

    def __call__(self, mel: Tensor, values: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """mel [lane, mels, frames]; values, noise [lane, column, value]; steps [lane]."""
        condition = self.network.run(self.frame, mel, "frame").repeat_interleave(self.columns, 2)
        spread = condition[:, -1:]
        level = self.level.to(mel)[steps][:, None, None]
        clean, epsilon = values.transpose(1, 2), spread * noise.transpose(1, 2)
        x = level.sqrt() * clean + (1 - level).sqrt() * epsilon
        e = self.embedding.to(mel)[steps][:, :, None].expand(-1, -1, x.shape[2])
        found = self.network.run(self.body, torch.cat([x, condition[:, :-1], e], 1), "refine")
        error = (epsilon - found.float()) / spread
        return (error[:, :, self.warm :] ** 2).mean()


class DiffusionTrainer(Loop):
    def __init__(
        self, model: RtPriorGrad, config: DiffusionTrainConfig, device: str = "cpu", seed: int = 1
    ) -> None:
        self.network = make_network(model)
        super().__init__(self.network, config, device)
        self.settings = config
        self.objective = Objective(self.network, model, config.warm_frames)
        self.random = torch.Generator(device).manual_seed(seed)
        self.compiled = torch.compile(self.objective) if config.compile_loss else self.objective

    def start_from(self, path: Path) -> None:
        """Takes a run's averaged weights, all else anew."""
        self.network.load_state_dict(read_network(path, self.network).state_dict())
        for name, value in self.network.state_dict().items():
            self.average[name].copy_(value)

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        mel, values = batch
        device = values.device
        noise = torch.randn(values.shape, generator=self.random, device=device)
        steps = torch.randint(
            len(TRAINED), (values.shape[0],), generator=self.random, device=device
        )
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.settings.bfloat16):
            found: Tensor = self.compiled(mel, values, noise, steps)
        return found


def dev_batch(voices: dict[str, Voice], model: RtPriorGrad) -> tuple[Tensor, ...]:
    """The same segments, noise and steps at each call."""
    config = SegmentConfig(batch_size=25, frames=40, level_range_db=(0.0, 0.0))
    mel, values = map(torch.from_numpy, Segments(voices, model, seed=7, config=config).batch())
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(7))
    return mel, values, noise, torch.arange(0, len(TRAINED), 2)


def dev_loss(network: Net, model: RtPriorGrad, batch: tuple[Tensor, ...]) -> float:
    with torch.no_grad():
        return float(Objective(network, model, DiffusionTrainConfig.warm_frames)(*batch))


def read_network(path: Path, network: Net) -> Net:
    """See `load_average`."""
    return load_average(path, network, "rt-priorgrad")
