"""The table of WaveNets for README, from results of kind "wavenet"."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]

MODELS = ("small", "nvmed", "nv", "r9y9", "nam-standard")
PRECISIONS = ("fp32", "bf16", "bf16dot", "int8")
LEVELS = ("v3", "neon", "v4x", "v4", "v2")
HEADING = """
WaveNets of random weights, one thread, us a sample (draw included); the peers compute the same
network with the same weights, in turns within the run. `rtaudio bench wavenet -m NAME --peers all`
makes a row; the floor is as above, of one sample.
"""


def wavenet_table(results: list[Result]) -> list[str]:
    results = [each for each in results if each["model"] in MODELS]
    if not results:
        return []
    results.sort(key=_order)
    names = list(dict.fromkeys(name for each in results for name in each["peers"]))
    columns = ["", "block", "us a sample", "RTF", "floor", *names]
    lines = [_row(columns), _row(["---"] * 2 + ["---:"] * (3 + len(names)))]
    for each in results:
        share = 100 * each["floor_us"] / each["us_per_sample"]
        lanes = "" if each["lanes"] == 1 else f", {each['lanes']} streams"
        lines.append(
            _row(
                [
                    f"{each['model']}, {each['precision']}, {each['isa']}{lanes}",
                    str(each["block_samples"]),
                    f"**{each['us_per_sample']:.2f}**",
                    f"{each['rtf']:.3f}",
                    f"{each['floor_us']:.2f} ({share:.0f} %)",
                    *(_peer(each, name) for name in names),
                ]
            )
        )
    return ["", HEADING.strip().replace("\n", " "), "", *lines]


def _peer(result: Result, name: str) -> str:
    peer = result["peers"].get(name)
    if peer is None:
        return ""
    ratio = peer["us_per_sample"] / result["us_per_sample"]
    return f"{peer['us_per_sample']:.0f} ({ratio:.1f}x)"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _order(result: Result) -> tuple[int, ...]:
    return (
        MODELS.index(result["model"]),
        LEVELS.index(result["isa"]),
        PRECISIONS.index(result["precision"]),
        result["lanes"],
        -result["block_samples"],
    )
