"""`rtaudio verify`: the streaming laws on a model, on this machine."""

from __future__ import annotations

import argparse

from rtaudio.cli.arguments import add_precision

DESCRIPTION = """\
Check on this machine that a model streams exactly: any split of the input gives the
output of one pass, bit for bit. Prints each law, and the SHA-256 of the output for a
fixed input, which is the same on every machine.
"""
USAGE = "%(prog)s [options] MODEL"
EPILOG = """\
examples:
  rtaudio verify rt-tcn
  rtaudio verify my-model.safetensors

exit codes: 0 every law holds, 1 one fails
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name, .safetensors or .nam file")
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    import rtaudio

    model = rtaudio.load(args.model, precision=args.precision)
    report = rtaudio.verify_streaming(model)
    report.print()
    return 0 if report.ok else 1
