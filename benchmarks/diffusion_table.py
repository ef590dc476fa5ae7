"""The table of diffusion vocoders for README, from results of kind "diffusion"."""

from __future__ import annotations

from typing import Any

from tables import LEVEL_ORDER, Result, peer_cell, table

PRECISIONS = ("fp32", "bf16", "bf16dot")
HEADING = """
Diffusion vocoders of random weights, one thread where no more are named (the package and the floor
have as many), blocks of four mel frames (own models: one; two threads: 64); the packages diffwave
and wavegrad run the same weights in turns within the run.
`rtaudio bench diffusion -m NAME --steps N --peers all` makes a row; RTF is compute time / audio
time. The machine was shared when these were measured: read them beside the floor, which is as above
and of the same minute.
"""


def diffusion_table(results: list[Result]) -> list[str]:
    if not results:
        return []
    results = sorted(results, key=_order)
    columns = ["", "steps", "RTF", "p99.9 a block", "looks ahead", "floor", "its package"]
    rows = []
    for each in results:
        share = 100 * each["floor_us"] / each["us_per_sample"]
        ahead = 1e3 * each["latency_samples"] / each["sample_rate"]
        rows.append(
            [
                f"{each['model']}, {each['precision']}, {each['isa']}{_threads(each)}",
                str(each["steps"]),
                f"**{each['rtf']:.3f}**",
                f"{each['us_per_block']['p999'] / 1e3:.1f} ms",
                f"{ahead:.0f} ms",
                f"{each['floor_us'] * each['sample_rate'] / 1e6:.3f} ({share:.0f} %)",
                "".join(peer_cell(each, name, "rtf", 2) for name in each["peers"]),
            ]
        )
    return ["", HEADING.strip().replace("\n", " "), "", *table(columns, rows)]


def _threads(result: Result) -> str:
    return "" if result["threads"] == 1 else f", {result['threads']} threads"


def _order(result: Result) -> tuple[Any, ...]:
    return (
        result["model"],
        LEVEL_ORDER.index(result["isa"]),
        -result["steps"],
        PRECISIONS.index(result["precision"]),
        result["threads"],
    )
