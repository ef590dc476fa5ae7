"""What `rtaudio doctor` says about live sound: host APIs, the sound server, real-time rights."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from rtaudio.cli.finding import Finding
from rtaudio.errors import DeviceError

LEAST_PRIORITY = 70  # what the engine asks for


def sound_card() -> Iterator[Finding]:
    from rtaudio.live.devices import list_devices
    from rtaudio.live.portaudio import sounddevice

    try:
        module = sounddevice()
        devices = list_devices()
    except DeviceError as error:
        yield Finding(topic="sound", text="not usable", advice=f"{error} Files work without it.")
        return
    except Exception as error:  # PortAudio's own failures
        yield Finding(
            topic="sound",
            text=" ".join(str(error).split()),
            advice="PortAudio fails here: restart the sound server. Files work without it.",
        )
        return
    version = module.get_portaudio_version()[1].partition(",")[0]
    inputs = sum(device.input_channels > 0 for device in devices)
    outputs = sum(device.output_channels > 0 for device in devices)
    missing = [kind for kind, count in (("input", inputs), ("output", outputs)) if not count]
    yield Finding(
        topic="sound",
        text=f"{version}; {inputs} inputs, {outputs} outputs",
        advice=f"There is no sound {' or '.join(missing)} device here, so live sound cannot start. "
        "Files work without one."
        if missing
        else "",
    )
    apis = ", ".join(sorted({device.host_api for device in devices})) or "none has a device"
    yield Finding(topic="host APIs", text=apis)


def sound_server() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    from rtaudio.live import virtual

    if shutil.which("pactl") is None:
        yield Finding(topic="sound server", text="unknown: there is no pactl to ask")
        return
    try:
        yield Finding(topic="sound server", text=virtual.server())
    except DeviceError:
        yield Finding(topic="sound server", text="neither PulseAudio nor PipeWire answers")


def real_time_rights() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    import os
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    if os.geteuid() == 0 or limit == resource.RLIM_INFINITY or limit >= LEAST_PRIORITY:
        yield Finding(topic="real time", text="threads may ask for real-time priority")
        return
    yield Finding(
        topic="real time",
        text=f"threads may ask for priority {limit} at most",
        advice="For live sound without gaps on a busy machine, allow real-time priority: "
        "sudo usermod -aG audio $USER, a line '@audio - rtprio 95' in "
        "/etc/security/limits.d/audio.conf, and log in again.",
    )
