"""Put the measured figures of benchmarks/results/ into README.md, between its two markers, and
the scores into the package, for `rtaudio models`.

python benchmarks/readme_table.py          rewrites README.md and rtaudio/weights/scores.json
python benchmarks/readme_table.py --check  exit code 1 if they are not up to date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wavenet_table import wavenet_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
SCORES = ROOT / "rtaudio" / "weights" / "scores.json"
START, END = "<!-- figures: made by benchmarks/readme_table.py -->", "<!-- end of figures -->"

# Most users' processors are of level v3, so it leads.
LEVEL_ORDER = ("v3", "neon", "v4x", "v4", "v2")
PEER_NAMES = {
    "noisy": "noisy input",
    "rnnoise": "RNNoise",
    "dtln": "DTLN",
    "gtcrn": "GTCRN",
    "dfn3": "DeepFilterNet3",
    "silero-vad": "silero-vad",
}

# Heading, digits and unit of every metric of quality.json.
QUALITY = {
    "pesq_wb": ("PESQ (wideband)", 2, ""),
    "si_sdr_db": ("SI-SDR", 1, " dB"),
    "estoi": ("ESTOI", 2, ""),
    "clean_pesq_wb": ("PESQ on clean speech", 2, ""),
    "clean_si_sdr_db": ("SI-SDR on clean speech", 1, " dB"),
    "noise_only_attenuation_db": ("noise alone lowered by", 1, " dB"),
}

Result = dict[str, Any]


def load(kind: str) -> list[Result]:
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    return [each for each in found if isinstance(each, dict) and each.get("kind") == kind]


def order(result: Result) -> tuple[int, int]:
    return LEVEL_ORDER.index(result["isa"]), -result["sample_rate"]


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def speed_row(name: str, figures: Result, floor: str = "") -> str:
    block = 1e3 * figures["block_samples"] / figures["sample_rate"]
    times = figures["us_per_block"]
    return row(
        [
            name,
            f"{figures['sample_rate'] / 1000:g} kHz, {block:g} ms",
            f"{figures['rtf']:.4f}",
            *(f"{times[key] / 1000:.3f} ms" for key in ("p50", "p99", "p999")),
            f"{figures['latency_ms']:g} ms",
            floor,
        ]
    )


def speed_table() -> list[str]:
    results = [each for each in load("denoise") if each["model"] not in each["peers"]]
    results.sort(key=order)
    if not results:
        return []
    columns = ["", "input, block", "RTF", "p50", "p99", "p99.9", "latency", "floor"]
    lines = [row(columns), row(["---"] * 2 + ["---:"] * 6)]
    for result in results:
        share = 100 * result["floor_us"] / result["us_per_block"]["p50"]
        floor = f"{result['floor_us'] / 1000:.3f} ms ({share:.0f} %)"
        name = f"**{result['model']}**, {result['isa']}"
        lines.append(speed_row(name, result, floor))
    # Each peer once, from the run that leads.
    first = next((each for each in results if each["peers"]), None)
    if first is not None:
        for name, peer in first["peers"].items():
            lines.append(speed_row(PEER_NAMES.get(name, name), peer))
    return lines


def imported_table() -> list[str]:
    """Networks of others, here and in their own runtimes: results whose model is a peer's."""
    results = [each for each in load("denoise") + load("vad") if each["model"] in each["peers"]]
    if not results:
        return []
    results.sort(key=lambda each: (list(PEER_NAMES).index(each["model"]), order(each)))
    lines = [row(["", "block", "here, p50", "own runtime, p50", "faster"])]
    lines.append(row(["---"] * 2 + ["---:"] * 3))
    for result in results:
        ours = result["us_per_block"]["p50"] / 1000
        theirs = result["peers"][result["model"]]["us_per_block"]["p50"] / 1000
        block = 1e3 * result["block_samples"] / result["sample_rate"]
        name = f"{PEER_NAMES[result['model']]}, {result['isa']}"
        cells = [name, f"{block:g} ms", f"{ours:.3f} ms", f"{theirs:.3f} ms"]
        lines.append(row([*cells, f"{theirs / ours:.1f}x"]))
    return [
        "",
        "Networks of others, imported, beside the runtime that their package uses (one thread, "
        "called from Python, in turns; v3 is here without the AVX-512 that the runtimes use):",
        "",
        *lines,
    ]


def lanes_table() -> list[str]:
    results = load("lanes")
    if not results:
        return []
    results.sort(key=lambda each: (*order(each), each["lanes"]))
    columns = ["", "input, block", "streams", "p50", "p99.9", "floor", "a core carries"]
    lines = [row(columns), row(["---"] * 2 + ["---:"] * 5)]
    for each in results:
        times = each["us_per_block"]
        share = 100 * each["floor_us"] / times["p50"]
        lines.append(
            row(
                [
                    f"**{each['model']}**, {each['isa']}",
                    f"{each['sample_rate'] / 1000:g} kHz, "
                    f"{1e3 * each['block_samples'] / each['sample_rate']:g} ms",
                    str(each["lanes"]),
                    *(f"{times[key] / 1000:.2f} ms" for key in ("p50", "p999")),
                    f"{each['floor_us'] / 1000:.2f} ms ({share:.0f} %)",
                    f"{each['streams_per_core']} streams",
                ]
            )
        )
    most = max(results, key=lambda each: each["lanes"])
    moved = most["megabytes_per_block"]
    return [
        "",
        "Many streams in one thread (`rtaudio.Session`), a block of all of them at a time. "
        f"A block of {most['lanes']} streams reads {moved['weights']:.0f} MB of weights "
        f"instead of {moved['weights_stream_by_stream']:.0f} MB:",
        "",
        *lines,
    ]


def machine_line(machine: Result) -> str:
    text = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    text += f", Python {machine['python']}"
    if "scheduler" in machine:
        text += f", real-time priority ({machine['scheduler']})"
    return text


def startup_lines() -> list[str]:
    return [
        f"`import rtaudio` and loading the model, beyond importing NumPy: {each['load_ms']:.0f} ms "
        f"and {each['memory_mb']:.0f} MB."
        for each in load("startup")
    ]


def quality_table() -> list[str]:
    """One row a system, from the result of kind quality: {systems: {name: {metric: mean}}}."""
    results = load("quality")
    if not results:
        return []
    result = results[-1]
    systems: dict[str, dict[str, float | None]] = result["systems"]
    metrics = [each for each in QUALITY if each in next(iter(systems.values()))]
    headings = (QUALITY[each][0] for each in metrics)
    lines = ["", row(["", *headings]), row(["---", *["---:"] * len(metrics)])]
    for name, values in systems.items():
        shown = f"**{name}**" if name == result.get("model") else PEER_NAMES.get(name, name)
        cells = (quality_cell(values[each], *QUALITY[each][1:]) for each in metrics)
        lines.append(row([shown, *cells]))
    return [*lines, "", result.get("note", "")]


def quality_cell(value: float | None, digits: int, unit: str) -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def figures() -> str:
    speed = speed_table()
    if not speed:
        return "No results yet: `python benchmarks/measure.py`."
    machine = load("denoise")[0]["machine"]
    lines = [
        f"Speed, called from Python block by block on one thread of this machine: "
        f"{machine_line(machine)}. The rows were measured in turns within one run. RTF is compute "
        "time / audio time; latency is signal delay plus one hop; the floor is the time that the "
        "multiply-adds or the reads of the weights take at the measured peak of the same thread "
        "(and how much of it p50 reaches).",
        "",
        *speed,
        *lanes_table(),
        *imported_table(),
        *wavenet_table(load("wavenet")),
        "",
        *startup_lines(),
        *quality_table(),
    ]
    return "\n".join(lines).rstrip()


def scores() -> str:
    """The systems' mean scores on the development set."""
    results = load("quality")
    return json.dumps(results[-1]["systems"] if results else {}, indent=1) + "\n"


def main() -> int:
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    wanted = {README: f"{before}{START}\n{figures()}\n{END}{after}", SCORES: scores()}
    stale = [p for p, new in wanted.items() if not p.exists() or p.read_text("utf-8") != new]
    if "--check" in sys.argv[1:]:
        for path in wanted:
            print(f"{path.name} is {'not ' if path in stale else ''}up to date")
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
