"""The way through a virtual device: which devices to open, and what people choose elsewhere.

On Linux the sound server gets a device of ours for the time. Windows and macOS have none of their
own: there a virtual cable that the user has installed is taken (written by its documentation, and
not tested on those systems).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rtaudio.errors import DeviceError
from rtaudio.live import virtual
from rtaudio.live.devices import Device, find_device, list_devices, rank
from rtaudio.live.devices import Kind as Side
from rtaudio.live.virtual import Kind

ALSA_DEVICE = "pulse"  # how PortAudio reaches the sound server
LEAVE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Cable:
    """A virtual cable: what is played into `play` comes out of `listen`. Beginnings of names."""

    product: str
    play: str
    listen: str
    home: str


CABLES = {
    "win32": Cable(product="VB-Cable", play="CABLE Input", listen="CABLE Output",
                   home="vb-audio.com/Cable"),
    "darwin": Cable(product="BlackHole", play="BlackHole", listen="BlackHole",
                    home="existential.audio/blackhole"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Route:
    """What to open, with which environment, and what to tell the user."""

    input_device: str | int | None
    output_device: str | int | None
    advice: str
    names: tuple[str, str] | None = None  # of both ends, where the devices' own say nothing
    environment: dict[str, str] = field(default_factory=dict)
    sample_rate: int | None = None  # None: the input device's own
    repair: Callable[[], None] = lambda: None
    leave: Callable[[], object] = lambda: None


@contextlib.contextmanager
def open_route(
    kind: Kind, input_device: str | int | None, output_device: str | int | None
) -> Iterator[Route]:
    """A virtual microphone or speaker for as long as the context lasts; the devices are the user's
    own wishes. What was there before stays; what a crash left behind is replaced.

    Raises DeviceError without a sound server, without a cable, or where another process uses it.
    """
    if sys.platform != "linux":
        yield cable_route(kind, sys.platform, list_devices(), (input_device, output_device))
        return
    yield from _server_route(kind, input_device, output_device)


def _server_route(
    kind: Kind, input_device: str | int | None, output_device: str | int | None
) -> Iterator[Route]:
    found = virtual.look(kind)
    if found.owner_pid not in (None, os.getpid()):
        raise DeviceError(
            f"another rtaudio live (process {found.owner_pid}) uses the virtual "
            f"{'microphone' if kind == 'mic' else 'speaker'}; end that one first."
        )
    check_alsa_plugin(list_devices())
    made = virtual.start(kind, for_this_process=True)
    numbers = virtual.look(kind).numbers if made else ()

    def repair() -> None:
        with contextlib.suppress(DeviceError):
            virtual.start(kind, for_this_process=True)

    def leave() -> subprocess.Popen[bytes] | None:
        return virtual.unload_unwaited(numbers)

    try:
        yield Route(
            **_ends(kind, input_device, output_device),
            advice=virtual.ADVICE[kind],
            sample_rate=virtual.SAMPLE_RATE,
            repair=repair,
            leave=leave,
        )
    finally:
        leaving = leave()
        if leaving is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                leaving.wait(LEAVE_SECONDS)


def _ends(
    kind: Kind, input_device: str | int | None, output_device: str | int | None
) -> dict[str, Any]:
    """Devices, their names, and what makes the sound server connect our own streams to them."""
    side: virtual.Side = "Source" if kind == "mic" else "Sink"
    wanted = input_device if kind == "mic" else output_device
    variable = f"PULSE_{side.upper()}"
    # Through the server where it has such a device: it may hold the card itself.
    if wanted is None:
        chosen = os.environ.get(variable)
        real = virtual.find_real(side, chosen) if chosen else virtual.real_default(side)
    else:  # a number is PortAudio's
        real = None if str(wanted).isdigit() else virtual.find_real(side, str(wanted))
    environment = {} if real is None else {variable: real.name}
    theirs = wanted if real is None else ALSA_DEVICE
    name = str(wanted) if real is None else real.description
    if kind == "mic":
        return {
            "input_device": theirs,
            "output_device": output_device or ALSA_DEVICE,
            "names": (name, "rtaudio-mic"),
            "environment": environment | {"PULSE_SINK": "rtaudio_mic_feed"},
        }
    return {
        "input_device": input_device or ALSA_DEVICE,
        "output_device": theirs,
        "names": ("rtaudio-speaker", name),
        "environment": environment | {"PULSE_SOURCE": "rtaudio_speaker.monitor"},
    }


def check_alsa_plugin(devices: list[Device]) -> None:
    """Raises DeviceError where PortAudio has no way to the sound server."""
    if all(device.name != ALSA_DEVICE for device in devices):
        raise DeviceError(
            "the sound server is there but PortAudio has no way to it; install ALSA's plug-in: "
            "sudo apt-get install libasound2-plugins (Fedora: alsa-plugins-pulseaudio)."
        )


def cable_route(
    kind: Kind,
    platform: str,
    devices: list[Device],
    wanted: tuple[str | int | None, str | int | None],
) -> Route:
    """Through an installed cable. Raises DeviceError where there is none."""
    cable = CABLES.get(platform)
    if cable is None:
        raise DeviceError(f"there is no virtual device for this system ({platform}).")
    ours = _end(cable.play if kind == "mic" else cable.listen, kind, devices)
    theirs = _end(cable.listen if kind == "mic" else cable.play, _other(kind), devices)
    if ours is None or theirs is None:
        raise DeviceError(
            f"this system has no virtual devices of its own; install {cable.product} "
            f"({cable.home}) and start again."
        )
    input_device, output_device = wanted
    if kind == "mic":
        return Route(
            input_device=_not_the_cable(input_device, "input", cable),
            output_device=ours.index if output_device is None else output_device,
            advice=f"choose the microphone '{theirs.name}' in the call program",
        )
    return Route(
        input_device=ours.index if input_device is None else input_device,
        output_device=_not_the_cable(output_device, "output", cable),
        advice=f"choose the speaker '{theirs.name}' in the call program",
    )


def _other(kind: Kind) -> Kind:
    return "speaker" if kind == "mic" else "mic"


def _end(beginning: str, kind: Kind, devices: list[Device]) -> Device | None:
    """The end of a cable that we play into ("mic") or listen to; of the best host API."""
    side: Side = "output" if kind == "mic" else "input"
    ends = [d for d in devices if d.name.startswith(beginning) and d.channels(side) > 0]
    return min(ends, key=lambda d: (rank(d.host_api), d.channels(side)), default=None)


def _not_the_cable(wanted: str | int | None, side: Side, cable: Cable) -> str | int | None:
    """Who has made the cable the default of all programs would hear its own sound."""
    if wanted is not None:
        return wanted
    device = find_device(None, side)
    if device.name.startswith((cable.play, cable.listen)):
        option = "-i" if side == "input" else "-o"
        raise DeviceError(
            f"the default {side} device is {device.name!r}, the cable itself; name yours by "
            f"{option} (rtaudio devices)."
        )
    return device.index
