"""Digests of the shipped models' reference output, pinned when their weights were made.

`python -m rtaudio.runtime.digests` pins them anew: run it after weights have changed, on any level
but v2, and look at the difference. Every machine must come to the same ones.
"""

from __future__ import annotations

import json
from functools import cache

from rtaudio.runtime.registry import WEIGHTS, shipped_models

_PATH = WEIGHTS / "digests.json"


@cache
def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = json.loads(_PATH.read_text()) if _PATH.exists() else {}
    return table


def pinned(fingerprint: str, precision: str = "fp32") -> str | None:
    """The digest that weights of this fingerprint must give, None where none is pinned."""
    return _table().get(fingerprint, {}).get(precision)


def write() -> None:
    """Pin what this machine computes, for every shipped model."""
    from rtaudio.runtime.laws import reference_digest
    from rtaudio.runtime.model import load

    table = {}
    for name in shipped_models():
        model = load(name)
        table[model.fingerprint()] = {
            "model": name,
            **{p: reference_digest(model.in_precision(p)) for p in ("fp32", "bf16", "bf16dot")},
        }
    _PATH.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    write()
    print(_PATH.read_text(), end="")
