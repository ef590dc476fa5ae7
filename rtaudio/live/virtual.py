"""A microphone that other programs see, and a speaker that they play to.

Two modules of PulseAudio, or of PipeWire in its place, known by their names: whatever a crashed
program left behind is found again, used again and removed in the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtaudio.errors import DeviceError
from rtaudio.live.portaudio import HANGS

Kind = Literal["mic", "speaker"]
Side = Literal["Source", "Sink"]
PACTL_SECONDS = 10.0
SAMPLE_RATE = 48_000
FORMAT = (f"rate={SAMPLE_RATE}", "format=float32le")
OWNER = "rtaudio.owner"
PREFIX = "rtaudio_"  # of all names that are ours


@dataclass(frozen=True, kw_only=True)
class Module:
    """What is loaded, the argument that it is known by, and the name that people see."""

    name: str
    key: str
    arguments: tuple[str, ...]
    properties: str
    description: str


# What we play into the sink "rtaudio_mic_feed" comes out of the source "rtaudio_mic". Some programs
# hide monitors of sinks, hence the second module.
MODULES: dict[Kind, tuple[Module, ...]] = {
    "mic": (
        Module(
            name="module-null-sink",
            key="sink_name=rtaudio_mic_feed",
            arguments=("channel_map=mono", *FORMAT),
            properties="sink_properties",
            description="rtaudio-mic-feed",
        ),
        Module(
            name="module-remap-source",
            key="source_name=rtaudio_mic",
            arguments=("master=rtaudio_mic_feed.monitor",),
            properties="source_properties",
            description="rtaudio-mic",
        ),
    ),
    "speaker": (
        Module(
            name="module-null-sink",
            key="sink_name=rtaudio_speaker",
            arguments=FORMAT,
            properties="sink_properties",
            description="rtaudio-speaker",
        ),
    ),
}
ADVICE: dict[Kind, str] = {
    "mic": "choose the microphone 'rtaudio-mic' in the call program",
    "speaker": "choose the speaker 'rtaudio-speaker' in the call program",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is there of a device. `numbers`: of its modules; `owner`: the program that will remove
    it, "" where it stays until `stop`."""

    numbers: tuple[str, ...]
    whole: bool
    owner: str

    @property
    def owner_pid(self) -> int | None:
        """The process that uses it; None where there is none, or it has crashed."""
        pid = self.owner.partition("-")[0]
        return int(pid) if self.owner and self.owner == _identity(pid) else None

    @property
    def is_left_behind(self) -> bool:
        return bool(self.numbers) and (
            not self.whole or (self.owner != "" and self.owner_pid is None)
        )


def _identity(pid: str) -> str:
    """A process by its number and its time of birth: numbers are used again. "" if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return ""
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


def look(kind: Kind) -> Found:
    """Raises DeviceError without a sound server."""
    numbers, owner = [], ""
    for line in _pactl("list", "short", "modules").splitlines():
        number, _, rest = line.partition("\t")
        for module in MODULES[kind]:
            if module.key in rest.split():
                numbers.append(number)
                marked = re.search(rf"{re.escape(OWNER)}=([0-9]+-[0-9]+)", rest)
                owner = marked[1] if marked else owner
    return Found(numbers=tuple(numbers), whole=len(numbers) == len(MODULES[kind]), owner=owner)


def start(kind: Kind, *, for_this_process: bool = False) -> bool:
    """Makes the device. False where it was there already; what a crash left behind is replaced.

    `for_this_process`: it is known to be left behind when this process has ended. Raises
    DeviceError without a sound server, or where it refuses.
    """
    found = look(kind)
    if found.whole and not found.is_left_behind:
        return False
    _unload(found)
    owner = f" {OWNER}={_identity(str(os.getpid()))}" if for_this_process else ""
    try:
        for module in MODULES[kind]:
            properties = f"{module.properties}='device.description={module.description}{owner}'"
            _pactl("load-module", module.name, module.key, *module.arguments, properties)
    except DeviceError:
        _unload(look(kind))
        raise
    return True


def stop(kind: Kind) -> bool:
    """Removes the device, or what is left of it. False where there was nothing."""
    found = look(kind)
    _unload(found)
    return bool(found.numbers)


def _unload(found: Found) -> None:
    for number in reversed(found.numbers):
        _pactl("unload-module", number)


def unload_unwaited(numbers: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """Removes modules by a program that outlives this one: a sound server may take its time."""
    if not numbers:
        return None
    lines = "; ".join(f"pactl unload-module {int(number)}" for number in reversed(numbers))
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        ["sh", "-c", lines], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    )


def server() -> str:
    """The sound server's name. Raises DeviceError where there is none."""
    return _info("Server Name") or "unknown"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A source or a sink of the server that is not ours."""

    name: str
    description: str

    def fits(self, wanted: str) -> bool:
        return wanted.casefold() in f"{self.name} {self.description}".casefold()


def endpoints(side: Side) -> list[Endpoint]:
    """Microphones before what a speaker plays, which is better than nothing."""
    found: list[Endpoint] = []
    name = ""
    for line in _pactl("list", f"{side.lower()}s").splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "Name":
            name = value
        elif key == "Description" and name and not name.startswith(PREFIX):
            found.append(Endpoint(name=name, description=value))
            name = ""
    return sorted(found, key=lambda each: each.name.endswith(".monitor"))


def real_default(side: Side) -> Endpoint:
    """The user's microphone or speaker: the server's default, or the first other one where that is
    a virtual device of ours (who chooses it for all programs chooses it for us too).

    Raises DeviceError where there is no other.
    """
    found = endpoints(side)
    if not found:
        what = "microphone" if side == "Source" else "speaker"
        raise DeviceError(f"there is no {what} beside rtaudio's own; plug one in and try again.")
    default = _info(f"Default {side}")
    return next((each for each in found if each.name == default), found[0])


def find_real(side: Side, wanted: str) -> Endpoint | None:
    """The microphone or speaker with that name or a part of it; None: the server has none such.

    Raises DeviceError where several fit.
    """
    found = endpoints(side)
    fitting = [each for each in found if each.name == wanted] or [
        each for each in found if each.fits(wanted)
    ]
    # The monitor of a speaker has its name too.
    fitting = [each for each in fitting if not each.name.endswith(".monitor")] or fitting
    if len(fitting) > 1:
        names = ", ".join(repr(each.description) for each in fitting)
        raise DeviceError(f"{wanted!r} fits several: {names}; give more of the name.")
    return fitting[0] if fitting else None


def _info(key: str) -> str:
    for line in _pactl("info").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return ""


def _pactl(*arguments: str) -> str:
    if sys.platform != "linux":
        raise DeviceError(
            "rtaudio makes virtual devices with PulseAudio and PipeWire alone; here `rtaudio live "
            "--virtual-mic` uses a virtual cable that is installed."
        )
    if shutil.which("pactl") is None:
        raise DeviceError(
            "a virtual device needs pactl, of PulseAudio or PipeWire: sudo apt-get install "
            "pulseaudio-utils."
        )
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            timeout=PACTL_SECONDS,
            check=False,
            env=os.environ | {"LC_ALL": "C"},  # "Server Name:" in every language
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(HANGS) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split()).rstrip(".")
        if "Connection failure" in said:
            raise DeviceError(
                "no sound server answers; a virtual device needs PulseAudio or PipeWire running "
                "for this user (`rtaudio doctor` says more)."
            )
        raise DeviceError(
            f"the sound server refuses ({said or 'no reason given'}); a virtual device needs "
            "PulseAudio or PipeWire running for this user."
        )
    return done.stdout
