"""Runs Live on the rig until its stdin ends, with Python kept busy in the same process.

play.py CONFIG MODEL|wire [busy ...]: CONFIG is LiveConfig's as JSON; prints its counters as JSON.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import threading
import time
from collections.abc import Callable

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


def main() -> None:
    settings, model, *busy = sys.argv[1:]
    config = LiveConfig(**{"input_device": "rig", "output_device": "rig"} | json.loads(settings))
    with Live(None if model == "wire" else model, config) as live:
        threads = [threading.Thread(target=keep_busy, args=(WORK[name],)) for name in busy]
        for thread in threads:
            thread.start()
        print("playing", flush=True)
        sys.stdin.read()
        stats = live.stats()
        stopping.set()
        for thread in threads:
            thread.join()
    recordings = [str(path) for path in live.recordings]
    print(json.dumps({"delay": live.delay_samples, "recordings": recordings, **stats.as_json()}))


if __name__ == "__main__":
    main()
