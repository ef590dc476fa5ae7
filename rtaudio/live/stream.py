"""An open PortAudio stream that calls the native engine."""

from __future__ import annotations

from typing import Any

from rtaudio import _native
from rtaudio.errors import DeviceError
from rtaudio.live.devices import Device, api_settings
from rtaudio.live.portaudio import (
    explain,
    leave_portaudio_alone,
    silent_stderr,
    sounddevice,
    with_deadline,
)

MAX_LATENCY_SECONDS = 10.0  # what a driver says above it is no measurement
OPEN_SECONDS = 5.0


class DeviceStream:
    """Opens at once; start() starts the sound. The engine must outlive close().

    A LiveEngine has an input and an output device, a SpeakerQueue an output alone.
    """

    def __init__(
        self,
        engine: _native.LiveEngine | _native.SpeakerQueue,
        devices: tuple[Device, ...],
        *,
        sample_rate: int,
        block: int,
        channels: tuple[int, ...],
        latency: str | float,
    ) -> None:
        module = sounddevice()
        self._engine = engine  # PortAudio has its address
        duplex = isinstance(engine, _native.LiveEngine)
        address = _native.live_callback_address() if duplex else _native.speaker_callback_address()
        settings = tuple(api_settings(device, module) for device in devices)
        ffi = module._ffi
        outcome: list[Any] = []

        def open_it() -> None:
            try:
                stream = module._StreamBase(
                    kind="duplex" if duplex else "output",
                    samplerate=sample_rate,
                    blocksize=block,
                    device=tuple(d.index for d in devices) if duplex else devices[0].index,
                    channels=channels if duplex else channels[0],
                    dtype="float32",
                    latency=latency,
                    extra_settings=settings if duplex else settings[0],
                    callback=ffi.cast("PaStreamCallback*", address),
                    userdata=ffi.cast("void*", engine.user_data),
                    clip_off=True,
                    dither_off=True,
                )
            except Exception as error:
                outcome.append(error)
            else:
                outcome.append(stream)

        with silent_stderr():
            in_time = with_deadline(open_it, OPEN_SECONDS)
        if not in_time or not outcome:
            leave_portaudio_alone()
            raise DeviceError(
                f"{_names(devices)} did not open within {OPEN_SECONDS:g} s; the sound server may "
                "hang: restart it and try again."
            )
        if isinstance(outcome[0], Exception):
            raise DeviceError(
                f"{_names(devices)} cannot be opened at {sample_rate} Hz in blocks of {block} "
                f"({explain(outcome[0])}); try --samplerate {devices[0].sample_rate}, a larger "
                "--blocksize or another device (rtaudio devices)."
            ) from outcome[0]
        self._stream: Any = outcome[0]

    def start(self) -> None:
        """Raises DeviceError where the device refuses."""
        module = sounddevice()
        try:
            with silent_stderr():
                self._stream.start()
        except module.PortAudioError as error:
            raise DeviceError(
                f"the sound does not start ({explain(error)}); another program may hold the device."
            ) from error

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except Exception:  # closed by the server's death
            return False

    @property
    def latency_seconds(self) -> tuple[float, float] | None:
        """Of the device's input and output buffers, as the driver says; None if it cannot be."""
        try:
            parts = tuple(float(part) for part in self._stream.latency)
        except Exception:
            return None
        if len(parts) != 2 or not all(0.0 <= part <= MAX_LATENCY_SECONDS for part in parts):
            return None
        return parts[0], parts[1]

    @property
    def output_seconds(self) -> float:
        """Of the output buffer of a SpeakerQueue's stream; 0 if the driver does not say."""
        try:
            seconds = float(self._stream.latency)
        except Exception:
            return 0.0
        return seconds if 0.0 <= seconds <= MAX_LATENCY_SECONDS else 0.0

    def close(self, seconds: float) -> bool:
        """False where PortAudio did not return in time; the stream is then left alone for good."""
        stream = self._stream

        def end() -> None:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

        with silent_stderr():
            closed = with_deadline(end, seconds)
        if not closed:
            leave_portaudio_alone()
            _abandoned.append(self)
        return closed


# Streams that PortAudio may still call: they and their engines are kept to the end.
_abandoned: list[DeviceStream] = []


def _names(devices: tuple[Device, ...]) -> str:
    return " with ".join(dict.fromkeys(f"{device.name!r}" for device in devices))
