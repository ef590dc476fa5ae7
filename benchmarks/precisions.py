"""What the narrow precisions keep of fp32's output, and what they gain in time.

    python benchmarks/precisions.py         writes benchmarks/results/precisions.json [--seconds S]
    python benchmarks/readme_table.py       puts it into README.md

For each model, at each level: all precisions in turns within one run; SI-SDR against the model's
own fp32 output, on a recording that int8's calibration has not heard. Networks whose packages are
not installed are left out, with a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rtaudio import _native, load
from rtaudio.bench.denoise import SCHEMA, Lane, interleave, quantiles_us, test_signal
from rtaudio.bench.hardware import describe_machine
from rtaudio.models.importers import IMPORTERS
from rtaudio.runtime.imported import missing
from rtaudio.runtime.laws import fp32_error_db
from rtaudio.runtime.native import PRECISIONS
from rtaudio.runtime.registry import shipped_models

RESULTS = Path(__file__).resolve().parent / "results"
LEVELS = ("v3", "v4x", "neon")


def measure(name: str, seconds: float) -> list[dict[str, Any]]:
    """One row a precision, at the level in use."""
    models = [load(name, precision=each) for each in PRECISIONS]
    rate, size = models[0].sample_rate, models[0].latency().hop
    streams = [model.stream() for model in models]
    lanes = [
        Lane(
            name=model.precision,
            rate=rate,
            size=size,
            call=stream.process if model.makes_audio else stream.push,
            signal=test_signal(rate, seconds),
        )
        for model, stream in zip(models, streams, strict=True)
    ]
    interleave(lanes, seconds)
    return [
        {
            "model": name,
            "precision": lane.name,
            "isa": _native.cpu_level(),
            "block_samples": size,
            "sample_rate": rate,
            "us_per_block": quantiles_us(lane.times),
            "si_sdr_db_to_fp32": None if lane.name == "fp32" else round(fp32_error_db(model), 1),
        }
        for lane, model in zip(lanes, models, strict=True)
    ]


def available() -> list[str]:
    names = shipped_models()
    for name, importer in IMPORTERS.items():
        if importer.installed() is None:
            print(f"left out: {missing(importer)}", file=sys.stderr)
        else:
            names.append(name)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy and speed of the precisions.")
    parser.add_argument("--seconds", type=float, default=20, help="audio for each (default: 20)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--model", help=argparse.SUPPRESS)  # one model, at the level in use
    args = parser.parse_args()
    if args.model:
        print(json.dumps(measure(args.model, args.seconds)))
        return
    rows = []
    for name in available():
        for level in LEVELS:
            if level not in _native.supported_cpu_levels():
                continue
            command = [sys.executable, __file__, "--model", name, "--seconds", str(args.seconds)]
            environment = {**os.environ, "RTAUDIO_CPU_ISA": level}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            rows += json.loads(done.stdout)
            for row in rows[-len(PRECISIONS) :]:
                print(row["model"], row["isa"], row["precision"], row["us_per_block"]["p50"], "us",
                      row["si_sdr_db_to_fp32"], "dB", flush=True)  # fmt: skip
    result = {
        "schema": SCHEMA,
        "kind": "precisions",
        "device": "cpu",
        "threads": 1,
        "rows": rows,
        "machine": describe_machine(),
    }
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "precisions.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
