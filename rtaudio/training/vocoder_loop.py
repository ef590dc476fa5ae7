"""Training of rt-wavenet by maximum likelihood, every sample given those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtaudio.models.rt_wavenet import RtWaveNet

from .optimise import Loop, LoopConfig
from .vocoder_data import SegmentConfig, Segments, Voice
from .vocoder_network import VocoderNet, fit_levels, negative_log_likelihood

LEVEL_FRAMES = 20_000  # for fitting levels


@dataclass(frozen=True, kw_only=True)
class VocoderTrainConfig(LoopConfig):
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    context_noise: float = 0.05  # most of it, of values of unit power; each lane has its own
    warm_frames: int = 4  # mel frames at a segment's start without a loss: memory fills
    bfloat16: bool = False  # products in bfloat16, where the machine has them


class VocoderTrainer(Loop):
    def __init__(
        self, model: RtWaveNet, config: VocoderTrainConfig, device: str = "cpu", seed: int = 1
    ) -> None:
        self.network = VocoderNet(model)
        super().__init__(self.network, config, device)
        self.settings = config
        self.warm = config.warm_frames * model.steps_per_frame
        self.random = torch.Generator(device).manual_seed(seed)

        def objective(mel: Tensor, bands: Tensor, noise: Tensor) -> Tensor:
            values = self.network(mel, bands, noise)
            return negative_log_likelihood(*(v[:, self.warm :] for v in values)).mean()

        self.objective: Callable[..., Tensor] = objective
        if config.compile_loss:
            self.objective = torch.compile(objective)

    def fit_levels(self, voices: dict[str, Voice]) -> None:
        steps = self.network.config.steps_per_frame
        count = LEVEL_FRAMES // len(voices)
        mel = np.concatenate([v.mel[:, :count] for v in voices.values()], axis=1)
        bands = np.concatenate([v.bands[:, : count * steps] for v in voices.values()], axis=1)
        self.network.level_weight.copy_(fit_levels(mel, bands, steps))
        self._restart_average()

    def start_from(self, network: VocoderNet) -> None:
        """Takes weights, all else anew."""
        self.network.load_state_dict(network.state_dict())
        self._restart_average()

    def _restart_average(self) -> None:
        for name, value in self.network.state_dict().items():
            self.average[name].copy_(value)

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        mel, bands = batch
        lanes = bands.shape[0]
        scale = torch.rand(lanes, 1, 1, generator=self.random, device=bands.device)
        noise = torch.randn(bands.shape, generator=self.random, device=bands.device)
        noise = noise * scale * self.settings.context_noise
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.settings.bfloat16):
            return self.objective(mel, bands, noise)


def dev_batch(voices: dict[str, Voice], model: RtWaveNet) -> tuple[Tensor, Tensor]:
    """The same segments at each call, as they were recorded."""
    config = SegmentConfig(batch_size=16, frames=68, level_range_db=(0.0, 0.0))
    mel, bands = Segments(voices, model, seed=7, config=config).batch()
    return torch.from_numpy(mel), torch.from_numpy(bands)


def dev_loss(network: VocoderNet, batch: tuple[Tensor, Tensor], warm: int) -> Tensor:
    """Nats a sample, a band each, without noise in the context."""
    device = next(network.parameters()).device
    mel, bands = (each.to(device) for each in batch)
    with torch.no_grad():
        values = network(mel, bands, torch.zeros_like(bands))
        return negative_log_likelihood(*(v[:, warm:] for v in values)).mean((0, 1)).cpu()
