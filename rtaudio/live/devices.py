"""The sound devices of this machine, by name, number or none at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rtaudio.errors import DeviceError
from rtaudio.live.portaudio import (
    HANGS,
    NO_SOUND,
    explain,
    silent_stderr,
    sounddevice,
    with_deadline,
)

Kind = Literal["input", "output"]
CHECK_SECONDS = 5.0

JACK = "JACK Audio Connection Kit"
# One card often appears under several host APIs; of those the first here is taken.
PREFERRED_APIS = ("Windows WASAPI", "Core Audio", JACK, "ALSA")


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device as PortAudio sees it. Latencies in seconds."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    sample_rate: int
    low_latency: tuple[float, float]  # input, output
    is_default_input: bool
    is_default_output: bool

    def channels(self, kind: Kind) -> int:
        return self.input_channels if kind == "input" else self.output_channels

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def list_devices() -> list[Device]:
    """All devices; none is an empty list. Raises DeviceError without PortAudio."""
    module = sounddevice()
    with silent_stderr():
        apis = module.query_hostapis()
        found = module.query_devices()
    default_input, default_output = _defaults(apis)
    return [
        Device(
            index=index,
            name=" ".join(str(entry["name"]).split()),
            host_api=apis[entry["hostapi"]]["name"],
            input_channels=entry["max_input_channels"],
            output_channels=entry["max_output_channels"],
            sample_rate=round(entry["default_samplerate"]),
            low_latency=(entry["default_low_input_latency"], entry["default_low_output_latency"]),
            is_default_input=index == default_input,
            is_default_output=index == default_output,
        )
        for index, entry in enumerate(found)
    ]


def _defaults(apis: Any) -> tuple[int, int]:
    """The default devices of the first API that has both, in the order of preference."""
    ranked = sorted(apis, key=lambda api: rank(api["name"]))
    for api in ranked:
        if api["default_input_device"] >= 0 and api["default_output_device"] >= 0:
            return api["default_input_device"], api["default_output_device"]
    return -1, -1


def rank(api: str) -> int:
    """The lower, the better: of one card's entries under several host APIs."""
    return PREFERRED_APIS.index(api) if api in PREFERRED_APIS else len(PREFERRED_APIS)


def find_device(wanted: str | int | None, kind: Kind) -> Device:
    """The device with that number or a part of that name; None: the default one.

    Raises DeviceError, with the names there are, where none or several fit.
    """
    devices = list_devices()
    usable = [d for d in devices if d.channels(kind) > 0]
    if not devices:
        raise DeviceError(f"{NO_SOUND}.")
    if not usable:
        raise DeviceError(f"there is no {kind} device on this machine; plug one in and try again.")
    if wanted is None or wanted == "":
        defaults = [d for d in usable if getattr(d, f"is_default_{kind}")]
        return (defaults or sorted(usable, key=lambda d: rank(d.host_api)))[0]
    if isinstance(wanted, int) or wanted.isdigit():
        for device in usable:
            if device.index == int(wanted):
                return device
        raise DeviceError(
            f"there is no {kind} device number {wanted}; numbers are those of `rtaudio devices`: "
            f"{_names(usable)}."
        )
    return _by_name(wanted, usable, kind)


def _by_name(wanted: str, usable: list[Device], kind: Kind) -> Device:
    key = wanted.casefold()
    exact = [d for d in usable if d.name.casefold() == key]
    matches = exact or [d for d in usable if key in f"{d.name}, {d.host_api}".casefold()]
    if not matches:
        raise DeviceError(f"no {kind} device is called {wanted!r}; there are: {_names(usable)}.")
    best = min(rank(d.host_api) for d in matches)
    matches = [d for d in matches if rank(d.host_api) == best]
    if len(matches) > 1:
        raise DeviceError(
            f"{wanted!r} fits several {kind} devices: {_names(matches)}; give a number or more of "
            "the name."
        )
    return matches[0]


def _names(devices: list[Device]) -> str:
    shown = ", ".join(f"{d.index} {d.name!r}" for d in devices[:8])
    return shown + (f" and {len(devices) - 8} more" if len(devices) > 8 else "")


def check_rate(input_device: Device, output_device: Device, sample_rate: int) -> None:
    """Raises DeviceError where a device cannot run at that rate."""
    module = sounddevice()
    checks = (
        (input_device, module.check_input_settings),
        (output_device, module.check_output_settings),
    )
    for device, check in checks:
        _check(device, check, sample_rate)


def api_settings(device: Device, module: Any) -> Any:
    """What the host API is to be told. WASAPI runs at the rate of the system's mixer alone, unless
    it may convert: a microphone and a speaker often have different ones there."""
    if device.host_api != "Windows WASAPI":
        return None
    try:
        return module.WasapiSettings(auto_convert=True)
    except TypeError:  # sounddevice before 0.4.7
        return None


def _check(device: Device, check: Callable[..., None], sample_rate: int) -> None:
    module = sounddevice()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            check(
                device=device.index,
                samplerate=sample_rate,
                dtype="float32",
                extra_settings=api_settings(device, module),
            )
        except (module.PortAudioError, ValueError) as error:
            errors.append(error)

    with silent_stderr():
        in_time = with_deadline(ask, CHECK_SECONDS)
    if not in_time:
        raise DeviceError(HANGS)
    if errors:
        raise DeviceError(
            f"device {device.name!r} does not run at {sample_rate} Hz ({explain(errors[0])}); its "
            f"own rate is {device.sample_rate} Hz: --samplerate {device.sample_rate}."
        ) from errors[0]
