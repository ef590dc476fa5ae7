"""The virtual microphone on a real PulseAudio and a real PipeWire: made, found again, repaired,
removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtaudio.cli.main import main

from .pulse import FORMAT, PipeWire, Pulse, what_is_missing
from .test_faults import PATIENCE_SECONDS, check_end, flows
from .test_faults import command as command

LATENCY = ("--latency", "0.05")


@pytest.fixture(params=[Pulse, PipeWire], ids=["pulseaudio", "pipewire"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pulse]:
    missing = what_is_missing(*request.param.tools)
    if missing:
        pytest.skip(missing)
    home = tmp_path / "home"
    home.mkdir()
    server = request.param(home)
    yield server
    server.stop()


@pytest.fixture
def call(server, capsys, monkeypatch):
    """Runs `rtaudio virtual-mic` against the private server: exit code and what it said."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, what: str = "virtual-mic") -> tuple[int, str]:
        code = main([what, *arguments])
        return code, capsys.readouterr().out

    return run


def listed(server, what: str) -> dict[str, str]:
    """Of sinks or sources: number by name."""
    lines = server.pactl("list", "short", what).splitlines()
    return {line.split("\t")[1]: line.split("\t")[0] for line in lines}


def modules(server) -> str:
    """Those of rtaudio: others come and go by themselves."""
    lines = server.pactl("list", "short", "modules").splitlines()
    return "\n".join(line for line in lines if "rtaudio" in line)


def wait_for(condition) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.2)


def test_it_is_made_once_found_repaired_and_removed(server, call):
    assert call("status") == (1, "it is not there\n")
    code, out = call("start")
    assert code == 0
    assert out.startswith("made: choose the microphone 'rtaudio-mic'")
    assert "rtaudio_mic" in listed(server, "sources")
    before = modules(server)
    code, out = call("start")
    assert code == 0
    assert out.startswith("it was there already")
    assert modules(server) == before
    assert call("status")[0] == 0
    # A crash in between left half of it.
    number = next(line.split()[0] for line in before.splitlines() if "remap" in line)
    server.pactl("unload-module", number)
    assert call("status") == (1, "a crash has left it behind; start repairs it, stop removes it\n")
    assert call("start")[1].startswith("made")
    assert "rtaudio_mic" in listed(server, "sources")
    assert call("stop") == (0, "removed\n")
    assert call("stop") == (0, "there was nothing to remove\n")
    assert modules(server) == ""
    assert call("start", what="virtual-speaker")[0] == 0
    assert "rtaudio_speaker" in listed(server, "sinks")
    assert call("stop", what="virtual-speaker") == (0, "removed\n")


def test_without_a_sound_server_it_is_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "virtual-mic", "start"],
        env=os.environ | {"PULSE_SERVER": f"unix:{tmp_path}/nowhere", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("rtaudio virtual-mic: ")
    assert done.stderr.count("\n") == 1


def test_live_makes_it_plays_into_it_and_removes_it(server, call, command):
    # Somebody has made our microphone the one of all programs: we must not hear ourselves.
    assert call("start")[0] == 0
    server.pactl("set-default-source", "rtaudio_mic")
    assert call("stop")[0] == 0
    live = command(server.environment, "denoise", "--virtual-mic", *LATENCY)
    live.stats_when(flows)
    server.pactl("set-default-source", "rtaudio_mic")
    feed = listed(server, "sinks")["rtaudio_mic_feed"]

    def players() -> list[str]:
        lines = server.pactl("list", "short", "sink-inputs").splitlines()
        return [line.split("\t")[1] for line in lines if "remap" not in line]

    wait_for(lambda: players() == [feed])  # on a busy machine it may be reconnecting
    code, out = call("status")
    assert code == 0
    assert f"while rtaudio live (process {live.process.pid}) runs" in out
    live.process.send_signal(signal.SIGINT)
    code, err, _ = live.finish()
    check_end(code, err, 130)
    assert "choose the microphone 'rtaudio-mic'" in err
    wait_for(lambda: modules(server) == "")


RAW = ("--raw", "--format=float32le", "--rate=48000", "--channels=1", "--latency-msec=50")
TONE_HZ = 1_000
CLEAR = 0.5  # of the energy; null sinks leave gaps on a busy machine, and noise has a thousandth


def tone_share(x: np.ndarray) -> float:
    """Of the energy in the half second where the tone is clearest."""
    shares = []
    for part in np.split(x[: x.size // 24_000 * 24_000], x.size // 24_000):
        energy = np.abs(np.fft.rfft(part * np.hanning(part.size))) ** 2
        line = TONE_HZ * part.size // 48_000
        shares.append(energy[line - 4 : line + 5].sum() / (energy.sum() + 1e-9))
    return max(shares)


# Both ways on one server each: a minute of CI is long.
@pytest.mark.parametrize(("server", "kind"), [(Pulse, "speaker"), (PipeWire, "mic")],
                         indirect=["server"], ids=["pulseaudio", "pipewire"])  # fmt: skip
def test_what_goes_in_comes_out_on_the_other_side(server, command, tmp_path, kind):
    """A tone at the user's microphone is heard on ours; one on our speaker, on the user's."""
    server.pactl("load-module", "module-null-sink", "sink_name=user_mic", *FORMAT)
    chosen = {"mic": ("-i", "user_mic"), "speaker": ("-o", "speaker")}[kind]
    live = command(server.environment, "wire", f"--virtual-{kind}", *chosen, *LATENCY)
    live.stats_when(flows)
    into, out = {
        "mic": ("user_mic", "rtaudio_mic"),
        "speaker": ("rtaudio_speaker", "speaker.monitor"),
    }[kind]
    t = np.arange(60 * 48_000) / 48_000
    (0.1 * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.float32).tofile(tmp_path / "tone.raw")
    quiet = {"env": server.environment, "stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    player = subprocess.Popen(["pacat", *RAW, f"--device={into}", tmp_path / "tone.raw"], **quiet)
    listener = subprocess.Popen(["parec", *RAW, f"--device={out}"], stdout=subprocess.PIPE, **quiet)
    try:
        shares: list[float] = []
        assert listener.stdout is not None
        while len(shares) < 20 and max(shares, default=0.0) < CLEAR:
            heard = np.frombuffer(listener.stdout.read(4 * 48_000), np.float32)
            shares.append(tone_share(heard))
    finally:
        for each in (player, listener):
            each.kill()
            each.communicate()
    assert max(shares) >= CLEAR, shares


on_pulseaudio = pytest.mark.parametrize("server", [Pulse], indirect=True, ids=["pulseaudio"])


@on_pulseaudio
def test_the_sound_flows_on(server, command):
    """Its two ends have clocks of their own: one stream for both stood still for 12 to 15 times in
    four seconds of sound, each time. A busy machine may stand still for a moment, but not always.
    """
    stalls = []
    while len(stalls) < 3 and min(stalls, default=2) >= 2:
        live = command(server.environment, "wire", "--virtual-mic")
        stalls.append(live.stats_when(lambda stats: stats["seconds"] > 4)["counts"]["stalls"])
        live.process.send_signal(signal.SIGINT)
        live.finish()
    assert min(stalls) < 2, stalls


@on_pulseaudio
def test_what_a_killed_live_leaves_is_replaced_and_removed(server, call, command):
    killed = command(server.environment, "wire", "--virtual-speaker", *LATENCY)
    killed.stats_when(flows)
    killed.process.kill()
    killed.process.wait()
    assert call("status", what="virtual-speaker")[0] == 1
    left = modules(server)
    assert left
    live = command(server.environment, "wire", "--virtual-speaker", *LATENCY)
    live.stats_when(flows)
    assert modules(server)
    assert modules(server) != left
    live.process.send_signal(signal.SIGTERM)
    code, err, _ = live.finish()
    check_end(code, err, 130)
    wait_for(lambda: modules(server) == "")


@on_pulseaudio
def test_control_c_when_the_sound_server_hangs(server, command):
    live = command(server.environment, "wire", "--virtual-mic", *LATENCY)
    live.stats_when(flows)
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        live.process.send_signal(signal.SIGINT)
        code, err, _ = live.finish()
        print(f"ended after {time.monotonic() - began:.2f} s")
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)
    check_end(code, err, 130)
    # The server does what it was asked when it goes on.
    wait_for(lambda: modules(server) == "")


@on_pulseaudio
def test_control_c_while_a_hanging_server_is_asked_for_devices(server):
    """PortAudio asks when it is loaded, and does not come back."""
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        program = subprocess.Popen(
            [sys.executable, "-m", "rtaudio", "devices"],
            env=server.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2.0)
        began = time.monotonic()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=PATIENCE_SECONDS)
        print(f"ended after {time.monotonic() - began:.2f} s")
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)
    assert program.returncode == 130
    assert err == "rtaudio devices: interrupted; no unfinished output was left\n"
