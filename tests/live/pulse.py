"""A private PulseAudio with a microphone and a speaker that are not there: for faults, not for
exactness (its null sinks drop and repeat samples by themselves)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

SCRIPT = """\
load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-source source_name=mic rate=48000 channels=1
load-module module-null-sink sink_name=speaker rate=48000 channels=1 format=float32le
set-default-source mic
"""
# PortAudio sees PulseAudio's devices as ALSA's, and only those that have a name there.
ASOUNDRC = """\
pcm.rt_mic { type pulse device mic hint { show on description "rt_mic" } }
pcm.rt_speaker { type pulse device speaker hint { show on description "rt_speaker" } }
"""
PLUGIN = "alsa-lib/libasound_module_pcm_pulse.so"
START_SECONDS = 20.0


def what_is_missing() -> str:
    """A sentence for a skip; empty where the server can run."""
    missing = [tool for tool in ("pulseaudio", "pactl") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install pulseaudio pulseaudio-utils"
    if not list(Path("/usr/lib").glob(f"*/{PLUGIN}")):
        return "needs ALSA's PulseAudio plug-in: apt-get install libasound2-plugins"
    return ""


class Pulse:
    """The server; `environment` is for the programs that are to use it."""

    def __init__(self, home: Path) -> None:
        home.chmod(0o700)
        (home / "rig.pa").write_text(SCRIPT)
        (home / ".asoundrc").write_text(ASOUNDRC)
        self.environment = os.environ | {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "PULSE_RUNTIME_PATH": str(home / "pulse"),
            "PULSE_SERVER": f"unix:{home}/pulse/native",
        }
        self.process = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(home / "rig.pa"), "--daemonize=no",
             "--exit-idle-time=-1", "--use-pid-file=no"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.CalledProcessError):
                if "speaker" in self.pactl("list", "short", "sinks"):
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError("pulseaudio did not start")

    def pactl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pactl", *arguments], env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def remove_speaker(self) -> None:
        """It is the only sink, so the server has no other one to move its streams to."""
        self.pactl("unload-module", self._module("sink_name=speaker"))

    def add_speaker(self) -> None:
        sink = ("sink_name=speaker", "rate=48000", "channels=1", "format=float32le")
        self.pactl("load-module", "module-null-sink", *sink)

    def _module(self, argument: str) -> str:
        for line in self.pactl("list", "short", "modules").splitlines():
            if argument in line:
                return line.split()[0]
        raise AssertionError(f"no module with {argument}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
