"""process() neither allocates nor locks, seen from Python: a counter is loaded before malloc.

What a call costs around the engine (arguments, the output, the GIL) is the same for few frames and
for many, so that any difference is the engine's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COUNTER = ROOT / "tests" / "native" / "allocation_counter.cpp"

COUNT = """
import ctypes, gc
import numpy as np
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from tests.laws.catalogue import EXAMPLES

library = ctypes.PyDLL(None)
count = getattr(library, "_ZN7rtaudio18num_blocking_callsEv")
count.restype = ctypes.c_int64

def calls_of(function, *arguments):
    before = count()
    result = function(*arguments)
    return count() - before, result

def take_lock():
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_unlock(mutex)

def take_memory():
    library.free(ctypes.c_void_p(library.malloc(10)))

library.malloc.restype = ctypes.c_void_p
mutex = ctypes.create_string_buffer(64)
for function in (lambda: None, take_lock, take_memory):
    function()
idle = calls_of(lambda: None)[0]
print("lock", calls_of(take_lock)[0] - idle)
print("memory", calls_of(take_memory)[0] - idle)

gc.disable()
for name, (layer, channels) in EXAMPLES.items():
    graph = graph_of(layer, channels)
    stream = Model.from_graph(graph, graph.initial_tensors(1)).stream(channels=channels)
    # Outputs of more than a kilobyte: numpy keeps smaller ones for the next array.
    few = graph.plan.block * 600
    inputs = [np.zeros((n, channels), np.float32) for n in (few, few, 4 * few)]
    counts = [calls_of(stream.push, x)[0] for x in inputs]
    print(name.replace(" ", "_"), counts[2] - counts[1])
"""


def compiler() -> str:
    found = shutil.which("g++") or shutil.which("clang++")
    if found is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C++ compiler for the counter")
    return found


def test_the_engine_neither_allocates_nor_locks(tmp_path: Path) -> None:
    library = tmp_path / "counter.so"
    command = [compiler(), "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, COUNTER]
    subprocess.run([*command, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counts = {name: int(n) for name, n in map(str.split, done.stdout.splitlines())}
    assert counts.pop("lock") >= 1, "the counter does not see locks"
    assert counts.pop("memory") >= 2, "the counter does not see malloc and free"
    assert len(counts) > 50
    assert not {name: n for name, n in counts.items() if n != 0}
