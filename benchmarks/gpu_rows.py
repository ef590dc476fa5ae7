"""The rows of gpu.py: what each measures, in a process of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtaudio import _native
from rtaudio.bench.denoise import quantiles_us
from rtaudio.errors import RtaudioError

Result = dict[str, Any]
RATE = 48_000  # of nv's streams
FAILED = "failed"  # the kind of what stands in a result's place then
COMPILED = ("torch-compile",)
OTHERS = ("torch", "torch-graph")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """`seconds`: for each engine; `steps`: of DiffWave, None: those that its weights are for."""

    device: str
    seconds: float = 2.0
    network: str = "nv"
    precisions: tuple[str, ...] = ("fp32", "bf16")
    nv_precisions: tuple[str, ...] = ("bf16dot", "bf16", "fp32")
    nv_lanes: tuple[int, ...] = (64, 256, 512, 1024)
    diffusion: str = "diffwave-base"
    steps: int | None = 6
    diffusion_lanes: tuple[int, ...] = (16, 64, 128, 256, 512)
    own_lanes: tuple[int, ...] = (64, 256, 1000)
    denoiser_lanes: tuple[int, ...] = (1000, 4000, 10_000)
    peer_lanes: int = 1000
    layers: tuple[str, ...] | None = None
    layer_lanes: tuple[int, ...] = (1, 256)
    shapes: tuple[tuple[int, int, int], ...] = ((1, 220, 1), (64, 220, 1), (1024, 220, 1))


FULL = Sizes(device="cuda")
TINY = Sizes(
    device="cpu",
    seconds=0.02,
    network="small",
    precisions=("fp32",),
    nv_precisions=("fp32",),
    nv_lanes=(2,),
    diffusion="rt-priorgrad-24k",
    steps=1,
    diffusion_lanes=(2,),
    own_lanes=(2,),
    denoiser_lanes=(2,),
    peer_lanes=2,
    layers=("linear", "gru"),
    layer_lanes=(1,),
    shapes=((1, 20, 1),),
)


def each_of(make: Callable[..., Result], *choices: Sequence[Any]) -> Iterator[Result]:
    """A result for each combination; one that fails (for want of memory, say) is told in its
    place."""
    for chosen in itertools.product(*choices):
        yield _or_error(make, chosen)


def _or_error(make: Callable[..., Result], chosen: tuple[Any, ...]) -> Result:
    try:
        return make(*chosen)
    except (RtaudioError, RuntimeError, MemoryError) as error:
        told = f"{', '.join(map(str, chosen))}: {' '.join(str(error).split())[:300]}"
        return {"kind": FAILED, "error": told}


def ceilings(sizes: Sizes) -> Iterator[Result]:
    """What floors are made of: products and copies of torch, in two precisions."""
    from rtaudio.bench.torch_peers import measure_torch_peak, torch_device

    for precision in ("fp32", "bf16"):
        peak = measure_torch_peak(precision, torch_device(sizes.device))
        yield {
            "kind": "ceilings",
            "precision": precision,
            "tmacs": round(peak.macs_per_second / 1e12, 3),
            "gbytes_per_second": round(peak.bytes_per_second / 1e9, 1),
        }


def one_wavenet(sizes: Sizes) -> Iterator[Result]:
    peers = ("torch-graph",)
    yield from each_of(lambda each: _wavenet(sizes, each, 1, 256, peers), sizes.nv_precisions)


def wavenet_streams(sizes: Sizes) -> Iterator[Result]:
    """48 kHz, blocks of 10 ms."""

    def made(precision: str, lanes: int) -> Result:
        return real_time(_wavenet(sizes, precision, lanes, RATE // 100, ()), RATE)

    yield from each_of(made, sizes.nv_precisions, sizes.nv_lanes)


def _wavenet(sizes: Sizes, precision: str, lanes: int, block: int, peers: Sequence[str]) -> Result:
    from rtaudio.bench.wavenet import run_wavenet
    from rtaudio.bench.wavenet_nets import load_network

    network = load_network(sizes.network, precision, block, sizes.device)
    result, notes = run_wavenet(
        network,
        block_samples=block,
        lanes=lanes,
        seconds=sizes.seconds,
        level=_native.cpu_level(),
        peers=list(peers),
    )
    return {**result, "left_out": notes}


def one_diffwave(sizes: Sizes) -> Iterator[Result]:
    """A chunk is a frame of mel: 256 samples, 11.6 ms."""
    yield from each_of(
        lambda each: _diffusion(sizes, sizes.diffusion, each, 1, OTHERS), sizes.precisions
    )


def compiled_diffwave(sizes: Sizes) -> Iterator[Result]:
    yield _diffusion(sizes, sizes.diffusion, "fp32", 1, COMPILED)


def diffwave_streams(sizes: Sizes) -> Iterator[Result]:
    def made(precision: str, lanes: int) -> Result:
        beside = precision == "fp32" and lanes == sizes.diffusion_lanes[0]
        return _diffusion(sizes, sizes.diffusion, precision, lanes, OTHERS[1:] if beside else ())

    yield from each_of(made, sizes.precisions[::-1], sizes.diffusion_lanes)


def priorgrad(sizes: Sizes) -> Iterator[Result]:
    name = "rt-priorgrad-24k"
    yield from each_of(lambda: _diffusion(sizes, name, "fp32", 1, OTHERS))
    yield from each_of(
        lambda lanes: _diffusion(sizes, name, sizes.precisions[-1], lanes, ()), sizes.own_lanes
    )


def _diffusion(sizes: Sizes, name: str, precision: str, lanes: int, peers: Sequence[str]) -> Result:
    from rtaudio.bench.diffusion import load_diffusion, run_diffusion

    steps = sizes.steps if name == sizes.diffusion else None
    vocoder, state = load_diffusion(name, precision, steps, device=sizes.device)
    result, notes = run_diffusion(
        vocoder,
        state,
        block_samples=vocoder.hop,
        seconds=sizes.seconds,
        level=_native.cpu_level(),
        peers=list(peers),
        lanes=lanes,
    )
    return real_time({**result, "left_out": notes}, vocoder.sample_rate)


def denoiser_streams(sizes: Sizes) -> Iterator[Result]:
    """16 kHz, hops of 10 ms."""
    yield from each_of(
        lambda precision, lanes: _denoiser(sizes, precision, lanes, ()),
        sizes.precisions,
        sizes.denoiser_lanes,
    )


def denoiser_in_torch(sizes: Sizes) -> Iterator[Result]:
    yield _denoiser(sizes, "fp32", sizes.peer_lanes, OTHERS)


def compiled_denoiser(sizes: Sizes) -> Iterator[Result]:
    yield _denoiser(sizes, "fp32", sizes.peer_lanes, COMPILED)


def _denoiser(sizes: Sizes, precision: str, lanes: int, peers: Sequence[str]) -> Result:
    import rtaudio
    from rtaudio.bench.lanes import run_lanes

    result, notes = run_lanes(
        rtaudio.load("rt-tcn", precision=precision, device=sizes.device),
        lanes=lanes,
        sample_rate=16_000,
        seconds=sizes.seconds,
        level=_native.cpu_level(),
        peers=peers,
    )
    return real_time({**result, "left_out": notes}, 16_000)


def real_time(result: Result, sample_rate: int) -> Result:
    """With whether each block was ready before the next, but one of a thousand."""
    block = 1e6 * result["block_samples"] / sample_rate
    return {
        **result,
        "stream_rate": sample_rate,
        "ms_per_chunk": round(result["us_per_block"]["p50"] / 1e3, 4),
        "real_time": bool(result["us_per_block"]["p999"] < block),
    }


def steps(sizes: Sizes) -> Iterator[Result]:
    """The fused update of a diffusion step as torch's operator, beside torch's own."""
    import torch

    from rtaudio.bench.torch_peers import torch_device
    from rtaudio.torch import diffusion_step

    device = torch_device(sizes.device)
    for shape in sizes.shapes:
        x, e = torch.randn(shape, device=device), torch.randn(shape, device=device)
        how = {"scale": 1.2, "weight": 0.3, "deviation": 0.4, "step": 3, "clip": True}
        ours = _times(lambda x=x, e=e, how=how: diffusion_step(x, e, **how), device)
        eager = _times(
            lambda x=x, e=e: (1.2 * (x - 0.3 * e) + 0.4 * torch.randn_like(x)).clamp_(-1, 1), device
        )
        peers = {"torch eager": {"us_per_call": eager}}
        yield {"kind": "diffusion_step", "shape": shape, "us_per_call": ours, "peers": peers}


def _times(call: Callable[[], Any], device: str) -> dict[str, float]:
    """Of a call that is waited for."""
    import torch

    def waited() -> float:
        before = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - before

    return quantiles_us(np.array([waited() for _ in range(220)])[20:])


def layers(sizes: Sizes) -> Iterator[Result]:
    from rtaudio.bench.layer_cases import CASES
    from rtaudio.bench.layers_device import run_device_layers

    device = "emulated" if sizes.device == "cpu" else sizes.device
    for kind in sizes.layers or tuple(CASES):
        result, notes = run_device_layers(
            [kind], "fp32", _native.cpu_level(), device, sizes.layer_lanes
        )
        yield {**result, "left_out": notes}


@dataclass(frozen=True)
class Row:
    """`budget`: seconds after which it is ended; what it has by then is kept."""

    measure: Callable[[Sizes], Iterator[Result]]
    budget: float


# The table first: where the time ends early, the last ones are left out.
ROWS = {
    "ceilings": Row(ceilings, 30),
    "nv, one stream": Row(one_wavenet, 50),
    "nv, streams at 48 kHz": Row(wavenet_streams, 90),
    "DiffWave base, 6 steps, one stream": Row(one_diffwave, 60),
    "DiffWave base, 6 steps, streams": Row(diffwave_streams, 60),
    "rt-tcn, streams at 16 kHz": Row(denoiser_streams, 60),
    "rt-tcn in torch": Row(denoiser_in_torch, 40),
    "rt-priorgrad": Row(priorgrad, 50),
    "a diffusion step": Row(steps, 20),
    "rt-tcn compiled": Row(compiled_denoiser, 60),
    "DiffWave base compiled": Row(compiled_diffwave, 90),
    "layers": Row(layers, 60),
}
