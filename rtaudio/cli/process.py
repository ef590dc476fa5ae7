"""`rtaudio process`: recordings, folders and pipes through any model that makes audio."""

from __future__ import annotations

import argparse
from pathlib import Path

from rtaudio.cli.denoise import add_file_arguments, run_over_files

DESCRIPTION = """\
Run any model that makes audio of audio over recordings: a guitar amplifier (.nam), a
network of your own (.safetensors), or one by its name. The same over a sound card:
rtaudio live MODEL.
"""
USAGE = "%(prog)s [options] MODEL IN [IN ...]"
EPILOG = """\
examples:
  rtaudio process amp.nam guitar.wav                  writes guitar.amp.wav
  rtaudio process amp.nam guitar.wav -o reamped.flac
  rtaudio process amp.nam takes -d reamped -r -j 4    a tree of folders, four at a time

exit codes: 0 done, 1 a recording failed, 2 a wrong call, 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=".nam or .safetensors file, or a name")
    add_file_arguments(parser)
    parser.set_defaults(atten_lim_db=None)  # rtaudio denoise has it


def run(args: argparse.Namespace) -> int:
    return run_over_files(
        args,
        who="rtaudio process",
        name=args.model,
        label=Path(args.model).stem,
        named=args.model,
    )
