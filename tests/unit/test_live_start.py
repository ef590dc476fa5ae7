"""`rtaudio live` begins at once: PortAudio looks for devices while the rest is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = """
import sys
import rtaudio.cli.live
import rtaudio.live.portaudio
print(*sorted({"numpy", "rich", "sounddevice", "rtaudio._native"} & set(sys.modules)))
"""


def test_nothing_slow_comes_before_portaudio():
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no-such-model"], 1, "there is no model 'no-such-model'"),
        (["-a", "999"], 2, "-a 999: rt-tcn takes 0 to 120 dB"),
        (["--fallback", "no-such-model"], 1, "there is no model 'no-such-model'"),
    ],
)
def test_an_error_meanwhile_is_one_sentence(arguments, code, said):
    """Nothing that drivers print comes after it."""
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "live", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(f"rtaudio live: {said}")
    assert done.stderr.count("\n") == 1
