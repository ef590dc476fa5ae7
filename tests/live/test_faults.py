"""`rtaudio live` on a sound server: Ctrl-C at any time, exit codes, a server that dies for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .playing import PATIENCE_SECONDS


class Command:
    """`rtaudio live` with its counters on stdout."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rtaudio", "live", *arguments, "--stats-json", "-"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stats(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, err = self.process.communicate(timeout=PATIENCE_SECONDS)
            pytest.fail(f"rtaudio live ended with {self.process.returncode}: {err}")
        found: dict[str, Any] = json.loads(line)
        return found

    def stats_when(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            assert time.monotonic() < until, stats

    def finish(self) -> tuple[int, str, float]:
        """Exit code, stderr, seconds."""
        began = time.monotonic()
        _, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, err, time.monotonic() - began

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def command() -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []

    def start(environment: Mapping[str, str], *arguments: str) -> Command:
        commands.append(Command(environment, *arguments))
        return commands[-1]

    yield start
    for each in commands:
        each.stop()


def flows(stats: dict[str, Any]) -> bool:
    return stats["state"] == "running" and stats["seconds"] > 0.0


def check_end(code: int, err: str, expected: int) -> None:
    assert code == expected, err
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("rtaudio live: ")


ON_RIG = ("-i", "rig", "-o", "rig", "--blocksize", "128")


def test_control_c_ends_at_once(serve, command):
    server = serve()
    rig = server.start_rig("counter", 10**9)
    try:
        live = command(server.environment, "wire", *ON_RIG)
        live.stats_when(flows)
        print(f"first sound after {time.monotonic() - live.started:.2f} s")
        live.process.send_signal(signal.SIGINT)
        code, err, seconds = live.finish()
    finally:
        rig.stop()
    print(f"ended after {seconds:.2f} s")
    check_end(code, err, 130)


def test_a_killed_server_that_stays_away_is_exit_code_4(serve, command):
    server = serve()
    rig = server.start_rig("counter", 10**9)
    live = command(server.environment, "denoise", *ON_RIG, "--give-up", "1")
    live.stats_when(flows)
    server.kill()
    rig.stop()
    code, err, seconds = live.finish()
    print(f"ended after {seconds:.2f} s: {err}")
    check_end(code, err, 4)
    assert "lost" in err


def test_control_c_when_the_server_hangs(serve, command):
    server = serve()
    rig = server.start_rig("counter", 10**9)
    try:
        live = command(server.environment, "wire", *ON_RIG)
        live.stats_when(flows)
        os.kill(server.process.pid, signal.SIGSTOP)
        live.process.send_signal(signal.SIGINT)
        code, err, seconds = live.finish()
        print(f"ended after {seconds:.2f} s")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        rig.stop()
    check_end(code, err, 130)


def test_the_duration_ends_it_and_records(serve, command, tmp_path):
    server = serve()
    rig = server.start_rig("counter", 10**9)
    try:
        takes = str(tmp_path / "takes")
        live = command(server.environment, "denoise", *ON_RIG, "--duration", "2", "--record", takes)
        code, err, _ = live.finish()
    finally:
        rig.stop()
    assert code == 0, err
    assert "Traceback" not in err
    assert sorted(path.name[15:] for path in Path(takes).iterdir()) == ["-input.wav", "-output.wav"]


ON_PULSE = ("-i", "rt_mic", "-o", "rt_speaker", "--latency", "0.05")


def test_devices_of_pulseaudio_are_listed(pulse):
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "devices", "--json"],
        env=pulse.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"rt_mic", "rt_speaker"} <= {device["name"] for device in json.loads(done.stdout)}
    assert done.stderr == ""
