"""The training loop: resumable, one file of settings, the same on a CPU and on a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .dataset import Mixer
from .network import RtTcn, enhance, stft
from .perceptual import Disturbance


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    minutes: float = 100.0  # of training; the learning rate falls to its end over them
    learning_rate: float = 1.5e-3
    final_rate: float = 2e-5
    warmup_steps: int = 300
    weight_decay: float = 1e-3
    clip_norm: float = 3.0
    ema_decay: float = 0.999
    checkpoint_minutes: float = 5.0
    compression: float = 0.3
    under_weight: float = 0.15  # added to the error where the estimate is below the target
    sisdr_weight: float = 0.006
    perceptual_weight: float = 0.02  # with it, three gradients of like size
    compile_loss: bool = False  # needs a C++ compiler; a third less time per step


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


class Trainer:
    """Model, optimiser, averaged weights and time; `save` and `load` hold all of it."""

    def __init__(self, model: RtTcn, config: TrainConfig, device: str = "cpu") -> None:
        self.model, self.config, self.device = model.to(device), config, device
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}

        disturbance = Disturbance().to(device)

        def objective(
            noisy: tuple[Tensor, Tensor], clean: tuple[Tensor, Tensor], gain: Tensor, taps: Tensor
        ) -> Tensor:
            estimate = enhance(*noisy, gain, taps)
            return enhancement_loss(estimate, clean, noisy, config, disturbance)

        self.objective = torch.compile(objective) if config.compile_loss else objective
        self.step = 0
        self.seconds = 0.0  # of training so far, over all resumptions

    def save(self, path: Path) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]

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

    def _rate(self) -> float:
        c = self.config
        progress = min(self.seconds / (60 * c.minutes), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        rate = c.final_rate + (c.learning_rate - c.final_rate) * cosine
        return rate * min((self.step + 1) / c.warmup_steps, 1.0)

    def update(self, noisy: Tensor, target: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        spectrum, clean = stft(noisy), stft(target)
        loss = self.objective(planes(spectrum), planes(clean), *self.model.heads(spectrum))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if torch.isfinite(norm):  # one bad batch must not spoil hours
            self.optimiser.step()
        self.step += 1
        decay = min(self.config.ema_decay, self.step / (self.step + 100))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        return float(loss.detach())

    def run(
        self,
        mixer: Mixer,
        folder: Path,
        *,
        stop: Callable[[], bool] = lambda: False,
        on_checkpoint: Callable[[Path], None] = lambda _path: None,
    ) -> None:
        """Train until the planned minutes are over, leaving `last.pt` and numbered averages.

        `stop` is asked between steps; then `last.pt` alone is saved. `on_checkpoint` gets each
        numbered average; its time does not count as training.
        """
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "train.csv"
        if not log.exists():
            log.write_text("step,minutes,loss,rate,audio_hours,shards\n")
        saved = clock = time.monotonic()
        total, count = 0.0, 0
        lane_seconds = mixer.config.batch_size * mixer.config.seconds
        while self.seconds < 60 * self.config.minutes:
            if stop():
                self.save(folder / "last.pt")
                return
            noisy, target = (torch.from_numpy(a).to(self.device) for a in mixer.batch())
            total += self.update(noisy, target)
            count += 1
            now = time.monotonic()
            self.seconds += now - clock
            clock = now
            if count == 100:
                hours = self.step * lane_seconds / 3600
                with log.open("a") as out:
                    out.write(
                        f"{self.step},{self.seconds / 60:.2f},{total / count:.5f},"
                        f"{self._rate():.2e},{hours:.1f},{mixer.refresh()}\n"
                    )
                total, count = 0.0, 0
            if now - saved > 60 * self.config.checkpoint_minutes:
                on_checkpoint(self.checkpoint(folder))
                saved = clock = time.monotonic()
        on_checkpoint(self.checkpoint(folder))

    def checkpoint(self, folder: Path) -> Path:
        self.save(folder / "last.pt")
        partial = folder / "average.partial"
        torch.save(self.average, partial)
        path = folder / f"average_{self.step:07d}.pt"
        partial.replace(path)
        return path
