"""A private PulseAudio or PipeWire with a microphone and a speaker that are not there: for faults,
not for exactness (their null sinks drop and repeat samples by themselves)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

FORMAT = ("rate=48000", "channels=1", "format=float32le")
SCRIPT = f"""\
load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-source source_name=mic rate=48000 channels=1
load-module module-null-sink sink_name=speaker {" ".join(FORMAT)}
set-default-source mic
set-default-sink speaker
"""
# PortAudio sees PulseAudio's devices as ALSA's, and only those that have a name there.
ASOUNDRC = """\
pcm.rt_mic { type pulse device mic hint { show on description "rt_mic" } }
pcm.rt_speaker { type pulse device speaker hint { show on description "rt_speaker" } }
"""
PLUGIN = "alsa-lib/libasound_module_pcm_pulse.so"
START_SECONDS = 60.0


def what_is_missing(*tools: str) -> str:
    """A sentence for a skip; empty where the server of these programs can run."""
    missing = [tool for tool in (*tools, "pactl") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}; CI installs it, ./dev test leaves a machine's sound be"
    if not list(Path("/usr/lib").glob(f"*/{PLUGIN}")):
        return "needs ALSA's PulseAudio plug-in: apt-get install libasound2-plugins"
    return ""


class Pulse:
    """The server; `environment` is for the programs that are to use it."""

    tools: tuple[str, ...] = ("pulseaudio",)

    def __init__(self, home: Path) -> None:
        home.chmod(0o700)
        (home / "rig.pa").write_text(SCRIPT)
        (home / ".asoundrc").write_text(ASOUNDRC)
        self.environment = os.environ | {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "PULSE_RUNTIME_PATH": str(home / "pulse"),
            "PULSE_SERVER": f"unix:{home}/pulse/native",
        }
        self.start()

    def start(self) -> None:
        """Also after kill()."""
        self.process = subprocess.Popen(
            self.command(),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.CalledProcessError):
                if self.is_ready():
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.tools[0]} did not start")

    def command(self) -> list[str]:
        script = str(Path(self.environment["HOME"]) / "rig.pa")
        return ["pulseaudio", "-n", "-F", script, "--daemonize=no", "--exit-idle-time=-1",
                "--use-pid-file=no"]  # fmt: skip

    def is_ready(self) -> bool:
        return "speaker" in self.pactl("list", "short", "sinks")

    def pactl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pactl", *arguments], env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def remove_speaker(self) -> None:
        """It is the only sink, so the server has no other one to move its streams to."""
        self.pactl("unload-module", self._module("sink_name=speaker"))

    def add_speaker(self) -> None:
        self.pactl("load-module", "module-null-sink", "sink_name=speaker", *FORMAT)

    def _module(self, argument: str) -> str:
        for line in self.pactl("list", "short", "modules").splitlines():
            if argument in line:
                return line.split()[0]
        raise AssertionError(f"no module with {argument}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class PipeWire(Pulse):
    """The same devices on PipeWire, which answers to PulseAudio's protocol."""

    tools = ("pipewire", "pipewire-pulse", "wireplumber", "dbus-run-session")

    def command(self) -> list[str]:
        # Without a bus of its own it would look for the user's. Those that come after pipewire end
        # at once where it is not there yet.
        ready = 'until [ -S "$XDG_RUNTIME_DIR/pipewire-0" ]; do sleep 0.1; done'
        return ["dbus-run-session", "--", "sh", "-c",
                f"pipewire & {ready}; wireplumber & pipewire-pulse & wait"]  # fmt: skip

    def is_ready(self) -> bool:
        if "PipeWire" not in self.pactl("info"):
            return False
        there = self.pactl("list", "short", "modules")
        for name in ("mic", "speaker"):
            if f"sink_name={name}" not in there:
                self.pactl("load-module", "module-null-sink", f"sink_name={name}", *FORMAT)
        self.pactl("set-default-source", "mic.monitor")
        self.pactl("set-default-sink", "speaker")
        return True
