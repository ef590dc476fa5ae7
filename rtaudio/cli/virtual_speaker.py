"""`rtaudio virtual-speaker`: a speaker that call programs can choose."""

from __future__ import annotations

import argparse

from rtaudio.cli.virtual_mic import act, add_arguments

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Make a speaker that other programs can choose, to clean what comes in from the others
(PulseAudio and PipeWire). `rtaudio live --virtual-speaker` does it all in one command,
and cleans up behind it.
"""
EPILOG = """\
examples:
  rtaudio virtual-speaker start
  rtaudio virtual-speaker status
  rtaudio virtual-speaker stop            also after a crash

exit codes: 0 done, 1 status: it is not there, 3 no sound server
"""


def run(args: argparse.Namespace) -> int:
    return act("speaker", args.action)
