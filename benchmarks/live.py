"""Measure live sound: the figures of issue 4, on a JACK server without a sound card.

python benchmarks/live.py            all rows, into benchmarks/results/live.json (20 minutes)
python benchmarks/live.py wire-64 .. these rows alone; the others stay as they were
python benchmarks/live.py --list     their names

Needs jackd, pulseaudio and a C compiler (./dev setup-ci installs them). Audio threads have
real-time priority where that is allowed; what else the machine does at the time counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rtaudio.bench.hardware import describe_machine  # noqa: E402
from tests.live.jack import what_is_missing  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "live.json"


def main() -> int:
    from live_rows import ROWS

    parser = argparse.ArgumentParser(description="Measure live sound.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: all of them")
    parser.add_argument("--list", action="store_true", help="the rows' names")
    parser.add_argument("--result", type=Path, default=RESULT, help="where the JSON is")
    args = parser.parse_args()
    if args.list:
        print("\n".join(ROWS))
        return 0
    unknown = [name for name in args.rows if name not in ROWS]
    missing = f"no row is called {unknown[0]!r} (--list)" if unknown else what_is_missing()
    if missing:
        print(f"live.py: {missing}", file=sys.stderr)
        return 2
    rows: dict[str, Any] = {}
    if args.result.exists():
        rows = json.loads(args.result.read_text())["rows"]
    for name in args.rows or ROWS:
        row = ROWS[name]()
        rows[name] = asdict(row)
        sign = "held" if row.held else "NOT HELD"
        print(f"== {name}: {row.measured} (must {row.must or row.goal}: {sign})", flush=True)
        write(args.result, {each: rows[each] for each in ROWS if each in rows})
    return int(not all(row["held"] for row in rows.values()))


def write(path: Path, rows: dict[str, Any]) -> None:
    found = {"schema": 1, "kind": "live", "machine": describe_machine(), "rows": rows}
    path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
