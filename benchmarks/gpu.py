"""What a GPU does with autoregressive WaveNets and a diffusion step, as JSON with its name.

python benchmarks/gpu.py benchmarks/results/gpu.json      # two minutes; `./dev gpu` runs it
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rtaudio import _native
from rtaudio.bench.hardware import describe_machine
from rtaudio.bench.wavenet import run_wavenet
from rtaudio.bench.wavenet_nets import load_network
from rtaudio.torch import diffusion_step

SECONDS = 2.0
NETWORKS = ("small", "nvmed", "nv", "r9y9")
LANES = (1, 16, 64, 256)
BLOCK = 256
SHAPES = ((1, 220, 1), (64, 220, 1), (1024, 220, 1))  # 10 ms at 22.05 kHz
REPEATS = 200


def wavenets() -> list[dict[str, Any]]:
    results = []
    for name in NETWORKS:
        for precision in ("fp32", "bf16"):
            for lanes in LANES if name == "nv" else (1,):
                network = load_network(name, precision, BLOCK, "cuda")
                result, _notes = run_wavenet(
                    network,
                    block_samples=BLOCK,
                    lanes=lanes,
                    seconds=SECONDS,
                    level=_native.cpu_level(),
                    peers=[],
                )
                results.append(result)
                print(f"{name} {precision} {lanes} lanes: {result['samples_per_second']:,} /s")
    return results


def median_us(call: Callable[[], Any]) -> float:
    """By the device's own clock."""
    for _ in range(20):
        call()
    times = []
    for _ in range(REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3)
    return float(np.median(times))


def diffusion_steps() -> list[dict[str, Any]]:
    results = []
    for shape in SHAPES:
        x, epsilon = torch.randn(shape, device="cuda"), torch.randn(shape, device="cuda")
        eager = median_us(
            lambda x=x, e=epsilon: (1.2 * (x - 0.3 * e) + 0.4 * torch.randn_like(x)).clamp_(-1, 1)
        )
        ours = median_us(
            lambda x=x, e=epsilon: diffusion_step(
                x, e, scale=1.2, weight=0.3, deviation=0.4, step=3, clip=True
            )
        )
        results.append(
            {"kind": "diffusion_step", "shape": shape, "us": ours, "peers": {"torch eager": eager}}
        )
        print(f"diffusion step {shape}: {ours:.1f} us, torch eager {eager:.1f} us")
    return results


def main() -> None:
    report = _native.query_cuda()
    if not report.devices:
        sys.exit(f"this needs an NVIDIA GPU: {report.reason}")
    results = {
        "device": report.devices[0].name,
        "cuda": report.runtime_version,
        "driver": report.driver_version,
        "results": wavenets() + diffusion_steps(),
        "machine": describe_machine(),
    }
    Path(sys.argv[1]).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
