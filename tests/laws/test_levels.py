"""fp32 gives the same bits on every CPU level."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rtaudio import _native

DIGESTS = """
from rtaudio.models import RtTcn, rt_tcn
from rtaudio.runtime.model import Model
from rtaudio.runtime.laws import graph_of, reference_digest
from tests.laws.catalogue import EXAMPLES

for name, (layer, channels) in EXAMPLES.items():
    graph = graph_of(layer, channels)
    print(name, reference_digest(Model.from_graph(graph, graph.initial_tensors(1))))
for rate in (16000, 44100, 48000):
    graph = rt_tcn(RtTcn(), rate)
    print(rate, reference_digest(Model.from_graph(graph, graph.initial_tensors(1))))
"""


def digests(level: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "RTAUDIO_CPU_ISA": level},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_all_levels_give_the_same_bits() -> None:
    levels = _native.supported_cpu_levels()
    if len(levels) < 2:
        pytest.skip(f"this processor runs only {', '.join(levels) or 'no level'}")
    first = digests(levels[0])
    for level in levels[1:]:
        assert digests(level) == first, f"{level} differs from {levels[0]}"


def test_an_unknown_level_is_refused_in_a_sentence() -> None:
    code = "import rtaudio._native as n; n.cpu_level()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RTAUDIO_CPU_ISA": "v9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "v9" in done.stderr
