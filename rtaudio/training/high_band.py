"""The second stage: the head of the gains above 8 kHz, with the core frozen.

The core hears the first 161 bins of a 48 kHz mixture, as it does in the engine; a linear layer on
its last activations gives 16 gains, spread over the bins above as rtaudio.models.denoiser does it.
Only bins below the recordings' own band limits count.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import rtaudio
from rtaudio.dsp.bands import linear_bands
from rtaudio.dsp.metrics import si_sdr
from rtaudio.models.denoiser import BIN_HZ
from rtaudio.models.denoiser import RtTcn as GraphConfig

from . import full_band
from .checkpoint import make_network
from .export import export_model, high_head
from .full_band import RATE, FullBandMixer, Mixture
from .network import NUM_BINS, RtTcn, stft
from .recipe import noise_sources, speech_sources

Signal = NDArray[np.float32]
WINDOW = RATE // 50
NUM_HIGH_BINS = WINDOW // 2 + 1 - NUM_BINS


@dataclass(frozen=True, kw_only=True)
class HighBandConfig:
    minutes: float = 10.0
    learning_rate: float = 1e-2
    batch_size: int = 16
    seconds: float = 4.0
    updates: int = 4  # for each batch: one on it, the others on batches before it
    num_kept: int = 16  # batches to choose those from
    average: float = 0.99
    compression: float = 0.3
    under_weight: float = 0.15  # as in the first stage: lost speech costs more
    snr_mean_db: float = 7.0
    snr_spread_db: float = 7.5
    clean_share: float = 0.05
    noise_only_share: float = 0.06


class HighHead(nn.Module):
    """Core activations [lane, frame, 160] to gains of the bins above 8 kHz [lane, frame, bin]."""

    spread: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
        spread = linear_bands(
            NUM_HIGH_BINS,
            len(bias),
            BIN_HZ,
            low_hz=NUM_BINS * BIN_HZ,
            high_hz=24_000,
            transpose=True,
        )
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))

    def forward(self, activations: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(activations)) @ self.spread.T


def build_pools(cache: Path, voices: Path) -> None:
    """Full-band pools of both splits; finished ones are kept."""
    for split in ("train", "dev"):
        speech = speech_sources(cache, voices, split)
        full_band.build(cache / "pools" / f"full_band_speech_{split}", speech)
        noise = noise_sources(cache, split)
        full_band.build(cache / "pools" / f"full_band_noise_{split}", noise)


def draw(mixer: FullBandMixer, config: HighBandConfig) -> Mixture:
    """One training mixture: any SNR, sometimes nearly clean, sometimes noise alone."""
    rng = mixer.rng
    snr = float(np.clip(rng.normal(config.snr_mean_db, config.snr_spread_db), -6, 25))
    kind = rng.random()
    if kind < config.clean_share:
        snr = 40.0
    elif kind < config.clean_share + config.noise_only_share:
        snr = -np.inf
    mixture = mixer.mixture(config.seconds, snr)
    gain = np.float32(10 ** (rng.uniform(-15, 0) / 20))
    return Mixture(
        noisy=mixture.noisy * gain, clean=mixture.clean * gain, limit_hz=mixture.limit_hz
    )


def in_band(limits_hz: list[float]) -> Tensor:
    """1 for the high bins [lane, 1, bin] that lie below each lane's limit."""
    bins = (NUM_BINS + torch.arange(NUM_HIGH_BINS)) * BIN_HZ
    return (bins < torch.tensor(limits_hz)[:, None, None]).float()


def high_band_loss(
    gains: Tensor, power: Tensor, target: Tensor, mask: Tensor, config: HighBandConfig
) -> Tensor:
    """Error of compressed magnitudes over the masked bins; powers [lane, frame, bin].

    Every lane is scaled by the level of its own band, so that dull recordings count as well.
    """
    level = (power * mask).sum((1, 2)) / (mask.sum((1, 2)) * power.shape[1] + 1e-9)
    scale = 0.4 / (level + 1e-14)[:, None, None]
    half = config.compression / 2
    heard = (power * scale + 1e-6) ** half * (gains + 1e-4) ** config.compression
    error = (target * scale + 1e-6) ** half - heard
    weight = torch.where(error > 0, 1 + config.under_weight, 1.0) * mask
    return (error**2 * weight).sum() / (weight.sum() + 1e-9)


def prepare(core: RtTcn, mixtures: list[Mixture]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Activations of the core, noisy and clean powers of the high bins, and their mask."""
    noisy, clean = (
        stft(torch.from_numpy(np.stack(signals)), WINDOW)
        for signals in ([m.noisy for m in mixtures], [m.clean for m in mixtures])
    )
    with torch.no_grad():
        activations = core.core(core.features(noisy[:, :, :NUM_BINS]))
    power, target = ((x[:, :, NUM_BINS:] ** 2).sum(-1) for x in (noisy, clean))
    return activations, power, target, in_band([m.limit_hz for m in mixtures])


def train(
    state: Mapping[str, Tensor],
    mixer: FullBandMixer,
    config: HighBandConfig,
    *,
    stop: Callable[[], bool] = lambda: False,
    log: Callable[[str], None] = print,
) -> dict[str, Tensor]:
    """The averaged `high.weight` and `high.bias` after `minutes`, or when `stop()` says so."""
    core = make_network(state)
    head = HighHead(*copied_gain(state))
    average = {k: v.detach().clone() for k, v in head.linear.state_dict().items()}
    optimiser = torch.optim.Adam(head.linear.parameters(), lr=config.learning_rate)
    kept: deque[tuple[Tensor, Tensor, Tensor, Tensor]] = deque(maxlen=config.num_kept)
    start, step, losses = time.monotonic(), 0, []
    while not stop() and (done := (time.monotonic() - start) / 60 / config.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * (1 - done)
        kept.append(prepare(core, [draw(mixer, config) for _ in range(config.batch_size)]))
        for repeat in range(config.updates):
            batch = kept[mixer.rng.integers(len(kept)) if repeat else -1]
            loss = high_band_loss(head(batch[0]), *batch[1:], config)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            step += 1
            decay = min(config.average, step / (step + 10))
            with torch.no_grad():
                for name, value in head.linear.state_dict().items():
                    average[name].lerp_(value, 1 - decay)
            if not repeat:
                losses.append(float(loss.detach()))
        if len(losses) == 50:
            log(f"step {step}, {done * config.minutes:.1f} min, loss {np.mean(losses):.4f}")
            losses = []
    return {f"high.{name}": value for name, value in average.items()}


def copied_gain(state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Where training starts: the head that a model gets without this stage."""
    core = {k: v.double().numpy() for k, v in state.items() if not k.startswith("high.")}
    weight, bias = high_head(core, GraphConfig())
    return torch.from_numpy(weight).float(), torch.from_numpy(bias).float()


def held_out(cache: Path, count: int = 40) -> list[Mixture]:
    """Mixtures of 6 s of the development split that reach to 14 kHz at least, 0 to 15 dB."""
    mixer = FullBandMixer(cache, "dev", 11, lowest_limit_hz=14_000)
    return [mixer.mixture(6.0, 5.0 * (i % 4), recorded_share=1.0) for i in range(count)]


def above_8_khz(x: Signal, limit_hz: float) -> Signal:
    spectrum = np.fft.rfft(x)
    frequencies = np.fft.rfftfreq(x.size, 1 / RATE)
    spectrum[(frequencies < NUM_BINS * BIN_HZ) | (frequencies > limit_hz)] = 0
    return np.fft.irfft(spectrum, x.size).astype(np.float32)


def high_powers(x: Signal, limit_hz: float) -> NDArray[np.float64]:
    """[frame, bin] from 8 kHz to 16 kHz, or the limit."""
    power = (stft(torch.from_numpy(x)[None], WINDOW)[0] ** 2).sum(-1).numpy()
    return power[:, NUM_BINS : int(min(limit_hz, 16_000) / BIN_HZ)].astype(np.float64)


def log_spectral_distance(estimate: Signal, reference: Signal, limit_hz: float) -> float:
    """In dB: root mean square over bins, mean over frames, floor 40 dB below the reference."""
    y, s = high_powers(estimate, limit_hz), high_powers(reference, limit_hz)
    floor = 1e-4 * s.mean()
    difference = 10 * np.log10((y + floor) / (s + floor))
    return float(np.sqrt((difference**2).mean(1)).mean())


def speech_level(estimate: Signal, reference: Signal, limit_hz: float) -> float:
    """Of the estimate against the reference, in dB, over the frames that hold speech up there."""
    y, s = high_powers(estimate, limit_hz).mean(1), high_powers(reference, limit_hz).mean(1)
    loud = s > 1e-2 * s.mean()
    return float(10 * np.log10((y[loud].mean() + 1e-20) / s[loud].mean()))


def evaluate(mixtures: list[Mixture], enhance: Callable[[Signal], Signal]) -> dict[str, float]:
    """Mean figures of what is above 8 kHz: distance, SI-SDR, level of the speech."""
    rows = []
    for mixture in mixtures:
        y, limit = enhance(mixture.noisy), mixture.limit_hz
        distance = log_spectral_distance(y, mixture.clean, limit)
        ratio = si_sdr(above_8_khz(y, limit), above_8_khz(mixture.clean, limit))
        rows.append((distance, ratio, speech_level(y, mixture.clean, limit)))
    means = np.mean(rows, axis=0)
    return dict(zip(("lsd_db", "si_sdr_db", "level_db"), map(float, means), strict=True))


def compare(
    state: Mapping[str, Tensor], head: Mapping[str, Tensor], mixtures: list[Mixture]
) -> dict[str, dict[str, float]]:
    """Figures of the input and, through the native engine, of the copied gain and the head."""
    core = {k: v for k, v in state.items() if not k.startswith("high.")}
    results = {"input": evaluate(mixtures, lambda x: x)}
    with tempfile.TemporaryDirectory() as folder:
        for name, weights in (("copied gain", core), ("trained head", {**core, **head})):
            path = Path(folder) / f"{name[:7].strip()}.safetensors"
            export_model(weights, GraphConfig(), path, {})
            model = rtaudio.load(path)
            results[name] = evaluate(mixtures, lambda x, m=model: m(x, RATE))  # type: ignore[misc]
    return results
