"""Runs Live on the rig until its stdin ends, with Python kept busy in the same process.

play.py CONFIG MODEL|wire [busy ...]: CONFIG is LiveConfig's as JSON; prints its counters as JSON.
A line "stats" on stdin prints them before, "sleep SECONDS" lets the model sleep for so long twice a
block, and 0 ends that (guard.c must be preloaded).
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from rtaudio import _native
from rtaudio.live import Live, LiveConfig

stopping = threading.Event()


def loop() -> None:
    sum(i * i for i in range(100_000))


def collect() -> None:
    cells: list[dict[str, object]] = [{} for _ in range(50_000)]
    for cell in cells:
        cell["self"] = cell
    del cells
    gc.collect()


def sort() -> None:
    sorted(random.random() for _ in range(200_000))


def torch() -> None:
    import torch  # the first time, a long hold of the GIL

    torch.set_num_threads(1)
    torch.rand(256, 256) @ torch.rand(256, 256)
    time.sleep(0.01)


WORK: dict[str, Callable[[], None]] = {"loop": loop, "gc": collect, "sort": sort, "torch": torch}


def keep_busy(work: Callable[[], None]) -> None:
    while not stopping.is_set():
        work()


def guard() -> Any:
    """guard.c, before the engine's callback; None where it is not preloaded."""
    if "guard.so" not in os.environ.get("LD_PRELOAD", ""):
        return None
    library = ctypes.CDLL(None)
    addresses = _native.live_callback_addresses()
    library.guard_set(ctypes.c_void_p(addresses["duplex"]))
    ours = ctypes.cast(library.guard_callback, ctypes.c_void_p).value
    _native.live_callback_addresses = lambda: addresses | {"duplex": ours}  # type: ignore[attr-defined]
    return library


def report(live: Live, guarded: Any) -> dict[str, Any]:
    found = {"delay": live.delay_samples, **live.stats().as_json()}
    for name in () if guarded is None else ("allocations", "locks", "waits", "callbacks"):
        found[name] = getattr(guarded, f"guard_{name}")()
    return found


def orders() -> Iterator[list[str]]:
    for line in sys.stdin:
        yield line.split()


def main() -> None:
    settings, model, *busy = sys.argv[1:]
    config = LiveConfig(**{"input_device": "rig", "output_device": "rig"} | json.loads(settings))
    guarded = guard()
    with Live(None if model == "wire" else model, config) as live:
        threads = [threading.Thread(target=keep_busy, args=(WORK[name],)) for name in busy]
        for thread in threads:
            thread.start()
        print("playing", flush=True)
        for name, *rest in orders():
            if name == "sleep":
                guarded.guard_sleep(ctypes.c_long(round(1e9 * float(rest[0]))))
            print(json.dumps(report(live, guarded)), flush=True)
        last = report(live, guarded)
        stopping.set()
        for thread in threads:
            thread.join()
    print(json.dumps(last | {"recordings": [str(path) for path in live.recordings]}))


if __name__ == "__main__":
    main()
