"""The table of live sound's figures."""

from __future__ import annotations

from tables import load, machine_line, table


def live_table() -> list[str]:
    """What was promised of live sound beside what benchmarks/live.py measured."""
    lines: list[str] = []
    for result in load("live"):
        rows = [
            [row["case"], row["measured"], row["must"], row["goal"]]
            for row in result["rows"].values()
        ]
        machine = machine_line(result["machine"])
        lines += [
            f"Live sound, on a JACK server without a sound card, {machine}, shared with other "
            "programs:",
            "",
            *table(["", "measured", "must", "goal"], rows, text_columns=2),
            "",
        ]
    return lines
