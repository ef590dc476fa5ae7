"""Training of rt-priorgrad: the network learns what noise and what excitation stand in their sum,
at every step of the chain (DDPM, 2006.11239, algorithm 1, for v of 2202.00512), and reads pitch
from the mel as WORLD hears it in the recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rtaudio.diffusion import alphas_bar
from rtaudio.errors import RtaudioError
from rtaudio.graph import Layer, Refine
from rtaudio.graph.layer import Composite
from rtaudio.models.rt_priorgrad import TRAINED, RtPriorGrad, fixed_tensors, rt_priorgrad
from rtaudio.models.rt_wavenet_source import pitch_hertz
from rtaudio.nn import Net
from rtaudio.runtime.model import load

from .diffusion_data import Segments, Voice
from .optimise import Loop, LoopConfig, load_average
from .recordings import SegmentConfig
from .vocoder_loss import heard_loss, source

VOICING_WEIGHT = 0.3  # beside the pitch
# Errors count by the spectrum of 1 / (1 - SLOPE z^-1), cut where it has faded: more in low bands,
# which can be foretold and which the ear hears best.
SLOPE, SLOPE_TAPS = 0.7, 24
REFINE, MEAN = "speech.excitation.made.refine", "speech.excitation.made.mean"


@dataclass(frozen=True, kw_only=True)
class DiffusionTrainConfig(LoopConfig):
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    warm_frames: int = 4  # mel frames at a segment's start without a loss: memory fills
    bfloat16: bool = False  # products in bfloat16, where the machine has them


def make_network(config: RtPriorGrad) -> Net:
    """The graph itself in torch; at first it finds nothing (as DiffWave begins)."""
    graph = rt_priorgrad(config)
    fixed = fixed_tensors(config)
    tensors = {**graph.initial_tensors(), **fixed}
    for name in (f"{REFINE}.output.weight", f"{REFINE}.output.bias", f"{MEAN}.out.weight"):
        tensors[name] = np.zeros_like(tensors[name])
    return Net(graph, tensors)


def part(layer: Layer, path: str) -> Layer:
    """The layer of a graph that stands there."""
    for name in path.split("."):
        assert isinstance(layer, Composite)
        names = [layer.segment(i) for i in range(len(layer.children()))]
        layer = layer.children()[names.index(name)]
    return layer


class Objective:
    """The losses of a network that is told the step, the mel and, in training, the phase of the
    recording's fundamental."""

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

    def run(self, path: str, x: Tensor) -> Tensor:
        return self.network.run(part(self.network.graph.body, path), x, path)

    def pitch(self, mel: Tensor, f0: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of the pitch and of the voicing; see `speech`."""
        classes = self.run("frame.pitch.out", self.run("frame.pitch.trunk", mel)).float()
        logits = classes[:, :-1, self.warm :].transpose(1, 2)
        f0, voiced = f0[:, self.warm :], voiced[:, self.warm :]
        voicing = classes[:, -1, self.warm :]
        return heard_loss(logits, voicing, self.hertz.to(mel), f0, voiced)

    def speech(
        self,
        mel: Tensor,
        excitation: Tensor,
        f0: Tensor,
        phase: Tensor,
        voiced: Tensor,
        noise: Tensor,
        steps: Tensor,
    ) -> Tensor:
        """Loss of v. mel [lane, mels, frames]; excitation [lane, samples]; f0 in Hz, phase in
        turns, voiced [lane, frame]; noise [lane, value, column]; steps [lane]."""
        config, hop = self.config, self.config.preset.hop
        with torch.no_grad(), torch.autocast(mel.device.type, enabled=False):
            pulses = source(f0 / config.preset.sample_rate, phase, hop)
            pulses = self.columns(pulses * voiced.repeat_interleave(hop, 1))
            signal = self.signal.to(mel)[steps][:, None, None]
            spread = torch.sqrt(1 - signal**2)
        told = self.run("frame.condition", mel).repeat_interleave(config.steps_per_frame, 2)
        mean = self.run(MEAN, torch.cat([told, pulses], 1)).float()
        chance = self.columns(excitation) - mean
        noisy = signal * chance + spread * noise
        wanted = signal * noise - spread * chance
        e = self.embedding.to(mel)[steps][:, :, None].expand(-1, -1, noisy.shape[2])
        seen = torch.cat([noisy, told, pulses, e], 1)
        found = self.network.run(self.body, seen, REFINE).float()
        error = (found - wanted).transpose(1, 2).reshape(len(mel), 1, -1)
        error = F.conv1d(F.pad(error, (SLOPE_TAPS - 1, 0)), self.weighting.to(mel)[None, None])
        return (error[:, :, self.warm * hop :] ** 2).mean()

    def columns(self, x: Tensor) -> Tensor:
        """[lane, value, column] of samples."""
        lanes, n = x.shape[0], self.config.values
        return x.view(lanes, -1, n).transpose(1, 2)


class DiffusionTrainer(Loop):
    """`pitch`: what reads it from the mel; else all the rest, which is given the recording's."""

    def __init__(
        self,
        model: RtPriorGrad,
        config: DiffusionTrainConfig,
        device: str = "cpu",
        seed: int = 1,
        *,
        pitch: bool,
    ) -> None:
        self.network, self.model, self.pitch = make_network(model), model, pitch
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
            value.requires_grad_(free and name.startswith("frame/pitch/") == self.pitch)
        return [value for value in self.network.parameters() if value.requires_grad]

    def start_from(self, path: Path) -> None:
        """Takes a run's averaged weights, all else anew."""
        self.network.load_state_dict(read_network(path, self.network).state_dict())
        self.network.train()
        self.restart_average()

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        if self.pitch:
            mel, _, f0, _, voiced = batch
            pitch, voicing = self.objective.pitch(mel, f0, voiced)
            return pitch + VOICING_WEIGHT * voicing
        made = batch[1]
        columns = made.shape[1] // self.model.values
        shape = (made.shape[0], self.model.values, columns)
        noise = torch.randn(shape, generator=self.random, device=made.device)
        # Spread over the chain, for a loss that tells more of so few lanes.
        draw = torch.rand((), generator=self.random, device=made.device)
        share = (torch.arange(shape[0], device=made.device) + draw) / shape[0]
        steps = (share * len(TRAINED)).long().clamp(max=len(TRAINED) - 1)
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.settings.bfloat16):
            return self.compiled(*batch, noise, steps)  # type: ignore[call-arg]


def dev_batch(voices: Mapping[str, Voice], model: RtPriorGrad) -> tuple[Tensor, ...]:
    """The same segments, noise and steps at each call."""
    config = SegmentConfig(batch_size=25, frames=40, level_range_db=(0.0, 0.0))
    batch = Segments(voices, model, seed=7, config=config).batch()
    shape = (25, model.values, 40 * model.steps_per_frame)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    return *map(torch.from_numpy, batch), noise, torch.arange(0, len(TRAINED), 2)


LOSSES = ("v", "pitch", "voicing")


def dev_losses(network: Net, model: RtPriorGrad, batch: tuple[Tensor, ...]) -> list[float]:
    """By the names of `LOSSES`."""
    objective = Objective(network, model, DiffusionTrainConfig.warm_frames)
    mel, _, f0, _, voiced, *_ = batch
    with torch.no_grad():
        losses = (objective.speech(*batch), *objective.pitch(mel, f0, voiced))
    return [float(each) for each in losses]


def read_network(path: Path, network: Net) -> Net:
    """The weights of a model file, or of a checkpoint by `load_average`."""
    if path.suffix != ".safetensors":
        return load_average(path, network, "rt-priorgrad")
    model = load(path)
    if model.graph != network.graph:
        raise RtaudioError(f"{path} does not fit this version's rt-priorgrad; train it anew.")
    return Net(model.graph, model.tensors).eval()
