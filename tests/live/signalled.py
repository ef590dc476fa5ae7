"""A wire on the rig whose every thread gets a signal that Python handles. Prints what Live told of,
and the seconds of sound that came after. signalled.py rtaudio|program: who loads PortAudio."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

from rtaudio.live import Live, LiveConfig
from rtaudio.live.supervisor import Event

PATIENCE_SECONDS = 60.0


def signal_every_thread() -> None:
    tgkill = ctypes.CDLL(None).tgkill
    for thread in Path("/proc/self/task").iterdir():
        tgkill(os.getpid(), int(thread.name), int(signal.SIGUSR1))
        time.sleep(0.05)


def main() -> None:
    if sys.argv[1] == "program":
        import sounddevice  # noqa: F401
    signal.signal(signal.SIGUSR1, lambda *_: None)
    events: list[Event] = []
    config = LiveConfig(input_device="rig", output_device="rig")
    with Live(None, config, on_event=events.append) as live:
        for _ in range(2):
            signal_every_thread()
        time.sleep(0.5)
        before, until = live.stats().seconds, time.monotonic() + PATIENCE_SECONDS
        heard = 0.0
        while heard < 0.5 and time.monotonic() < until:
            time.sleep(0.05)
            heard = live.stats().seconds - before
    print(json.dumps({"events": [event.text for event in events], "seconds": heard}))


if __name__ == "__main__":
    main()
