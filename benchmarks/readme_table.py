"""Put the measured figures of benchmarks/results/ into README.md and benchmarks/README.md, between
their two markers, and the scores into the package, for `rtaudio models`.

python benchmarks/readme_table.py          rewrites what is not up to date
python benchmarks/readme_table.py --check  exit code 1 if anything is not
"""

from __future__ import annotations

import sys
from pathlib import Path

from diffusion_table import diffusion_table
from live_table import live_table
from tables import (
    LEVEL_ORDER,
    Result,
    accuracy_table,
    imported_networks,
    imported_table,
    lanes,
    lanes_table,
    layers_table,
    leading_layers_table,
    levels_table,
    limits_line,
    load,
    machine_line,
    own_denoisers,
    precisions_table,
    quality_table,
    scores,
    speed_table,
    startup_lines,
)
from wavenet_table import nam_table, wavenet_table

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- figures: made by benchmarks/readme_table.py -->", "<!-- end of figures -->"
LEADING = ("v3", "neon")  # what most users' processors are
PRECISIONS = ("fp32", "bf16", "bf16dot", "int8")


def summary() -> str:
    """What README shows: a short table each of speed, networks of others and quality."""
    speed = [each for each in own_denoisers() if each["sample_rate"] == 48_000]
    if not speed:
        return "No results yet: `python benchmarks/measure.py`."
    machine = machine_line(speed[0]["machine"])
    return "\n".join(
        [
            f"Speed, called from Python block by block on one thread of {machine}. "
            "Rows were measured in turns within one run. RTF is compute time / audio time; latency "
            "is signal delay plus one hop; the floor is the time that the multiply-adds or the "
            "reads of the weights take at the measured peak of the same thread (and how much of it "
            "p50 reaches).",
            "",
            *speed_table([each for each in speed if each["isa"] in ("v3", "v4x", "neon")]),
            "",
            "Networks of others, imported, beside the runtime that their package uses (which has "
            "AVX-512 where it is at hand; level v3 has not):",
            "",
            *imported_table([each for each in imported_networks() if each["isa"] in LEADING]),
            "",
            "Many streams in one thread (`rtaudio.Session`), a block of all of them at a time:",
            "",
            *lanes_table([each for each in lanes() if each["isa"] in LEADING]),
            "",
            "Layers that carry most networks, and how much of this machine's limit (products, or "
            "reads of the weights) they reach:",
            "",
            *leading_layers_table(),
            "",
            "Narrow precisions: SI-SDR of the output against that in fp32:",
            "",
            *accuracy_table(),
            *wavenet_table([each for each in load("wavenet") if leads(each)]),
            *nam_table([each for each in load("nam-peers") if leads(each)]),
            *diffusion_table(load("diffusion")),
            "",
            *startup_lines(),
            "",
            *live_table(),
            *quality_table(),
        ]
    ).rstrip()


def details() -> str:
    """What benchmarks/README.md shows: everything measured."""
    lines = ["## Denoisers", "", *speed_table(own_denoisers())]
    lines += ["", "Networks of others, beside their own runtimes:", ""]
    lines += imported_table(imported_networks())
    lines += ["", "## Streams a core", "", *lanes_table(lanes())]
    lines += ["", "## WaveNets", "", *wavenet_table(load("wavenet"))]
    lines += nam_table(load("nam-peers"))
    lines += ["", "## Diffusion", "", *diffusion_table(load("diffusion"))]
    lines += ["", "## Precisions", "", *precisions_table()]
    for result in sorted(load("layers"), key=layers_order):
        lines += ["", f"## Layers, level {result['isa']}, {result['precision']}", ""]
        lines += [limits_line(result), "", *layers_table(result)]
    lines += ["", "## v3 against v4", "", *levels_table()]
    return "\n".join(lines).rstrip()


def leads(result: Result) -> bool:
    return result["isa"] in LEADING and result["precision"] == "fp32"


def layers_order(result: Result) -> tuple[int, int]:
    return PRECISIONS.index(result["precision"]), LEVEL_ORDER.index(result["isa"])


def with_figures(path: Path, figures: str) -> str:
    before, _, rest = path.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{figures}\n{END}{after}"


def main() -> int:
    wanted = {
        ROOT / "README.md": with_figures(ROOT / "README.md", summary()),
        ROOT / "benchmarks" / "README.md": with_figures(ROOT / "benchmarks/README.md", details()),
        ROOT / "rtaudio" / "weights" / "scores.json": scores(),
    }
    stale = [p for p, new in wanted.items() if not p.exists() or p.read_text("utf-8") != new]
    if "--check" in sys.argv[1:]:
        for path in wanted:
            state = "not " if path in stale else ""
            print(f"{path.relative_to(ROOT)} is {state}up to date")
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
