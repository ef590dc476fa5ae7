"""An open PortAudio stream that calls the native engine."""

from __future__ import annotations

from typing import Any

from rtaudio import _native
from rtaudio.errors import DeviceError
from rtaudio.live.devices import JACK, Device, api_settings
from rtaudio.live.portaudio import (
    explain,
    leave_portaudio_alone,
    no_signals,
    silent_stderr,
    sounddevice,
    with_deadline,
)

MAX_LATENCY_SECONDS = 10.0  # what a driver says above it is no measurement
OPEN_SECONDS = 5.0


class DeviceStream:
    """Opens at once; start() starts the sound. The engine must outlive close().

    A LiveEngine has an input and an output device: one stream of both, or with `slack`, in frames,
    two, one for each device's clock. A SpeakerQueue has an output alone.
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
        slack: int | None = None,
    ) -> None:
        self._engine = engine  # PortAudio has its address
        self.clocks = self._make_clocks(slack)
        self._module = sounddevice()
        # A copy of PortAudio that hangs may have another in its place by the time of close().
        self._lib = self._module._lib
        self._streams: list[Any] = []
        self._by_jack = any(device.host_api == JACK for device in devices)
        self._started = False
        outcome: list[Exception] = []

        def open_all() -> None:
            try:
                self._open_all(devices, channels, samplerate=sample_rate, blocksize=block,
                               latency=latency)  # fmt: skip
            except Exception as error:
                outcome.append(error)

        with silent_stderr():
            in_time = with_deadline(open_all, OPEN_SECONDS)
        if not in_time:
            self._abandon()
            raise DeviceError(
                f"{_names(devices)} did not open within {OPEN_SECONDS:g} s; the sound server may "
                "hang: restart it and try again."
            )
        if outcome:
            self.close(OPEN_SECONDS)
            raise DeviceError(
                f"{_names(devices)} cannot be opened at {sample_rate} Hz in blocks of {block} "
                f"({explain(outcome[0])}); try --samplerate {devices[0].sample_rate}, a larger "
                "--blocksize or another device (rtaudio devices)."
            ) from outcome[0]

    def _make_clocks(self, slack: int | None) -> _native.LiveTwoClocks | None:
        if slack is None or isinstance(self._engine, _native.SpeakerQueue):
            return None
        return _native.LiveTwoClocks(self._engine, slack)

    def _open_all(
        self, devices: tuple[Device, ...], channels: tuple[int, ...], **settings: Any
    ) -> None:
        indices = tuple(device.index for device in devices)
        extra = tuple(api_settings(device, self._module) for device in devices)
        if isinstance(self._engine, _native.SpeakerQueue):
            address, owner = _native.speaker_callback_address(), self._engine.user_data
            self._open("output", indices[0], channels[0], extra[0], address, owner, settings)
            return
        addresses = _native.live_callback_addresses()
        if self.clocks is None:
            owner = self._engine.user_data
            self._open("duplex", indices, channels, extra, addresses["duplex"], owner, settings)
            return
        owner = self.clocks.user_data
        for i, kind in enumerate(("input", "output")):
            self._open(kind, indices[i], channels[i], extra[i], addresses[kind], owner, settings)

    def _open(
        self,
        kind: str,
        device: int | tuple[int, ...],
        channels: int | tuple[int, ...],
        extra_settings: Any,
        address: int,
        owner: int,
        settings: dict[str, Any],
    ) -> None:
        ffi = self._module._ffi
        stream = self._module._StreamBase(
            kind=kind,
            device=device,
            channels=channels,
            extra_settings=extra_settings,
            dtype="float32",
            callback=ffi.cast("PaStreamCallback*", address),
            userdata=ffi.cast("void*", owner),
            clip_off=True,
            dither_off=True,
            **settings,
        )
        self._streams.append(stream)

    def start(self) -> None:
        """Raises DeviceError where the device refuses."""
        try:
            with silent_stderr(), no_signals():
                for stream in self._streams:
                    stream.start()
            self._started = True
        except self._module.PortAudioError as error:
            raise DeviceError(
                f"the sound does not start ({explain(error)}); another program may hold the device."
            ) from error

    @property
    def num_beats(self) -> int:
        """Grows while sound flows."""
        return self._engine.num_frames if self.clocks is None else self.clocks.num_beats

    @property
    def active(self) -> bool:
        try:
            return all(stream.active for stream in self._streams)
        except Exception:  # closed by the server's death
            return False

    @property
    def latency_seconds(self) -> tuple[float, float] | None:
        """Of the device's input and output buffers, as the driver says; None if it cannot be."""
        try:
            said = [stream.latency for stream in self._streams]
            parts = [float(part) for part in (said if self.clocks is not None else said[0])]
        except Exception:
            return None
        if len(parts) != 2 or not all(0.0 <= part <= MAX_LATENCY_SECONDS for part in parts):
            return None
        return parts[0], parts[1]

    @property
    def output_seconds(self) -> float:
        """Of the output buffer of a SpeakerQueue's stream; 0 if the driver does not say."""
        try:
            seconds = float(self._streams[0].latency)
        except Exception:
            return 0.0
        return seconds if 0.0 <= seconds <= MAX_LATENCY_SECONDS else 0.0

    def close(self, seconds: float) -> bool:
        """False where PortAudio does not return in time, or may not be asked: the streams are then
        left alone for good."""
        if self._by_jack and self._started and not self.active:
            # libjack has given the server up. It refuses to take the ports back, at which PortAudio
            # aborts the program.
            self._abandon()
            return False
        pointers = [stream._ptr for stream in self._streams]

        def end() -> None:
            for pointer in pointers:
                self._lib.Pa_AbortStream(pointer)
            for pointer in pointers:
                self._lib.Pa_CloseStream(pointer)

        with silent_stderr():
            closed = with_deadline(end, seconds)
        if not closed:
            self._abandon()
        return closed

    def _abandon(self) -> None:
        leave_portaudio_alone()
        _abandoned.append(self)


# Streams that PortAudio may still call: they and their engines are kept to the end.
_abandoned: list[DeviceStream] = []


def _names(devices: tuple[Device, ...]) -> str:
    return " with ".join(dict.fromkeys(f"{device.name!r}" for device in devices))
