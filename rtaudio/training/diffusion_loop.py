"""Training of rt-priorgrad in two parts: what a frame of the mel tells, after WORLD; then the
network, which learns what noise and what speech stand in their sum at every step of the chain
(DDPM, 2006.11239, algorithm 1, for v of 2202.00512)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rtaudio.diffusion import alphas_bar
from rtaudio.dsp.windows import analysis_window
from rtaudio.errors import RtaudioError
from rtaudio.graph import Cepstrum, Layer, MinimumPhase, Refine
from rtaudio.graph.layer import Composite
from rtaudio.models.rt_priorgrad import (
    ORDER,
    TRAINED,
    WHITE,
    RtPriorGrad,
    band_lines,
    fixed_tensors,
    rt_priorgrad,
)
from rtaudio.models.rt_wavenet_source import LARGEST_GAIN, LEAST_GAIN, pitch_hertz
from rtaudio.nn import Net
from rtaudio.runtime.model import load

from .optimise import Loop, LoopConfig, load_average
from .recordings import SegmentConfig
from .vocoder_data import Segments, Voice
from .vocoder_loop import sum_of_frames
from .vocoder_loss import envelope_loss, heard_loss, source

# Errors count by the spectrum of 1 / (1 - SLOPE z^-1), cut where it has faded: more in low bands,
# which the ear hears best.
SLOPE, SLOPE_TAPS = 0.7, 24
# The prior's noise is at least so loud beside its pulses, which it does not know better than that.
LEAST_NOISE = 0.07
LARGEST = 4.0  # of what the network is to make
REFINE = f"{WHITE}.refine"
OF_FRAMES = ("frame/pitch/", "frame/filters/")


@dataclass(frozen=True, kw_only=True)
class DiffusionTrainConfig(LoopConfig):
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    warm_frames: int = 5  # mel frames at a segment's start without a loss: memory fills
    bfloat16: bool = False  # products in bfloat16, where the machine has them


def make_network(config: RtPriorGrad) -> Net:
    """The graph itself in torch; at first the mel is both filters, and the network finds nothing
    (as DiffWave begins)."""
    graph = rt_priorgrad(config)
    tensors = {**graph.initial_tensors(), **fixed_tensors(config)}
    for name in (f"{REFINE}.output.weight", f"{REFINE}.output.bias"):
        tensors[name] = np.zeros_like(tensors[name])
    above = "frame.filters.gains.0.above"
    tensors[f"{above}.weight"] = tensors[f"{above}.weight"] * np.float32(0.1)
    tensors[f"{above}.bias"] = np.tile(-flat_mel(config), 2).astype(np.float32)
    return Net(graph, tensors)


def flat_mel(config: RtPriorGrad) -> NDArray[np.float64]:
    """The mel of white noise of unit power, whose filter is 1: bins of it have a mean amplitude of
    sqrt(pi E) / 2, E the energy of the window."""
    preset = config.preset
    energy = np.sum(analysis_window("hann", preset.window, preset.hop) ** 2)
    return np.asarray(np.log(preset.filters.sum(1) * np.sqrt(np.pi * energy) / 2))


def part(layer: Layer, path: str) -> Layer:
    """The layer of a graph that stands there."""
    for name in path.split("."):
        assert isinstance(layer, Composite)
        names = [layer.segment(i) for i in range(len(layer.children()))]
        layer = layer.children()[names.index(name)]
    return layer


class Filters:
    """Speech of pulses and noise under log gains of bands, as the model makes it of frames."""

    def __init__(self, config: RtPriorGrad) -> None:
        self.hop, self.size = config.preset.hop, config.filter_size
        matrices = (
            band_lines(config),
            Cepstrum(fft_size=self.size, order=ORDER).matrix(),
            MinimumPhase(fft_size=self.size, order=ORDER).matrix(),
        )
        self.lines, *folded = (torch.from_numpy(each.astype(np.float32)) for each in matrices)
        self.phases = folded[1] @ folded[0]

    def logs(self, gains: Tensor) -> Tensor:
        """Complex logarithms of filters [lane, frame, bin] of gains [lane, band, frame]."""
        bins = (self.lines.to(gains) @ gains).clamp(LEAST_GAIN, LARGEST_GAIN)
        re, im = (self.phases.to(gains) @ bins).transpose(1, 2).chunk(2, 2)
        return torch.complex(re, im)

    def spectra(self, x: Tensor) -> Tensor:
        """[lane, frame, bin] of the hops of x [lane, sample]."""
        spectra: Tensor = torch.fft.rfft(x.view(len(x), -1, self.hop), self.size)
        return spectra

    def samples(self, spectra: Tensor) -> Tensor:
        """[lane, hop * frames] of such spectra; what rings after the end is cut."""
        rung = torch.fft.irfft(spectra, self.size).transpose(1, 2)
        count = rung.shape[2] * self.hop
        length = count + self.size - self.hop
        y = F.fold(rung, (1, length), (1, self.size), stride=(1, self.hop))
        return y[:, 0, 0, :count]


class Objective:
    """The losses of a network that is given WORLD's pitch and the phase of the fundamental.

    A batch is what `Segments` draws: mel [lane, mels, frame]; f0 in Hz, its phase in turns and
    voiced [lane, frame]; log envelopes of pulses and noise [lane, 2, mels, frame].
    """

    def __init__(self, network: Net, config: RtPriorGrad, warm_frames: int) -> None:
        self.network, self.config, self.warm = network, config, warm_frames
        refine = part(network.graph.body, REFINE)
        assert isinstance(refine, Refine)
        self.body = refine.inner.body()
        steps = tuple(float(n) for n in range(len(TRAINED)))
        self.embedding = torch.from_numpy(refine.inner.embed(steps).astype(np.float32))
        self.signal = torch.from_numpy(np.sqrt(alphas_bar(TRAINED)).astype(np.float32))
        fading = SLOPE ** torch.arange(SLOPE_TAPS).flip(0)
        self.weighting = fading / fading.square().sum().sqrt()
        self.hertz = torch.from_numpy(pitch_hertz(config.pitches))
        self.centres = torch.from_numpy(config.preset.centres.astype(np.float32))
        self.filters = Filters(config)

    def run(self, path: str, x: Tensor) -> Tensor:
        return self.network.run(part(self.network.graph.body, path), x, path)

    def frames(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Losses of the pitch, the voicing and both filters."""
        mel, f0, _, voiced, envelopes = batch
        classes = self.run("frame.pitch.out", self.run("frame.pitch.trunk", mel)).float()
        gains = self.run("frame.filters.gains", mel).float().transpose(1, 2)
        inner = slice(self.warm, None)
        f0, voiced = f0[:, inner], voiced[:, inner]
        least = envelopes[:, 0, :, inner] + float(np.log(LEAST_NOISE))
        pulses, noise = envelopes[:, :, :, inner].unbind(1)
        known = torch.where(voiced[:, None] > 0, torch.maximum(noise, least), noise)
        logits = classes[:, :-1, inner].transpose(1, 2)
        voicing = classes[:, -1, inner]
        return (
            *heard_loss(logits, voicing, self.hertz.to(mel), f0, voiced),
            *envelope_loss(
                gains[:, inner],
                torch.stack([pulses, known], 1),
                self.centres.to(mel),
                voiced,
                mel[:, :, inner],
            ),
        )

    def white(self, batch: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Columns of what the network is to make, and of the pulses: WORLD's pulses and noise less
        the prior's mean, whitened by its filter. noise [lane, sample]."""
        mel, f0, phase, voiced, envelopes = batch
        filters, hop = self.filters, self.config.preset.hop
        with torch.no_grad(), torch.autocast(mel.device.type, enabled=False):
            pulses = source(f0 / self.config.preset.sample_rate, phase, hop)
            pulses = pulses * voiced.repeat_interleave(hop, 1)
            mean, spread = (
                filters.logs(gains) for gains in self.run("frame.filters.gains", mel).chunk(2, 1)
            )
            real = [filters.logs(gains) for gains in envelopes.unbind(1)]
            unknown = torch.exp(real[0] - spread) - torch.exp(mean - spread)
            drawn = torch.exp(real[1] - spread)
            made = unknown * filters.spectra(pulses) + drawn * filters.spectra(noise)
            wanted = filters.samples(made).clamp(-LARGEST, LARGEST)
            return self.columns(wanted), self.columns(pulses)

    def speech(
        self, mel: Tensor, wanted: Tensor, pulses: Tensor, noise: Tensor, steps: Tensor
    ) -> Tensor:
        """Loss of v. mel [lane, mels, frames]; wanted, pulses, noise [lane, value, column]; steps
        [lane]."""
        signal = self.signal.to(mel)[steps][:, None, None]
        spread = torch.sqrt(1 - signal**2)
        told = self.run("frame.condition", mel)
        told = told.repeat_interleave(self.config.steps_per_frame, 2)
        noisy = signal * wanted + spread * noise
        v = signal * noise - spread * wanted
        e = self.embedding.to(mel)[steps][:, :, None].expand(-1, -1, noisy.shape[2])
        found = self.network.run(self.body, torch.cat([noisy, told, pulses, e], 1), REFINE).float()
        error = (found - v).transpose(1, 2).reshape(len(mel), 1, -1)
        error = F.conv1d(F.pad(error, (SLOPE_TAPS - 1, 0)), self.weighting.to(mel)[None, None])
        return (error[:, :, self.warm * self.config.preset.hop :] ** 2).mean()

    def columns(self, x: Tensor) -> Tensor:
        """[lane, value, column] of samples."""
        lanes, n = x.shape[0], self.config.values
        return x.view(lanes, -1, n).transpose(1, 2)


class DiffusionTrainer(Loop):
    """`frames`: what a frame of the mel tells; else all the rest, which is given WORLD's pitch."""

    def __init__(
        self,
        model: RtPriorGrad,
        config: DiffusionTrainConfig,
        device: str = "cpu",
        seed: int = 1,
        *,
        frames: bool,
    ) -> None:
        self.network, self.model, self.frames = make_network(model), model, frames
        super().__init__(self.network, config, device)
        self.settings = config
        self.objective = Objective(self.network, model, config.warm_frames)
        self.random = torch.Generator(device).manual_seed(seed)
        self.compiled = (
            torch.compile(self.objective.speech) if config.compile_loss else self.objective.speech
        )

    def trained(self) -> list[Tensor]:
        fixed = fixed_tensors(self.model)
        for name, value in self.network.named_parameters():
            free = name.replace("/", ".") not in fixed
            value.requires_grad_(free and name.startswith(OF_FRAMES) == self.frames)
        return [value for value in self.network.parameters() if value.requires_grad]

    def start_from(self, path: Path) -> None:
        """Takes a run's averaged weights, all else anew."""
        self.network.load_state_dict(read_network(path, self.network).state_dict())
        self.network.train()
        self.restart_average()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        mel = batch[0]
        kind = torch.device(self.device).type
        products = torch.autocast(kind, torch.bfloat16, enabled=self.settings.bfloat16)
        if self.frames:
            with products:
                losses = self.objective.frames(batch)
            return sum_of_frames(losses)
        lanes, samples = len(mel), mel.shape[2] * self.model.preset.hop
        noise = torch.randn(2, lanes, samples, generator=self.random, device=mel.device)
        wanted, pulses = self.objective.white(batch, noise[0])
        # Spread over the chain, for a loss that tells more of so few lanes.
        draw = torch.rand((), generator=self.random, device=mel.device)
        share = (torch.arange(lanes, device=mel.device) + draw) / lanes
        steps = (share * len(TRAINED)).long().clamp(max=len(TRAINED) - 1)
        with products:
            return self.compiled(mel, wanted, pulses, self.objective.columns(noise[1]), steps)


LOSSES = ("v", "pitch", "voicing", "pulses", "noise")


def dev_batch(voices: Mapping[str, Voice], model: RtPriorGrad) -> tuple[Tensor, ...]:
    """The same segments at each call, as they were recorded."""
    config = SegmentConfig(batch_size=25, frames=40, level_range_db=(0.0, 0.0))
    batch = Segments(voices, model, seed=7, config=config).batch()
    return tuple(map(torch.from_numpy, batch))


def dev_losses(network: Net, model: RtPriorGrad, batch: tuple[Tensor, ...]) -> list[float]:
    """By the names of `LOSSES`, with the same noise and steps at each call."""
    objective = Objective(network, model, DiffusionTrainConfig.warm_frames)
    mel = batch[0]
    shape = (2, len(mel), mel.shape[2] * model.preset.hop)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    steps = torch.arange(len(mel)) * len(TRAINED) // len(mel)
    with torch.no_grad():
        white = objective.white(batch, noise[0])
        losses = (
            objective.speech(mel, *white, objective.columns(noise[1]), steps),
            *objective.frames(batch),
        )
    return [float(each) for each in losses]


def read_network(path: Path, network: Net) -> Net:
    """The weights of a model file, or of a checkpoint by `load_average`."""
    if path.suffix != ".safetensors":
        return load_average(path, network, "rt-priorgrad")
    model = load(path)
    if model.graph != network.graph:
        raise RtaudioError(f"{path} does not fit this version's rt-priorgrad; train it anew.")
    return Net(model.graph, model.tensors).eval()
