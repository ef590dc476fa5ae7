"""Live sound: devices, and a model between a microphone and a speaker."""

from __future__ import annotations

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
