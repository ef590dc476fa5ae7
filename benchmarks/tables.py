"""The tables of measured figures, each from the JSON in benchmarks/results/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"

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

LEADING_LAYERS = (("gated_stack", "1 x 48"), ("gru", "1 x 1"), ("gru", "8 x 1"))

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


def table(headings: list[str], rows: list[list[str]], text_columns: int = 1) -> list[str]:
    """Columns after the first `text_columns` are aligned right. Nothing where there are no rows."""
    if not rows:
        return []
    rule = ["---"] * text_columns + ["---:"] * (len(headings) - text_columns)
    return [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)]


def peer_cell(result: Result, name: str, figure: str, digits: int) -> str:
    """A peer's figure, and how much faster we are; nothing where it did not run."""
    peer = result["peers"].get(name)
    if peer is None:
        return ""
    ratio = peer["us_per_sample"] / result["us_per_sample"]
    return f"{peer[figure]:.{digits}f} ({ratio:.1f}x)"


def block_of(figures: Result) -> str:
    return f"{1e3 * figures['block_samples'] / figures['sample_rate']:g} ms"


def own_denoisers() -> list[Result]:
    """Runs of our own model beside others', the leading level first."""
    results = [each for each in load("denoise") if each["model"] not in each["peers"]]
    return sorted(results, key=order)


def imported_networks() -> list[Result]:
    """Runs of networks of others beside the runtime they come with."""
    results = [each for each in load("denoise") + load("vad") if each["model"] in each["peers"]]
    return sorted(results, key=lambda each: (list(PEER_NAMES).index(each["model"]), order(each)))


def speed_table(results: list[Result]) -> list[str]:
    """Our rows, then each peer once, from the run that leads."""
    if not results:
        return []
    rows = [
        [f"**{each['model']}**, {each['isa']}", *speed_cells(each), floor_cell(each)]
        for each in results
    ]
    peers = results[0]["peers"]
    rows += [[PEER_NAMES.get(name, name), *speed_cells(each), ""] for name, each in peers.items()]
    columns = ["", "input, block", "RTF", "p50", "p99", "p99.9", "latency", "floor"]
    return table(columns, rows, text_columns=2)


def speed_cells(figures: Result) -> list[str]:
    times = figures["us_per_block"]
    return [
        f"{figures['sample_rate'] / 1000:g} kHz, {block_of(figures)}",
        f"{figures['rtf']:.4f}",
        *(f"{times[key] / 1000:.3f} ms" for key in ("p50", "p99", "p999")),
        f"{figures['latency_ms']:g} ms",
    ]


def floor_cell(result: Result) -> str:
    share = 100 * result["floor_us"] / result["us_per_block"]["p50"]
    return f"{result['floor_us'] / 1000:.3f} ms ({share:.0f} %)"


def imported_table(results: list[Result]) -> list[str]:
    rows = []
    for result in results:
        ours = result["us_per_block"]["p50"] / 1000
        theirs = result["peers"][result["model"]]["us_per_block"]["p50"] / 1000
        name = f"{PEER_NAMES[result['model']]}, {result['isa']}"
        cells = [name, block_of(result), f"{ours:.3f} ms", f"{theirs:.3f} ms"]
        rows.append([*cells, f"{theirs / ours:.1f}x", floor_cell(result)])
    columns = ["", "block", "here, p50", "own runtime, p50", "faster", "floor"]
    return table(columns, rows, text_columns=2)


def lanes() -> list[Result]:
    """Runs of many streams at a time."""
    return sorted(load("lanes"), key=lambda each: (*order(each), each["lanes"]))


def lanes_table(results: list[Result]) -> list[str]:
    rows = []
    for each in results:
        times, moved = each["us_per_block"], each["megabytes_per_block"]
        share = 100 * each["floor_us"] / times["p50"]
        rows.append(
            [
                f"**{each['model']}**, {each['isa']}",
                f"{each['sample_rate'] / 1000:g} kHz, {block_of(each)}",
                str(each["lanes"]),
                *(f"{times[key] / 1000:.2f} ms" for key in ("p50", "p999")),
                f"{each['floor_us'] / 1000:.2f} ms ({share:.0f} %)",
                f"{moved['weights']:.0f} MB of {moved['weights_stream_by_stream']:.0f} MB",
                f"{each['streams_per_core']} streams",
            ]
        )
    columns = ["", "input, block", "streams", "p50", "p99.9", "floor", "weights read"]
    return table([*columns, "a core carries"], rows, text_columns=2)


def levels_table() -> list[str]:
    """v3 beside the level above it, both from one run."""
    rows = []
    for result in own_denoisers() + imported_networks():
        for level, figures in result.get("levels", {}).items():
            here, there = result["us_per_block"]["p50"], figures["us_per_block"]["p50"]
            name = PEER_NAMES.get(result["model"], result["model"])
            cells = [f"{name}, {result['sample_rate'] / 1000:g} kHz, {block_of(result)}"]
            cells += [level, result["isa"], f"{there:.1f} us", f"{here:.1f} us"]
            rows.append([*cells, f"{there / here:.2f}x"])
    return table(["", "lower", "level", "p50", "p50", "ratio"], rows, text_columns=3)


def shape(figures: Result) -> str:
    return f"{figures['lanes']} x {figures['block_samples']}"


def layers_table(result: Result) -> list[str]:
    rows = []
    for each in result["layers"]:
        faster = each.get("faster")
        rows.append(
            [
                f"{each['layer']}, {each['size']}",
                shape(each),
                f"{each['us_per_block']['p50']:.2f} us",
                f"{each['floor_us']:.2f} us, {each['limit']}",
                f"{100 * each['share']:.0f} %",
                *(level_cell(each, figures) for figures in each["levels"].values()),
                f"{faster['hot']:.1f}x of {faster['hot_limit']:.1f}x" if faster else "",
                f"{each['cold_us']:.1f} us",
                f"{faster['cold']:.1f}x of {faster['cold_limit']:.1f}x" if faster else "",
            ]
        )
    levels = [f"at {level}" for level in result["layers"][0]["levels"]]
    columns = ["", "lanes x frames", "p50", "floor", "share", *levels]
    return table([*columns, "vs. single", "cold", "vs. single"], rows)


def level_cell(result: Result, lower: Result) -> str:
    here, there = result["us_per_block"]["p50"], lower["us_per_block"]["p50"]
    return f"{there:.2f} us, {there / here:.2f}x"


def limits_line(result: Result) -> str:
    peak = result["peak"]
    products = ", ".join(f"{name} {x:.0f}" for name, x in peak["gmacs"].items())
    reads = ", ".join(
        f"{int(size) >> 10} KB {x:.0f}" for size, x in peak["gbytes_per_second"].items()
    )
    return f"Limits of one thread: products in GMAC/s: {products}; reads in GB/s: {reads}."


def precisions_table() -> list[str]:
    rows = []
    for each in (row for result in load("precisions") for row in result["rows"]):
        decibels = each["si_sdr_db_to_fp32"]
        name = f"{PEER_NAMES.get(each['model'], each['model'])}, {each['isa']}"
        times = each["us_per_block"]
        cells = [name, each["precision"], f"{times['p50']:.1f} us", f"{times['p99']:.1f} us"]
        rows.append([*cells, "" if decibels is None else f"{decibels:.1f} dB"])
    return table(["", "precision", "p50", "p99", "SI-SDR to fp32"], rows, text_columns=2)


def leading_layers_table() -> list[str]:
    """Of the layers that carry most networks: times and shares of the floor."""
    columns = ["v3, fp32", "v4x, fp32", "v4x, bf16dot", "v4x, int8"]
    cells: dict[str, dict[str, str]] = {}
    for result in load("layers"):
        for each in result["layers"]:
            if (each["layer"], shape(each)) in LEADING_LAYERS:
                name = f"{each['layer']}, {each['size']}; {shape(each)}"
                share = f"{each['us_per_block']['p50']:.1f} us ({100 * each['share']:.0f} %)"
                cells.setdefault(name, {})[f"{result['isa']}, {result['precision']}"] = share
    rows = [[name, *(by.get(each, "") for each in columns)] for name, by in cells.items()]
    return table(["lanes x frames", *columns], rows)


def accuracy_table() -> list[str]:
    """SI-SDR of narrow precisions against the fp32 output, the lowest of the levels."""
    columns = ["bf16", "bf16dot", "int8"]
    worst: dict[str, dict[str, float]] = {}
    for each in (row for result in load("precisions") for row in result["rows"]):
        if each["si_sdr_db_to_fp32"] is not None:
            by = worst.setdefault(PEER_NAMES.get(each["model"], each["model"]), {})
            old = by.get(each["precision"], float("inf"))
            by[each["precision"]] = min(old, each["si_sdr_db_to_fp32"])
    rows = [[name, *(f"{by[each]:.0f} dB" for each in columns)] for name, by in worst.items()]
    return table(["", *columns], rows)


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
    rows = []
    for name, values in systems.items():
        shown = f"**{name}**" if name == result.get("model") else PEER_NAMES.get(name, name)
        rows.append([shown, *(quality_cell(values[each], *QUALITY[each][1:]) for each in metrics)])
    lines = table(["", *(QUALITY[each][0] for each in metrics)], rows)
    return [*lines, "", result.get("note", "")]


def quality_cell(value: float | None, digits: int, unit: str) -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def scores() -> str:
    """The systems' mean scores on the development set."""
    results = load("quality")
    return json.dumps(results[-1]["systems"] if results else {}, indent=1) + "\n"
