"""`rtaudio verify`: the streaming laws on a model, on this machine."""

from __future__ import annotations

import argparse
import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rtaudio.runtime import Model

DESCRIPTION = """\
Check on this machine that a model streams exactly: any split of the input gives the
output of one pass, bit for bit. Prints each law, and the SHA-256 of the output for a
fixed input, which is the same on every machine.
"""
USAGE = "%(prog)s MODEL"
EPILOG = """\
examples:
  rtaudio verify rt-tcn
  rtaudio verify my-model.safetensors

exit codes: 0 every law holds, 1 one fails
"""

_REFERENCE_SECONDS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or .safetensors file")


def run(args: argparse.Namespace) -> int:
    import rtaudio

    model = rtaudio.load(args.model)
    report = rtaudio.verify_streaming(model)
    report.print()
    print(f"reference output  sha256 {reference_sha256(model)}")
    return 0 if report.ok else 1


def reference_input(num_samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Noise in +-0.25 from integer arithmetic alone (splitmix64), so the same everywhere."""
    state = np.arange(1, num_samples + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits = (state ^ (state >> np.uint64(31))) >> np.uint64(40)  # 24 bits: exact in float32
    return (bits.astype(np.float32) - np.float32(2**23)) * np.float32(2.0**-25)


def reference_sha256(model: Model) -> str:
    x = reference_input(_REFERENCE_SECONDS * model.sample_rate)
    y = model(x, model.sample_rate)
    return hashlib.sha256(np.ascontiguousarray(y, "<f4").tobytes()).hexdigest()
