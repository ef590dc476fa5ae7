"""`rtaudio virtual-mic`: a microphone that call programs can choose."""

from __future__ import annotations

import argparse

from rtaudio.cli.main import DONE, FAILED

DESCRIPTION = """\
Make a microphone, or a speaker, that other programs can choose (PulseAudio and PipeWire).
`rtaudio live --virtual-mic` does it all in one command, and cleans up behind it.
"""
EPILOG = """\
examples:
  rtaudio virtual-mic start               what is played into it, others hear
  rtaudio virtual-mic status
  rtaudio virtual-mic stop --kind speaker

exit codes: 0 done, 1 status: it is not there, 3 no sound server
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--kind", choices=("mic", "speaker"), default="mic", help="default: mic")


def run(args: argparse.Namespace) -> int:
    from rtaudio.live import virtual

    kind = args.kind
    if args.action == "start":
        made = virtual.start(kind)
        print(f"{'made' if made else 'it was there already'}: {virtual.ADVICE[kind]}")
        return DONE
    if args.action == "stop":
        print("removed" if virtual.stop(kind) else "there was nothing to remove")
        return DONE
    count, whole = len(virtual.loaded(kind)), len(virtual.MODULES[kind])
    if count == whole:
        print(f"it is there on {virtual.server()}: {virtual.ADVICE[kind]}")
        return DONE
    print("half of it is there; start repairs it" if count else "it is not there")
    return FAILED
