"""The table of `rtaudio bench layers`."""

from __future__ import annotations

from io import StringIO
from typing import Any

WIDTH = 108  # what the table needs; on a narrower terminal its lines wrap, so no figure is cut


def device_lines(result: dict[str, Any]) -> list[str]:
    """Of a GPU."""
    rows = [f"{'layer':<24} {'lanes':>6} {'p50 us':>10} {'p99.9 us':>10} {'floor us':>9} torch us"]
    for each in result["layers"]:
        times, peers = each["us_per_block"], each["peers"].values()
        floor = f"{each['floor_us']:.2f}" if "floor_us" in each else ""
        others = " ".join(f"{peer['us_per_block']['p50']:.1f}" for peer in peers)
        rows.append(
            f"{each['layer']:<24} {each['lanes']:>6} {times['p50']:>10.1f} {times['p999']:>10.1f} "
            f"{floor:>9} {others:>8}"
        )
    return [*rows, "", f"on {result['device']}, {result['precision']}; a call from Python"]


def layers_lines(result: dict[str, Any]) -> list[str]:
    if result["device"] != "cpu":
        return device_lines(result)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    for heading in ("frames", "p50 us", "floor us", "share", "vs. single", "cold us"):
        table.add_column(heading, no_wrap=True, justify="right")
    for level in result["layers"][0]["levels"]:
        table.add_column(f"{level} us", no_wrap=True, justify="right")
    narrow = result["precision"] != "fp32"
    if narrow:
        table.add_column("error", no_wrap=True, justify="right")
    rows = result["layers"]
    for i, row in enumerate(rows):
        # The kind, and its size below it.
        starts = i == 0 or rows[i - 1]["layer"] != row["layer"]
        second = not starts and (i == 1 or rows[i - 2]["layer"] != row["layer"])
        name = row["layer"] if starts else f"  {row['size']}" if second else ""
        table.add_row(name, *_cells(row, narrow))
        if starts and (i + 1 == len(rows) or rows[i + 1]["layer"] != row["layer"]):
            table.add_row(f"  {row['size']}")
    text = StringIO()
    Console(file=text, width=WIDTH).print(table)
    return [*(line.rstrip() for line in text.getvalue().splitlines()), *_notes(result)]


def _cells(row: dict[str, Any], narrow: bool) -> list[str]:
    faster = row.get("faster")
    frames = f"{row['block_samples']}" if row["lanes"] == 1 else f"{row['lanes']} lanes"
    cells = [
        frames,
        f"{row['us_per_block']['p50']:.2f}",
        f"{row['floor_us']:.2f} {row['limit'][0]}",
        f"{100 * row['share']:.0f} %",
        f"{faster['hot']:.1f}x of {faster['hot_limit']:.1f}x" if faster else "",
        f"{row['cold_us']:.1f}",
        *(f"{each['us_per_block']['p50']:.2f}" for each in row["levels"].values()),
    ]
    if narrow:
        cells.append("" if row["error"] is None else f"{row['error']:.1e}")
    return cells


def _notes(result: dict[str, Any]) -> list[str]:
    peak, machine = result["peak"], result["machine"]
    products = ", ".join(f"{name} {x:.0f}" for name, x in peak["gmacs"].items())
    reads = ", ".join(
        f"{_size(int(size))} {x:.0f}" for size, x in peak["gbytes_per_second"].items()
    )
    return [
        "",
        f"Limits measured in this run, one thread at level {result['isa']}, {result['precision']}:",
        f"  products in registers, GMAC/s: {products}",
        f"  reads by footprint, GB/s: {reads}",
        "Floor: the slower of a call's products (p) and the reads of its weights and frames (r).",
        "Share: how much of it p50 reaches. vs. single: how much faster than as many calls of one",
        "frame, of how much the floors allow. Cold: a call after reading 96 MB of other memory.",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}",
    ]


def _size(num_bytes: int) -> str:
    return f"{num_bytes >> 20} MB" if num_bytes >= 1 << 20 else f"{num_bytes >> 10} KB"
