"""Make the speed figures of README: every level, both rates, peers in the same run.

    python benchmarks/measure.py            writes benchmarks/results/*.json [--seconds S]
    python benchmarks/readme_table.py       puts them into README.md

On Linux `sudo chrt -f 50 python benchmarks/measure.py` runs at the priority that audio threads
have, so that p99.9 tells about the engine and not about other programs; the JSON says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rtaudio import _native
from rtaudio.bench.hardware import COMMON_LEVEL
from rtaudio.bench.peers import load_peer
from rtaudio.models.importers import IMPORTERS
from rtaudio.runtime.imported import missing
from rtaudio.runtime.native import PRECISIONS

LANES = ("8", "64", "250")
LANES_LEVELS = ("v3", "v4x", "neon")
IMPORTED_LEVELS = ("v3", "v4", "neon")  # networks of others beside their own runtimes
LAYER_LEVELS = ("v3", "v4x", "neon")
RESULTS = Path(__file__).resolve().parent / "results"


def bench(path: Path, *arguments: str) -> None:
    print(f"\n== {path.stem}", flush=True)
    subprocess.run(
        [sys.executable, "-m", "rtaudio", "bench", *arguments, "--json", str(path)], check=True
    )


def measure_lanes(results: Path, level: str, rate: str, seconds: str) -> None:
    for lanes in LANES:
        bench(
            results / f"lanes-{level}-{int(rate) // 1000}k-{lanes}.json",
            *("denoise", "--isa", level, "--sample-rate", rate, "--lanes", lanes),
            *("--seconds", seconds),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the speed figures of README.")
    parser.add_argument("--seconds", default="60", help="audio for each run (default: 60)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    for level in _native.supported_cpu_levels():
        for rate in ("48000", "16000"):
            bench(
                args.results / f"denoise-{level}-{int(rate) // 1000}k.json",
                *("denoise", "--isa", level, "--sample-rate", rate, "--peers", "all"),
                *("--seconds", args.seconds),
            )
            if level in LANES_LEVELS:
                measure_lanes(args.results, level, rate, args.seconds)
    for name, importer in IMPORTERS.items():
        kind = "denoise" if importer.graph().makes_audio else "vad"
        why_not = missing(importer) if importer.installed() is None else load_peer(name)
        if isinstance(why_not, str):
            print(f"\nleft out: {why_not}", flush=True)
            continue
        for level in IMPORTED_LEVELS:
            if level in _native.supported_cpu_levels():
                bench(
                    args.results / f"imported-{name}-{level}.json",
                    *(kind, "--model", name, "--isa", level, "--peers", name),
                    *("--seconds", args.seconds),
                )
    for level in LAYER_LEVELS:
        if level in _native.supported_cpu_levels():
            bench(args.results / f"layers-{level}.json", "layers", "--isa", level)
    best = _native.supported_cpu_levels()[-1]
    for precision in PRECISIONS[1:]:
        path = args.results / f"layers-{best}-{precision}.json"
        bench(path, "layers", "--isa", best, "--precision", precision)
    wavenets(args.results)
    diffusions(args.results)
    bench(args.results / "startup.json", "startup")


def wavenets(results: Path) -> None:
    """Peers once a model and level: they have no other precisions."""
    for level in [each for each in _native.supported_cpu_levels() if each != "v2"]:
        for model in ("small", "nvmed", "nv", "r9y9"):
            for precision in ("fp32", "bf16", "int8"):
                peers = (
                    "numpy,onnxruntime,torch,torch-compile,torch-naive"
                    if precision == "fp32"
                    else ""
                )
                bench(
                    results / f"wavenet-{model}-{precision}-{level}.json",
                    *("wavenet", "-m", model, "--precision", precision, "--isa", level),
                    *(("--peers", peers) if peers else ()),
                )
        bench(
            results / f"wavenet-nv-8-streams-{level}.json",
            *("wavenet", "-m", "nv", "--isa", level, "--lanes", "8"),
        )
        for model in ("nam-standard", "nam-a2"):
            for block in ("1", "16", "64"):
                bench(
                    results / f"wavenet-{model}-{block}-{level}.json",
                    *("wavenet", "-m", model, "--isa", level, "--block-samples", block),
                )


def diffusions(results: Path) -> None:
    """DiffWave beside its package, and our own network in fewer and more steps."""
    best = _native.supported_cpu_levels()[-1]
    for level, precision in ((COMMON_LEVEL, "fp32"), (best, "fp32"), (best, "bf16dot")):
        if level not in _native.supported_cpu_levels():
            continue
        chosen = ("--isa", level, "--precision", precision)
        path = results / f"diffusion-base-6-{precision}-{level}.json"
        bench(path, "diffusion", "-m", "diffwave-base", "--steps", "6", "--peers", "all", *chosen)
        if level != COMMON_LEVEL:
            path = results / f"diffusion-base-6-{precision}-{level}-2threads.json"
            both = ("--peers", "all", "--threads", "2", *chosen)
            bench(path, "diffusion", "-m", "diffwave-base", "--steps", "6", *both)
        path = results / f"diffusion-wavegrad-6-{precision}-{level}.json"
        bench(path, "diffusion", "-m", "wavegrad", "--steps", "6", "--peers", "all", *chosen)
        for steps in ("1", "2", "4", "6"):
            path = results / f"diffusion-priorgrad-{steps}-{precision}-{level}.json"
            bench(path, "diffusion", "-m", "rt-priorgrad-24k", "--steps", steps, *chosen)


if __name__ == "__main__":
    main()
