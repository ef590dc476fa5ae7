"""Checkpoints of rt-tcn: reading them safely, and the torch network as a denoiser of clips."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtaudio.errors import RtaudioError

from .network import RtTcn, istft, stft
from .optimise import read_stored

HOP = 160
Signal = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The averaged weights, with those of the high-band head where they have been trained."""

    state: dict[str, Tensor]
    step: int | None
    high_band: str  # what the second stage reached; empty before it

    @property
    def core(self) -> dict[str, Tensor]:
        return {k: v for k, v in self.state.items() if not k.startswith("high.")}


def read_checkpoint(path: Path) -> Checkpoint:
    """`last.pt` of a run, one of its numbered averages, or what the high-band stage wrote.

    Raises RtaudioError where the file is none of them.
    """
    stored = read_stored(path)
    state = stored.get("average", stored) if isinstance(stored, dict) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise RtaudioError(f"{path} holds no weights of rt-tcn; give a .pt file of a run.")
    step = stored.get("step") if "average" in stored else None
    number = re.search(r"(\d+)$", path.stem)
    if step is None and number:
        step = int(number[1])
    checkpoint = Checkpoint(state=dict(state), step=step, high_band=stored.get("high_band", ""))
    make_network(checkpoint.core, str(path))
    return checkpoint


def make_network(state: Mapping[str, Tensor], name: str = "the checkpoint") -> RtTcn:
    network = RtTcn()
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise RtaudioError(f"{name} does not fit this version's rt-tcn; train it anew.") from None
    return network.eval()


def denoiser(network: RtTcn) -> Callable[[Signal], Signal]:
    """Clips at 16 kHz through the network, aligned."""
    device = next(network.parameters()).device

    def enhance(x: Signal) -> Signal:
        padded = np.pad(x, (0, HOP + -x.size % HOP))
        with torch.no_grad():
            spectrum = stft(torch.from_numpy(padded)[None].to(device))
            y: Signal = istft(network(spectrum))[0, HOP:].cpu().numpy()
        return y[: x.size]

    return enhance
