"""JACK's dummy driver as a sound card, and the rig that plays and listens (rig.c)."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = ("jackd", "jack_wait", "jack_freewheel")


def what_is_missing() -> str:
    """A sentence for a skip; empty where the rig can run."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install jackd2 (./dev test does it as root)"
    if shutil.which("cc") is None:
        return "needs a C compiler for the rig"
    if not Path("/usr/include/jack/jack.h").exists():
        return "needs JACK's header: apt-get install libjack-jackd2-dev"
    return ""


def compile_c(source: str, path: Path, *options: str) -> Path:
    command = ["cc", "-O2", "-Wall", "-Wextra", str(HERE / source), "-o", str(path)]
    subprocess.run([*command, *options], check=True)
    return path


def compile_rig(folder: Path) -> Path:
    return compile_c("rig.c", folder / "rig", "-ljack", "-lpthread", "-lm")


def may_run_real_time() -> bool:
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    can_set_priorities = bool(capabilities >> 23 & 1)  # CAP_SYS_NICE
    return can_set_priorities or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] >= 80


@dataclass
class Verdict:
    """What the rig found."""

    frames: int
    altered: int
    breaks: int
    first: int
    round_trip: int
    xruns: int
    stall_ms: float
    heard_at: float  # by time.monotonic()


class Server:
    """A private jackd, ended by stop()."""

    def __init__(self, rig: Path, *, rate: int = 48_000, period: int = 128) -> None:
        self.rig = rig
        self.rate, self.period = rate, period
        self.name = f"rtaudio-test-{os.getpid()}-{threading.get_native_id()}"
        self.environment = os.environ | {
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
            "JACK_DEFAULT_SERVER": self.name,
        }
        self.start()

    def start(self) -> None:
        """Also after kill(), under the same name."""
        real_time = ["-R", "-P", "80"] if may_run_real_time() else ["-r"]
        driver = ["-d", "dummy", "-r", str(self.rate), "-p", str(self.period), "-C", "2", "-P", "2"]
        self.process = subprocess.Popen(
            ["jackd", *real_time, "-n", self.name, *driver],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.tool("jack_wait", "-w", "-t", "20")

    def tool(self, name: str, *arguments: str) -> None:
        server = ["-s", self.name] if name == "jack_wait" else []
        subprocess.run(
            [name, *server, *arguments], env=self.environment, check=True, capture_output=True
        )

    def freewheel(self, on: bool) -> None:
        self.tool("jack_freewheel", "y" if on else "n")

    def start_rig(self, *arguments: object) -> Rig:
        return Rig(self, [str(each) for each in arguments])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


class Rig:
    """The rig's process; a device called "rig" exists when this is made."""

    def __init__(self, server: Server, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [str(server.rig), *arguments],
            env=server.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if self.process.stdout.readline().strip() != "ready":
            self.process.kill()
            raise RuntimeError(self.process.stderr.read())

    def verdict(self, seconds: float) -> Verdict:
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, err
        return Verdict(**json.loads(out.strip().splitlines()[-1]))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
