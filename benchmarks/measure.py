"""Make the speed figures of README: every level, both rates, peers in the same run.

    python benchmarks/measure.py            writes benchmarks/results/*.json
    python benchmarks/readme_table.py       puts them into README.md

On Linux `sudo chrt -f 50 python benchmarks/measure.py` runs at the priority that audio threads
have, so that p99.9 tells about the engine and not about other programs; the JSON says so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rtaudio import _native

RESULTS = Path(__file__).resolve().parent / "results"


def bench(name: str, *arguments: str) -> None:
    path = RESULTS / f"{name}.json"
    print(f"\n== {name}", flush=True)
    subprocess.run(
        [sys.executable, "-m", "rtaudio", "bench", *arguments, "--json", str(path)], check=True
    )


def main() -> None:
    RESULTS.mkdir(exist_ok=True)
    for level in _native.supported_cpu_levels():
        for rate in ("48000", "16000"):
            bench(
                f"denoise-{level}-{int(rate) // 1000}k",
                *("denoise", "--isa", level, "--sample-rate", rate, "--peers", "all"),
            )
    bench("startup", "startup")


if __name__ == "__main__":
    main()
