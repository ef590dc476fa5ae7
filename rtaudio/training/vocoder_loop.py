"""Training of rt-wavenet in two parts: what a frame of the mel tells, after WORLD, and sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtaudio.dsp.pqmf import pqmf_analysis
from rtaudio.models.rt_wavenet_source import LEAST_GAIN, RtWaveNet

from .optimise import Loop, LoopConfig
from .recordings import FULL_SCALE, SegmentConfig
from .vocoder_data import Segments, Voice
from .vocoder_loss import distance, envelope_loss, heard_loss, source, spectra
from .vocoder_network import LEVEL_FRAMES, VocoderNet, band_centres, fit_levels

# What frames tell; the rest is the gated stack's.
OF_FRAMES = ("pitch_trunk", "pitch", "shape_trunk", "shape", "direct")


@dataclass(frozen=True, kw_only=True)
class VocoderTrainConfig(LoopConfig):
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warmup_steps: int = 100
    ema_decay: float = 0.998
    betas: tuple[float, float] = (0.9, 0.98)
    edge_frames: tuple[int, int] = (6, 3)  # at a segment's ends, without a loss
    bfloat16: bool = False  # products in bfloat16, where the machine has them


class VocoderTrainer(Loop):
    """`sound`: the gated stack by what is heard; else pitch, voicing and envelopes alone."""

    def __init__(
        self,
        model: RtWaveNet,
        config: VocoderTrainConfig,
        device: str = "cpu",
        seed: int = 1,
        *,
        sound: bool,
    ) -> None:
        self.network = VocoderNet(model)
        self.sound, self.settings = sound, config
        self.centres = torch.from_numpy(band_centres(model)).float().to(device)
        super().__init__(self.network, config, device)
        self.random = torch.Generator(device).manual_seed(seed)

    def trained(self) -> list[Tensor]:
        for name, value in self.network.named_parameters():
            value.requires_grad_((name.partition(".")[0] in OF_FRAMES) != self.sound)
        return [value for value in self.network.parameters() if value.requires_grad]

    def begin(self, voices: dict[str, Voice]) -> None:
        """What is fitted before training: levels, the mel's mean and deviation, and by how much
        envelopes lie above it."""
        net, preset = self.network, self.network.config.preset
        count = LEVEL_FRAMES // len(voices)
        mel = np.concatenate([v.mel[:, :count] for v in voices.values()], axis=1)
        bands = [
            pqmf_analysis(
                np.asarray(v.x[: count * preset.hop] / FULL_SCALE, np.float32), net.config.bands
            )
            for v in voices.values()
        ]
        steps = net.config.steps_per_frame
        net.level_weight.copy_(fit_levels(mel, np.concatenate(bands, axis=1), steps))
        seen = net.scaled(torch.from_numpy(mel)[None])[0]
        for trunk in (net.pitch_trunk, net.shape_trunk):
            trunk.mean.copy_(seen.mean(0))
            trunk.scale.copy_(1 / seen.std(0).clamp(min=1e-3))
        above = []
        for v in voices.values():
            part = np.flatnonzero((v.f0[:count] > 0) & (v.mel[:, :count].mean(0) > -8))
            base = np.concatenate([v.mel, np.repeat(v.mel[-1:], net.config.top_bands, 0)])[:, part]
            above.append((v.envelopes[:, :, part] - base).mean(2).ravel())
        with torch.no_grad():
            net.shape.bias.copy_(torch.from_numpy(np.nanmean(above, axis=0)))
        self.restart_average()

    def start_from(self, network: VocoderNet) -> None:
        """Takes weights, all else anew."""
        self.network.load_state_dict(network.state_dict())
        self.restart_average()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        if self.sound:
            return self._sound_losses(self.network, batch)[0]
        return sum_of_frames(self._frame_losses(self.network, batch))

    def _inner(self, frames: int) -> slice:
        before, after = self.settings.edge_frames
        return slice(before, frames - after)

    def _products(self) -> torch.autocast:
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.settings.bfloat16)

    def _frame_losses(self, net: VocoderNet, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Of pitch, voicing, the pulses' envelopes and the noise's."""
        mel, f0, _, voiced, target = batch
        inner = self._inner(mel.shape[2])
        with self._products():
            logits, voicing = net.hear(mel)
            gains = net.envelopes(mel, net.shape_trunk(net.scaled(mel)))
        return (
            *heard_loss(
                logits[:, inner], voicing[:, inner], net.hertz, f0[:, inner], voiced[:, inner]
            ),
            *envelope_loss(
                gains[:, inner],
                target[:, :, :, inner],
                self.centres,
                voiced[:, inner],
                mel[:, :, inner],
            ),
        )

    def _sound_losses(self, net: VocoderNet, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Spectral distance from what WORLD's envelopes and voicing make of the same source, with
        what the gated stack adds and without."""
        mel, f0, phase, voiced, envelopes = batch
        preset = net.config.preset
        inner = self._inner(mel.shape[2])
        heard = slice(inner.start * preset.hop, inner.stop * preset.hop)
        pulses = source(f0 / preset.sample_rate, phase, preset.hop)
        noise = torch.randn(pulses.shape, generator=self.random, device=mel.device)
        with torch.no_grad():
            gains = envelopes.transpose(2, 3)
            kept = gains[:, 0] + torch.where(voiced > 0, 0.0, LEAST_GAIN)[:, :, None]
            target = net.joined(net.parts(pulses, noise, kept, gains[:, 1]))[:, heard]
            real = spectra(target)
        with self._products():
            y, plain = net.made(mel, net.hear(mel)[1], pulses, noise)
        made = (spectra(each.float()[:, heard]) for each in (y, plain))
        return tuple(distance(each, real, real, preset.sample_rate) for each in made)

    def dev_losses(self, network: VocoderNet, batch: tuple[Tensor, ...]) -> list[float]:
        """By the names of `LOSSES`."""
        losses = self._sound_losses if self.sound else self._frame_losses
        kept = self.random.get_state()
        self.random.manual_seed(0)
        with torch.no_grad():
            found = [float(each) for each in losses(network, batch)]
        self.random.set_state(kept)
        return found


LOSSES = {
    False: ("pitch", "voicing", "pulses", "noise"),
    True: ("distance", "without_the_stack"),
}


def sum_of_frames(losses: tuple[Tensor, ...]) -> Tensor:
    pitch, voicing, pulses, noise = losses
    return pitch + 0.3 * voicing + 2 * pulses + 2 * noise


def dev_batch(voices: dict[str, Voice], model: RtWaveNet) -> tuple[Tensor, ...]:
    """The same segments at each call, as they were recorded."""
    config = SegmentConfig(batch_size=16, frames=64, level_range_db=(0.0, 0.0))
    batch = Segments(voices, model, seed=7, config=config).batch()
    return tuple(torch.from_numpy(each) for each in batch)
