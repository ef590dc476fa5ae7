"""What the fuzz tests share: seeded cases in a loop, in a process whose memory is limited."""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Some file systems wait for the disk each time that a file is written anew.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
HANG_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """A loader, the files to begin with, and what is done to them."""

    name: str
    suffix: str
    outcomes: tuple[str, ...]
    memory: int  # bytes of addresses
    resident: int = 3000 << 20  # bytes in use
    seeds: Callable[[Path], list[bytes]]  # may leave other files in the folder of the cases
    mutate: Callable[[random.Random, bytes], bytes]
    attempt: Callable[[Path, random.Random], Iterable[str]]  # an outcome for each way to open it

    def run(self, first: int, cases: int, seconds: float) -> dict[str, int]:
        """How often each outcome came. A case that ends otherwise is kept and raised."""
        results = dict.fromkeys(self.outcomes, 0)
        until = time.monotonic() + seconds
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
            files = self.seeds(Path(name))
            path = Path(name) / f"case{self.suffix}"
            for case in range(first, first + cases):
                rng = random.Random(case)
                data = self.mutate(rng, rng.choice(files))
                path.write_bytes(data)
                faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
                try:
                    for outcome in self.attempt(path, rng):
                        results[outcome] += 1
                except BaseException as error:
                    kept = Path(tempfile.gettempdir()) / f"{self.name}-fuzz-{case}{self.suffix}"
                    kept.write_bytes(data)
                    raise AssertionError(f"case {case}: {error!r:.300}; kept as {kept}") from error
                faulthandler.cancel_dump_traceback_later()
                if time.monotonic() > until:
                    break
        return results

    def main(self) -> None:
        """By hand or from a test, in a process of its own."""
        parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--cases", type=int, default=1 << 40)
        parser.add_argument("--seconds", type=float, default=1e9)
        args = parser.parse_args()
        if "libasan" not in os.environ.get("LD_PRELOAD", ""):  # which maps terabytes
            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
        results = self.run(args.seed, args.cases, args.seconds)
        print(", ".join(f"{name} {count}" for name, count in results.items()))


def outcomes_of(module: str, cases: int) -> dict[str, int]:
    """Runs a module's main() and gives what it counted."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--cases", str(cases)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = (part.split(" ") for part in done.stdout.strip().split(", "))
    return {name: int(count) for name, count in counts}
