"""The table of WaveNets for README, from results of kind "wavenet"."""

from __future__ import annotations

from tables import LEVEL_ORDER, Result, peer_cell, table

MODELS = ("small", "nvmed", "nv", "r9y9", "nam-standard", "nam-a2")
PRECISIONS = ("fp32", "bf16", "bf16dot", "int8")
HEADING = """
WaveNets of random weights, one thread, us a sample (draw included); the peers compute the same
network with the same weights, in turns within the run. `rtaudio bench wavenet -m NAME --peers all`
makes a row; the floor is as above, of one sample.
"""
NAM_HEADING = """
A guitar-amp WaveNet beside engines for these, all called from C++, in turns within the run; the
peers have whatever this processor offers. `python -m benchmarks.nam_peers` makes the rows.
"""


def wavenet_table(results: list[Result]) -> list[str]:
    results = [each for each in results if each["model"] in MODELS]
    if not results:
        return []
    results.sort(key=_order)
    names = list(dict.fromkeys(name for each in results for name in each["peers"]))
    columns = ["", "block", "us a sample", "RTF", "p99.9 / p50", "floor", *names]
    rows = []
    for each in results:
        share = 100 * each["floor_us"] / each["us_per_sample"]
        block = each["us_per_block"]
        lanes = "" if each["lanes"] == 1 else f", {each['lanes']} streams"
        rows.append(
            [
                f"{each['model']}, {each['precision']}, {each['isa']}{lanes}",
                str(each["block_samples"]),
                f"**{each['us_per_sample']:.2f}**",
                f"{each['rtf']:.3f}",
                f"{block['p999'] / block['p50']:.2f}",
                f"{each['floor_us']:.2f} ({share:.0f} %)",
                *(peer_cell(each, name, "us_per_sample", 0) for name in names),
            ]
        )
    return ["", HEADING.strip().replace("\n", " "), "", *table(columns, rows, text_columns=2)]


def nam_table(results: list[Result]) -> list[str]:
    """NAM "standard" beside engines in C++, all called from C++."""
    if not results:
        return []
    names = [name for name in results[0]["us_per_sample"] if name != "rtaudio"]
    rows = []
    for each in sorted(results, key=lambda r: LEVEL_ORDER.index(r["isa"])):
        times = each["us_per_sample"]
        for block, us in times["rtaudio"].items():
            others = [f"{times[n][block]:.2f} ({times[n][block] / us:.2f}x)" for n in names]
            cells = [f"{each['model']}, {each['isa']}", block, f"**{us:.3f}**", *others]
            rows.append(cells)
    columns = ["", "block", "us a sample", *names]
    return ["", NAM_HEADING.strip().replace("\n", " "), "", *table(columns, rows, text_columns=2)]


def _order(result: Result) -> tuple[int, ...]:
    return (
        MODELS.index(result["model"]),
        LEVEL_ORDER.index(result["isa"]),
        PRECISIONS.index(result["precision"]),
        result["lanes"],
        -result["block_samples"],
    )
