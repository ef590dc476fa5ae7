"""What `rtaudio doctor` says about live sound: host APIs, the sound server, real-time rights."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from rtaudio.cli.finding import Finding
from rtaudio.errors import DeviceError

LEAST_PRIORITY = 70  # what the engine asks for
SOUND = "sound"
MOST_SAID = 6  # lines of the drivers


def sound_card() -> Iterator[Finding]:
    from rtaudio.live.devices import list_devices
    from rtaudio.live.portaudio import refresh, sounddevice

    said: list[str] = []
    try:
        module = sounddevice()
        refresh(said)
        devices = list_devices()
    except DeviceError as error:
        yield Finding(topic=SOUND, text="not usable", advice=f"{error} Files work without it.")
        return
    except Exception as error:  # PortAudio's own failures
        yield Finding(
            topic=SOUND,
            text=" ".join(str(error).split()),
            advice="PortAudio fails here: restart the sound server. Files work without it.",
        )
        return
    version = module.get_portaudio_version()[1].partition(",")[0]
    inputs = sum(device.input_channels > 0 for device in devices)
    outputs = sum(device.output_channels > 0 for device in devices)
    missing = [kind for kind, count in (("input", inputs), ("output", outputs)) if not count]
    yield Finding(
        topic=SOUND,
        text=f"{version}; {inputs} inputs, {outputs} outputs",
        advice=f"There is no sound {' or '.join(missing)} device here, so live sound cannot start. "
        "Files work without one."
        if missing
        else "",
    )
    apis = ", ".join(sorted({device.host_api for device in devices})) or "none has a device"
    yield Finding(topic="host APIs", text=apis)
    # Each program that uses sound here gets these lines; the last ones mostly say what matters.
    for line in list(dict.fromkeys(said))[-MOST_SAID:]:
        yield Finding(topic="drivers say", text=line)


def has_sound(findings: list[Finding]) -> bool:
    """Whether there is something to listen to and something to play on."""
    return any(finding.topic == SOUND and not finding.advice for finding in findings)


def sound_server() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    from rtaudio.live import virtual
    from rtaudio.live.devices import list_devices
    from rtaudio.live.route import check_alsa_plugin

    if shutil.which("pactl") is None:
        yield Finding(topic="sound server", text="unknown: there is no pactl to ask")
        return
    try:
        name = virtual.server()
    except DeviceError:
        yield Finding(topic="sound server", text="neither PulseAudio nor PipeWire answers")
        return
    advice = ""
    try:
        check_alsa_plugin(list_devices())
    except DeviceError as error:
        advice = f"rtaudio live --virtual-mic cannot work yet: {error}"
    yield Finding(topic="sound server", text=name, advice=advice)


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
