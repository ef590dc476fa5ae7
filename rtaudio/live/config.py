"""How Live is to run, and what can be said of it before a device is opened."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtaudio.errors import RtaudioError
from rtaudio.live.devices import JACK, Device
from rtaudio.runtime.controls import word

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

LOW_SLACK_SECONDS, HIGH_SLACK_SECONDS = 0.005, 0.050


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """How to run. Devices by number or part of a name; None: the default ones.

    `block_samples`: of the device; None: the model's hop, or 10 ms. `latency`: low, high or
    seconds. `sample_rate`: None: the input device's own. `channels`: 1 (the mean of all) or 2
    (each for itself). `placement`: auto, inline (in the audio callback) or worker (a thread).
    `give_up_seconds`: how long a device may be away. `seed`: of the model's noise, if it draws any.
    """

    input_device: str | int | None = None
    output_device: str | int | None = None
    block_samples: int | None = None
    latency: str | float = "low"
    sample_rate: int | None = None
    channels: int = 1
    attenuation_limit_db: float | None = None
    record: str | os.PathLike[str] | None = None
    placement: str = "auto"
    fallback: Model | str | os.PathLike[str] | None = None
    clocks: str = "auto"
    allow_feedback: bool = False
    give_up_seconds: float = 60.0
    seed: int = 0

    def check(self) -> None:
        """Raises RtaudioError for numbers that no device and no model can serve."""
        if self.channels not in (1, 2):
            raise RtaudioError(f"channels is {self.channels}; give 1 (mono) or 2 (stereo).")
        if isinstance(self.latency, str) and self.latency not in ("low", "high"):
            raise RtaudioError(f"latency is {self.latency!r}; give low, high or seconds.")
        if not isinstance(self.latency, str) and not 0.0 < self.latency <= 10.0:
            raise RtaudioError(f"latency is {self.latency:g} s; give up to 10 seconds.")
        if self.clocks not in ("auto", "one", "two"):
            raise RtaudioError(f"clocks is {self.clocks!r}; give auto, one or two.")
        word("the seed", self.seed)

    def slack_samples(self, block: int, sample_rate: int) -> int:
        """How late a block of the input may come to the output's clock."""
        named = {"low": LOW_SLACK_SECONDS, "high": HIGH_SLACK_SECONDS}
        seconds = named[self.latency] if isinstance(self.latency, str) else self.latency
        return min(sample_rate, max(block, round(seconds * sample_rate)))


# ALSA's names for a sound server: its microphone and its speaker may be anything. In one stream of
# both PortAudio waits for the slower one, and stands still in the end.
SERVER_DEVICES = ("default", "pulse", "pipewire")


def share_a_clock(first: Device, second: Device) -> bool:
    """One device, or two of a server that has one clock for all."""
    if {first.host_api, second.host_api} == {JACK}:
        return True
    is_server = first.host_api == "ALSA" and first.name in SERVER_DEVICES
    return first.index == second.index and not is_server


def fitting_samples(block: int, hop: int, device_rate: int, model_rate: int) -> int:
    """What the model waits for because the device's blocks are no multiple of its hop; in samples
    of the model."""
    whole, left = divmod(block * model_rate, device_rate)
    return hop - math.gcd(whole, hop) if left == 0 else hop - 1


_MICROPHONE = re.compile(r"built-?in.*(mic|input)|internal mic|macbook.*mic|microphone array", re.I)
_SPEAKER = re.compile(
    r"built-?in.*(speaker|output)|internal speaker|macbook.*speaker|^speakers", re.I
)


def looks_like_feedback(microphone: Device, speaker: Device) -> bool:
    """A laptop's own microphone beside its own speaker."""
    return bool(_MICROPHONE.search(microphone.name) and _SPEAKER.search(speaker.name))
