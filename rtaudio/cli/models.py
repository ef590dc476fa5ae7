"""`rtaudio models`: what there is, what it costs and what it is good at."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtaudio.runtime.catalogue import Entry

DESCRIPTION = """\
List the models: shipped ones, and networks that others trained, which are made from
the files in their packages (installed, or available with the command that is shown).
Every name works wherever a model is asked for: -m NAME, rtaudio.load("NAME").
"""
NOTES = (
    "Scores are means over this project's development set. PESQ (1 to 4.6) and SI-SDR (dB): of "
    "denoised speech.",
    "clean: PESQ of clean speech that went through (4.64: unchanged). noise: by how many dB noise "
    "alone is lowered.",
)
COLUMNS = ("model", "is", "rate", "latency", "licence", "PESQ", "SI-SDR", "clean", "noise")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    from rtaudio.runtime.catalogue import catalogue

    entries = catalogue()
    if args.json:
        print(json.dumps([_data(each) for each in entries], indent=2))
        return 0
    rows = [_row(each) for each in entries]
    width = shutil.get_terminal_size().columns
    if not sys.stdout.isatty():
        _print_plain(rows)
    elif max(map(len, _plain_lines(rows))) <= width:
        _print_table(rows)
    else:
        _print_stacked(rows, width)
    print()
    for line in NOTES:
        print("\n".join(textwrap.wrap(line, min(width, 88))))
    print()
    for each in entries:
        print(f"{each.name}: {each.title}")
        if each.card is not None:
            print(f"  {each.card}")
        if each.hint:
            print(f"  {each.hint}")
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    rate = entry.sample_rate / 1000
    scores = (
        ("pesq_wb", "{:.2f}"),
        ("si_sdr_db", "{:.1f}"),
        ("clean_pesq_wb", "{:.2f}"),
        ("noise_only_attenuation_db", "{:.1f}"),
    )
    return (
        entry.name,
        entry.state,
        "any" if entry.any_rate else f"{rate:g} kHz",
        f"{1e3 * entry.latency.seconds:.0f} ms",
        entry.license,
        *(form.format(entry.scores[key]) if key in entry.scores else "" for key, form in scores),
    )


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for i, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if i > 4 else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="dim" if row[1] == "available" else None)
    Console(highlight=False).print(table)


def _print_plain(rows: list[tuple[str, ...]]) -> None:
    print("\n".join(_plain_lines(rows)))


def _plain_lines(rows: list[tuple[str, ...]]) -> list[str]:
    lines = [COLUMNS, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _print_stacked(rows: list[tuple[str, ...]], width: int) -> None:
    """For a terminal that is narrower than the table: no figure is cut."""
    for row in rows:
        cells = [f"{n} {c}" for n, c in zip(COLUMNS[2:], row[2:], strict=True) if c]
        print(f"{row[0]} ({row[1]})")
        # The spaces within a cell hold it together.
        joined = ", ".join(cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in cells)
        wrapper = textwrap.TextWrapper(
            width,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(wrapper.fill(joined).replace("\N{NO-BREAK SPACE}", " "))


def _data(entry: Entry) -> dict[str, Any]:
    latency = entry.latency
    return {
        "name": entry.name,
        "state": entry.state,
        "title": entry.title,
        "makes_audio": entry.graph.makes_audio,
        "sample_rate": entry.sample_rate,
        "any_rate": entry.any_rate,
        "latency_ms": round(1e3 * latency.seconds, 3),
        "signal_delay_samples": latency.signal_delay,
        "hop_samples": latency.hop,
        "parameters": entry.graph.num_parameters,
        "license": entry.license,
        "card": None if entry.card is None else str(entry.card),
        "scores": entry.scores,
        "install": entry.hint,
    }
