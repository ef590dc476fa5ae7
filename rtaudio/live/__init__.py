"""Live sound: devices, and a model between a microphone and a speaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtaudio.lazy import lazy_attributes

if TYPE_CHECKING:
    from rtaudio.live.config import LiveConfig
    from rtaudio.live.devices import Device, find_device, list_devices
    from rtaudio.live.live import Live
    from rtaudio.live.speaker import Speaker
    from rtaudio.live.stats import Stats
    from rtaudio.live.supervisor import Event

__all__ = [
    "Device",
    "Event",
    "Live",
    "LiveConfig",
    "Speaker",
    "Stats",
    "find_device",
    "list_devices",
]

# PortAudio looks for devices while the rest is imported.
_HOMES = {
    "Device": "devices",
    "Event": "supervisor",
    "Live": "live",
    "LiveConfig": "config",
    "Speaker": "speaker",
    "Stats": "stats",
    "find_device": "devices",
    "list_devices": "devices",
}

__getattr__ = lazy_attributes(__name__, _HOMES)
