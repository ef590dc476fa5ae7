"""What a diffusion vocoder is timed beside: torch on the same plan, and the weights' package."""

from __future__ import annotations

import dataclasses
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.bench import torch_peers
from rtaudio.bench.denoise import quantiles_us
from rtaudio.bench.diffusion_nets import CYCLE, SIZES, WAVEGRAD
from rtaudio.errors import RtaudioError
from rtaudio.graph.layer import FloatArray
from rtaudio.models.steps import num_steps
from rtaudio.runtime.vocoder import Vocoder

_FRAMES = 43  # of mel a pass of a package: half a second
State = dict[str, NDArray[np.float32]]


@dataclasses.dataclass(kw_only=True)
class Peer:
    """`passes` runs over some samples of all lanes: a package is timed for one step of several."""

    name: str
    samples: int
    run: Callable[[], Any]
    passes: int = 1
    times: list[float] = dataclasses.field(default_factory=list)

    def run_for(self, seconds: float) -> None:
        """At least once."""
        clock, run = time.perf_counter, self.run
        end = clock() + seconds
        while True:
            before = clock()
            run()
            after = clock()
            self.times.append(after - before)
            if after >= end:
                return

    def figures(self, lanes: int, sample_rate: int) -> dict[str, Any]:
        each = self.passes * 1e6 * float(np.median(self.times)) / self.samples / lanes
        return {
            "us_per_sample": round(each, 3),
            "rtf": round(each * sample_rate / 1e6, 4),
            "block_samples": self.samples,
            "us_per_block": quantiles_us(self.passes * np.array(self.times)),
        }


def make_peers(
    names: list[str], vocoder: Vocoder, state: State | None, mel: FloatArray, lanes: int
) -> tuple[list[Peer], list[str]]:
    """Those in torch, and the package of the weights; and why others are left out."""
    made = [_peer(name, vocoder, state, mel, lanes) for name in names]
    return [p for p in made if isinstance(p, Peer)], [p for p in made if isinstance(p, str)]


def _peer(
    name: str, vocoder: Vocoder, state: State | None, mel: FloatArray, lanes: int
) -> Peer | str:
    try:
        if name in torch_peers.NAMES:
            return _in_torch(name, vocoder, mel, lanes)
        return _package(name, vocoder, state, lanes)
    except RtaudioError as error:
        return str(error)


def _in_torch(name: str, vocoder: Vocoder, mel: FloatArray, lanes: int) -> Peer:
    model, frames = vocoder.model, mel.shape[1]
    where = torch_peers.torch_device(model.device)
    call = torch_peers.torch_peer(name, model, lanes=lanes, ticks=frames, device=where)
    x = np.array(np.broadcast_to(mel, (lanes, *mel.shape)))
    return Peer(name=name, samples=frames * vocoder.hop, run=lambda: call(x))


def _package(name: str, vocoder: Vocoder, state: State | None, lanes: int) -> Peer:
    """The network of the package, one step of one pass, with the update of its predict()."""
    own = "wavegrad" if vocoder.model.name == WAVEGRAD else "diffwave"
    if state is None or lanes > 1:
        sizes = ", ".join((*SIZES, WAVEGRAD))
        raise RtaudioError(f"the peer {name} runs one lane of the published sizes alone: {sizes}")
    if name != own:
        raise RtaudioError(f"the weights of {vocoder.model.name} are for the peer {own} alone")
    if importlib.util.find_spec(name) is None:
        raise RtaudioError(f"the package {name} is not installed: pip install --no-deps {name}")
    import torch

    torch.set_num_threads(vocoder.threads)
    where = torch_peers.torch_device(vocoder.model.device)
    network = _wavegrad_network() if name == WAVEGRAD else _diffwave_network(state)
    network.eval().load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
    network.to(where)
    mel = torch.rand(1, vocoder.num_mels, _FRAMES, device=where)
    samples = _FRAMES * vocoder.hop
    audio = torch.randn(1, samples, device=where)
    step = torch.tensor([0.5 if name == WAVEGRAD else 10.45], device=where)

    def run() -> None:
        with torch.inference_mode():
            x = 1.03 * (audio - 0.2 * network(audio, mel, step).squeeze(1))
            x += 0.1 * torch.randn_like(x)
            torch.clamp(x, -1.0, 1.0).cpu()

    return Peer(name=name, samples=samples, run=run, passes=num_steps(vocoder.model.graph))


def _diffwave_network(state: State) -> Any:
    from diffwave.model import DiffWave
    from diffwave.params import AttrDict, params

    channels = len(state["input_projection.bias"])
    sizes = {"residual_channels": channels, "dilation_cycle_length": CYCLE}
    return DiffWave(AttrDict({**params, **sizes}))


def _wavegrad_network() -> Any:
    from wavegrad.model import WaveGrad
    from wavegrad.params import params

    return WaveGrad(params)
