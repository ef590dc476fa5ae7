"""A microphone that other programs see, and a speaker that they play to.

Two modules of PulseAudio, or of PipeWire in its place, known by their names: whatever a crashed
program left behind is found again, used again and removed in the end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from rtaudio.errors import DeviceError

Kind = Literal["mic", "speaker"]
ALSA_DEVICE = "pulse"  # how PortAudio reaches the sound server
PACTL_SECONDS = 10.0
FORMAT = ("rate=48000", "format=float32le")


@dataclass(frozen=True, kw_only=True)
class Module:
    """What is loaded, and the argument that it is known by."""

    name: str
    key: str
    arguments: tuple[str, ...]


# What we play into the sink "rtaudio_mic_feed" comes out of the source "rtaudio_mic". Some programs
# hide monitors of sinks, hence the second module.
MODULES: dict[Kind, tuple[Module, ...]] = {
    "mic": (
        Module(
            name="module-null-sink",
            key="sink_name=rtaudio_mic_feed",
            arguments=(
                "channel_map=mono",
                *FORMAT,
                "sink_properties=device.description=rtaudio-mic-feed",
            ),
        ),
        Module(
            name="module-remap-source",
            key="source_name=rtaudio_mic",
            arguments=(
                "master=rtaudio_mic_feed.monitor",
                "source_properties=device.description=rtaudio-mic",
            ),
        ),
    ),
    "speaker": (
        Module(
            name="module-null-sink",
            key="sink_name=rtaudio_speaker",
            arguments=(*FORMAT, "sink_properties=device.description=rtaudio-speaker"),
        ),
    ),
}
ADVICE: dict[Kind, str] = {
    "mic": "choose the microphone 'rtaudio-mic' in the call program",
    "speaker": "choose the speaker 'rtaudio-speaker' in the call program",
}


def environment(kind: Kind) -> dict[str, str]:
    """What makes the sound server connect our own stream to the device."""
    if kind == "mic":
        return {"PULSE_SINK": "rtaudio_mic_feed"}
    return {"PULSE_SOURCE": "rtaudio_speaker.monitor"}


def loaded(kind: Kind) -> dict[str, str]:
    """The keys of its modules that are there, with the server's numbers of them."""
    found: dict[str, str] = {}
    for line in _pactl("list", "short", "modules").splitlines():
        number, _, rest = line.partition("\t")
        words = rest.split()
        for module in MODULES[kind]:
            if module.key in words:
                found[module.key] = number
    return found


def is_complete(kind: Kind) -> bool:
    return len(loaded(kind)) == len(MODULES[kind])


def start(kind: Kind) -> bool:
    """Makes the device. False where it was there already; half of one is replaced.

    Raises DeviceError without a sound server, or where it refuses.
    """
    if is_complete(kind):
        return False
    stop(kind)
    try:
        for module in MODULES[kind]:
            _pactl("load-module", module.name, module.key, *module.arguments)
    except DeviceError:
        stop(kind)
        raise
    return True


def stop(kind: Kind) -> bool:
    """Removes the device, or what is left of it. False where there was nothing."""
    found = loaded(kind)
    for module in reversed(MODULES[kind]):
        if module.key in found:
            _pactl("unload-module", found[module.key])
    return bool(found)


def server() -> str:
    """The sound server's name. Raises DeviceError where there is none."""
    for line in _pactl("info").splitlines():
        if line.startswith("Server Name:"):
            return line.partition(":")[2].strip()
    return "unknown"


def _pactl(*arguments: str) -> str:
    if sys.platform != "linux":
        other = "BlackHole" if sys.platform == "darwin" else "VB-Cable"
        raise DeviceError(
            f"this system has no virtual devices of its own; install {other} and give its name "
            "to rtaudio live -o."
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
            env=_plain_environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            "the sound server does not answer; restart it (systemctl --user restart pipewire or "
            "pulseaudio) and try again."
        ) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split()).rstrip(".")
        raise DeviceError(
            f"the sound server refuses ({said or 'no reason given'}); a virtual device needs "
            "PulseAudio or PipeWire running for this user."
        )
    return done.stdout


def _plain_environment() -> dict[str, str]:
    import os

    return os.environ | {"LC_ALL": "C"}  # "Server Name:" in every language
