"""What every training loop shares: optimiser, schedule, averaged weights, checkpoints, a log."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtaudio.errors import RtaudioError

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    minutes: float = 100.0  # of training; the learning rate falls to its end over them
    learning_rate: float = 1.5e-3
    final_rate: float = 2e-5
    warmup_steps: int = 300
    weight_decay: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 3.0
    ema_decay: float = 0.999
    checkpoint_minutes: float = 5.0
    compile_loss: bool = False  # needs a C++ compiler; a third less time per step


class Batches(Protocol):
    """Endless training data."""

    @property
    def audio_seconds(self) -> float:
        """Of one batch, all lanes together."""

    def batch(self) -> tuple[NDArray[np.float32], ...]: ...

    def refresh(self) -> int:
        """Looks for new data; how many pieces there are."""


class Loop:
    """Model, optimiser, averaged weights and time; `save` and `load` hold all of it."""

    def __init__(self, model: nn.Module, config: LoopConfig, device: str = "cpu") -> None:
        self.config, self.device = config, device
        model.to(device)
        self.weights = model
        self.optimiser = torch.optim.AdamW(
            self.trained(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            betas=config.betas,
        )
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.step = 0
        self.seconds = 0.0  # of training so far, over all resumptions

    def restart_average(self) -> None:
        """From the weights as they are."""
        for name, value in self.weights.state_dict().items():
            self.average[name].copy_(value)

    def trained(self) -> list[Tensor]:
        return [p for p in self.weights.parameters() if p.requires_grad]

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Of one batch, a scalar."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        state = {
            "model": self.weights.state_dict(),
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
        self.weights.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _rate(self) -> float:
        c = self.config
        progress = min(self.seconds / (60 * c.minutes), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        rate = c.final_rate + (c.learning_rate - c.final_rate) * cosine
        return rate * min((self.step + 1) / c.warmup_steps, 1.0)

    def update(self, batch: tuple[Tensor, ...]) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        loss = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.weights.parameters(), self.config.clip_norm)
        if torch.isfinite(norm):  # one bad batch must not spoil hours
            self.optimiser.step()
        self.step += 1
        decay = min(self.config.ema_decay, self.step / (self.step + 100))
        with torch.no_grad():
            for name, value in self.weights.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        return float(loss.detach())

    def run(
        self,
        batches: Batches,
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
        while self.seconds < 60 * self.config.minutes:
            if stop():
                self.save(folder / "last.pt")
                return
            batch = tuple(torch.from_numpy(a).to(self.device) for a in batches.batch())
            total += self.update(batch)
            count += 1
            now = time.monotonic()
            self.seconds += now - clock
            clock = now
            if count == 100:
                hours = self.step * batches.audio_seconds / 3600
                with log.open("a") as out:
                    out.write(
                        f"{self.step},{self.seconds / 60:.2f},{total / count:.5f},"
                        f"{self._rate():.2e},{hours:.1f},{batches.refresh()}\n"
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


def read_stored(path: Path) -> Any:
    """What a run's .pt file holds; nothing in it is run.

    Raises RtaudioError where it cannot be read or is none.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RtaudioError(f"cannot read the checkpoint {path}: {reason}.") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise RtaudioError(f"{path} is no checkpoint; give a .pt file of a run.") from None


def load_average(path: Path, network: Net, name: str) -> Net:
    """The averaged weights of a `last.pt`, or of a numbered average of a run, in `network`.

    Raises RtaudioError where the file is neither, or of another network than `name`.
    """
    stored = read_stored(path)
    try:
        network.load_state_dict(stored.get("average", stored))
    except (RuntimeError, AttributeError, TypeError):
        raise RtaudioError(f"{path} does not fit this version's {name}; train it anew.") from None
    return network.eval()
