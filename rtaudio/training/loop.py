"""Training of rt-tcn: its loss, and the loop of `optimise` around it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .dataset import Mixer
from .network import RtTcn, enhance, stft
from .optimise import Loop, LoopConfig
from .perceptual import Disturbance


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LoopConfig):
    compression: float = 0.3
    under_weight: float = 0.15  # added to the error where the estimate is below the target
    sisdr_weight: float = 0.006
    perceptual_weight: float = 0.02  # with it, three gradients of like size


def enhancement_loss(
    estimate: tuple[Tensor, Tensor],
    target: tuple[Tensor, Tensor],
    noisy: tuple[Tensor, Tensor],
    config: TrainConfig,
    disturbance: Disturbance,
) -> Tensor:
    """Compressed magnitude and complex errors, SI-SDR and loudness; (real, imaginary) planes.

    SI-SDR is taken on the spectra: the windows form a tight frame, so that inner products with
    the target's spectrum are those of the signals.
    """
    rms = (noisy[0] ** 2 + noisy[1] ** 2).mean((1, 2)).sqrt()[:, None, None]
    scale = 0.64 / (rms + 4e-8)
    y_re, y_im = estimate[0] * scale, estimate[1] * scale
    s_re, s_im = target[0] * scale, target[1] * scale
    y_power, s_power = y_re**2 + y_im**2, s_re**2 + s_im**2
    floor = 1e-6
    y_log, s_log = torch.log(y_power + floor), torch.log(s_power + floor)
    half = config.compression / 2
    error = torch.exp(half * s_log) - torch.exp(half * y_log)
    magnitude = (error**2 * torch.where(error > 0, 1 + config.under_weight, 1.0)).mean()
    y_gain, s_gain = torch.exp((half - 0.5) * y_log), torch.exp((half - 0.5) * s_log)
    compressed = ((y_re * y_gain - s_re * s_gain) ** 2).mean()
    compressed = compressed + ((y_im * y_gain - s_im * s_gain) ** 2).mean()
    dot, energy = (y_re * s_re + y_im * s_im).sum((1, 2)), s_power.sum((1, 2))
    projected = dot**2 / (energy + 1e-6)
    residual = (y_power.sum((1, 2)) - projected).clamp(min=0)
    sisdr = 10 * torch.log10((projected + 1e-6) / (residual + projected * 1e-3 + 1e-6))
    audible = (energy > 4e-4 * s_re.shape[1] * s_re.shape[2]).float()
    mean = (sisdr * audible).sum() / (audible.sum() + 1e-6)  # silence has no SI-SDR
    heard = disturbance(y_power, s_power)
    perceived = (heard * audible).sum() / (audible.sum() + 1e-6)
    spectral = 0.7 * magnitude + 0.3 * compressed
    loss: Tensor = spectral - config.sisdr_weight * mean + config.perceptual_weight * perceived
    return loss


def planes(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    return spectrum[..., 0].contiguous(), spectrum[..., 1].contiguous()


class Trainer(Loop):
    def __init__(self, model: RtTcn, config: TrainConfig, device: str = "cpu") -> None:
        super().__init__(model, config, device)
        self.model = model
        disturbance = Disturbance().to(device)

        def objective(
            noisy: tuple[Tensor, Tensor], clean: tuple[Tensor, Tensor], gain: Tensor, taps: Tensor
        ) -> Tensor:
            estimate = enhance(*noisy, gain, taps)
            return enhancement_loss(estimate, clean, noisy, config, disturbance)

        self.objective = torch.compile(objective) if config.compile_loss else objective

    def fit_features(self, mixer: Mixer, batches: int = 4) -> None:
        """Set the fixed normalisation of the features from a few batches."""
        with torch.no_grad():
            raw = [
                self.model.features(stft(torch.from_numpy(mixer.batch()[0]).to(self.device)))
                for _ in range(batches)
            ]
            flat = torch.cat(raw).flatten(0, 1)
            self.model.feature_mean.copy_(flat.mean(0))
            self.model.feature_scale.copy_(1 / (flat.std(0) + 1e-3))
        for name in ("feature_mean", "feature_scale"):
            self.average[name] = getattr(self.model, name).clone()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        noisy, target = batch
        spectrum, clean = stft(noisy), stft(target)
        return self.objective(planes(spectrum), planes(clean), *self.model.heads(spectrum))
