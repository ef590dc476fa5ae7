"""`rtaudio virtual-mic`: a microphone that call programs can choose."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rtaudio.cli.main import DONE, FAILED

if TYPE_CHECKING:
    from rtaudio.live.virtual import Kind

DESCRIPTION = """\
Make a microphone that other programs can choose (PulseAudio and PipeWire).
`rtaudio live --virtual-mic` does it all in one command, and cleans up behind it.
"""
EPILOG = """\
examples:
  rtaudio virtual-mic start               what is played into it, others hear
  rtaudio virtual-mic status
  rtaudio virtual-mic stop                also after a crash

exit codes: 0 done, 1 status: it is not there, 3 no sound server
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("start", "stop", "status"))


def run(args: argparse.Namespace) -> int:
    return act("mic", args.action)


def act(kind: Kind, action: str) -> int:
    if sys.platform != "linux":
        from rtaudio.live.devices import list_devices
        from rtaudio.live.route import cable_route

        # There is nothing to start or to stop: the cable is there or it is not.
        print(cable_route(kind, sys.platform, list_devices(), ("", "")).advice)
        return DONE
    from rtaudio.live import virtual

    if action == "start":
        made = virtual.start(kind)
        print(f"{'made' if made else 'it was there already'}: {virtual.ADVICE[kind]}")
        return DONE
    if action == "stop":
        print("removed" if virtual.stop(kind) else "there was nothing to remove")
        return DONE
    found = virtual.look(kind)
    if not found.numbers:
        print("it is not there")
        return FAILED
    if found.is_left_behind:
        print("a crash has left it behind; start repairs it, stop removes it")
        return FAILED
    user = f" while rtaudio live (process {found.owner_pid}) runs" if found.owner_pid else ""
    print(f"it is there on {virtual.server()}{user}: {virtual.ADVICE[kind]}")
    return DONE
