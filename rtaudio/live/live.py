"""Live: a model between a microphone and a speaker, for as long as one likes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from rtaudio import _native
from rtaudio.errors import DeviceError, RtaudioError
from rtaudio.live.config import (
    LiveConfig,
    fitting_samples,
    looks_like_feedback,
    share_a_clock,
)
from rtaudio.live.devices import Device, check_rate, find_device
from rtaudio.live.overload import Overload, WorkerDelay
from rtaudio.live.recorder import QUEUE_SECONDS, Recorder
from rtaudio.live.stats import Looks, Stats, counts_of, glitches_of
from rtaudio.live.stream import DeviceStream
from rtaudio.live.supervisor import Event, Supervisor
from rtaudio.runtime.controls import CONTROL_RAMP_SECONDS
from rtaudio.runtime.model import Model, load

ATTENUATION = "attenuation_limit_db"
BLOCK_SECONDS = 0.010  # of a wire; a model's block is its hop
CLOSE_SECONDS = 0.6  # Ctrl-C ends within a second


class Live:
    """A running signal path; `model` None is a wire. Use it as a context manager, or start and
    stop it.

    The sound runs in native threads: nothing Python does delays it. Raises DeviceError for devices
    that are not there, RtaudioError for numbers that do not fit.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str] | None,
        config: LiveConfig | None = None,
        *,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.config = config or LiveConfig()
        self.model = model if model is None or isinstance(model, Model) else load(model)
        fallback = self.config.fallback
        self.fallback = (
            fallback if fallback is None or isinstance(fallback, Model) else load(fallback)
        )
        self._check()
        self.input = find_device(self.config.input_device, "input")
        self.output = find_device(self.config.output_device, "output")
        if looks_like_feedback(self.input, self.output) and not self.config.allow_feedback:
            raise DeviceError(
                f"{self.input.name!r} would hear {self.output.name!r} and whistle; use headphones "
                "and --allow-feedback, or another output."
            )
        if self.config.channels > self.input.input_channels:
            raise DeviceError(
                f"{self.input.name!r} has one channel, so it gives no stereo; leave channels at 1."
            )
        self.sample_rate = self.config.sample_rate or self.input.sample_rate
        check_rate(self.input, self.output, self.sample_rate)
        # A model that frames at the device's rate needs no resampler.
        self.model_rate = (
            self.sample_rate if self.model is None else self.model.native_rate(self.sample_rate)
        )
        self.block = self._block()
        self.channels = (
            min(2, self.input.input_channels, self.config.channels),
            min(2, self.output.output_channels),
        )
        self._bypass = self._mute = False
        self._attenuation = self.config.attenuation_limit_db
        self._engine = self._make_engine()
        self._worker_delay = WorkerDelay(self._engine.worker_delay, self.sample_rate)
        self._recorder: Recorder | None = None
        self._looks = Looks()
        self._lock = threading.Lock()
        self._stream: DeviceStream | None = None
        self._overload = Overload()
        self._started_at = 0.0
        self._supervisor = Supervisor(
            open_stream=self._open,
            heartbeat=lambda: self._stream.num_beats if self._stream is not None else 0,
            period_seconds=self.block / self.sample_rate,
            give_up_seconds=self.config.give_up_seconds,
            on_event=on_event,
            news=self._news,
        )

    def _news(self) -> Iterator[str]:
        yield from self._overload.news(self._engine.overloaded, time.monotonic())
        yield from self._worker_delay.news(self._engine.worker_delay)

    def _check(self) -> None:
        config = self.config
        config.check()
        if config.attenuation_limit_db is not None and ATTENUATION not in self._controls():
            raise RtaudioError(
                f"{'a wire' if self.model is None else f'model {self.model.name!r}'} has no "
                "attenuation limit; leave it out."
            )

    def _controls(self) -> list[str]:
        return [] if self.model is None else [c.name for c in self.model.graph.controls]

    def _block(self) -> int:
        block = self.config.block_samples
        if block is None and self.model is not None:
            hop = self.model.latency(self.model_rate).hop
            block = -(-hop * self.sample_rate // self.model_rate)
        if block is None:
            block = max(1, round(BLOCK_SECONDS * self.sample_rate))
        if not 1 <= block <= self.sample_rate:
            raise RtaudioError(
                f"a block of {block} frames is impossible; give 1 to {self.sample_rate}."
            )
        return block

    def _setting(self, model: Model | None) -> tuple[_native.Model, int, list[float]] | None:
        """What the engine wants to know of a model."""
        if model is None:
            return None
        rate = model.native_rate(self.sample_rate)
        values = {port.name: port.default for port in model.graph.controls}
        if self._attenuation is not None and ATTENUATION in values:
            values[ATTENUATION] = self._attenuation
        controls = [port.to_kernel(values[port.name]) for port in model.graph.controls]
        return model.native(rate), rate, controls

    def _make_engine(self) -> _native.LiveEngine:
        try:
            return _native.LiveEngine(
                model=self._setting(self.model),
                fallback=self._setting(self.fallback),
                sample_rate=self.sample_rate,
                block=self.block,
                input_channels=self.channels[0],
                output_channels=self.channels[1],
                lanes=self.channels[0] if self.config.channels == 2 else 1,
                placement=self.config.placement,
                ramp_seconds=CONTROL_RAMP_SECONDS,
                record_seconds=QUEUE_SECONDS if self.config.record is not None else 0,
                seed=self.config.seed,
            )
        except ValueError as error:
            raise RtaudioError(f"{error}.") from error

    def _open(self, again: bool) -> DeviceStream:
        if again:
            # Numbers may have changed; names have not.
            self.input = find_device(_name(self.config.input_device, self.input), "input")
            self.output = find_device(_name(self.config.output_device, self.output), "output")
        one_clock = self.config.clocks == "one" or (
            self.config.clocks == "auto" and share_a_clock(self.input, self.output)
        )
        stream = DeviceStream(
            self._engine,
            (self.input, self.output),
            sample_rate=self.sample_rate,
            block=self.block,
            channels=self.channels,
            latency=self.config.latency,
            slack=None if one_clock else self.config.slack_samples(self.block, self.sample_rate),
        )
        try:
            stream.start()
        except DeviceError:
            stream.close(CLOSE_SECONDS)
            raise
        self._stream = stream
        return stream

    def start(self) -> Live:
        """The sound runs when this returns. Raises DeviceError where the device refuses."""
        if self.config.record is not None and self._recorder is None:
            lanes = self.channels[0] if self.config.channels == 2 else 1
            folder = Path(self.config.record)
            self._recorder = Recorder(self._engine, folder, self.sample_rate, lanes)
        try:
            self._supervisor.start()
        except DeviceError:
            self._end_recording()
            raise
        self._started_at = time.monotonic()
        return self

    def stop(self) -> None:
        """The device is given back, recordings are complete. Returns within a second."""
        self._supervisor.stop(CLOSE_SECONDS)
        self._end_recording()

    def _end_recording(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()

    def __enter__(self) -> Live:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bypass(self) -> bool:
        """Whether the untouched signal is heard, as late as the processed one."""
        return self._bypass

    @bypass.setter
    def bypass(self, on: bool) -> None:
        self._bypass = on
        self._engine.set_bypass(on)

    @property
    def mute(self) -> bool:
        return self._mute

    @mute.setter
    def mute(self, on: bool) -> None:
        self._mute = on
        self._engine.set_mute(on)

    @property
    def attenuation_limit_db(self) -> float | None:
        """The most that noise is lowered by; None: the model's default, or no such control."""
        return self._attenuation

    @attenuation_limit_db.setter
    def attenuation_limit_db(self, value: float) -> None:
        if not self.has_attenuation_limit:
            raise RtaudioError("there is no attenuation limit here; it belongs to denoisers.")
        self._attenuation = value
        for model, is_fallback in ((self.model, False), (self.fallback, True)):
            for index, port in enumerate(() if model is None else model.graph.controls):
                if port.name == ATTENUATION:
                    self._engine.set_control(index, port.to_kernel(value), fallback=is_fallback)

    @property
    def has_attenuation_limit(self) -> bool:
        return ATTENUATION in self._controls()

    def reset(self) -> None:
        """The model forgets the past."""
        self._engine.reset()

    @property
    def state(self) -> str:
        """stopped, running, stalled, reconnecting or lost."""
        return self._supervisor.state

    @property
    def reason_lost(self) -> str:
        """Why the state is "lost", as a sentence."""
        return f"the device is lost: {self._supervisor.reason}"

    @property
    def placement(self) -> str:
        """Where the model runs, and why: for people to read."""
        if self.model is None:
            return "wire"
        return "worker" if self._engine.worker_delay else "inline"

    @property
    def warm_up_share(self) -> float:
        """The longest block at warm-up as a share of a block's time; 0: not measured."""
        return self._engine.warm_up_worst * self.sample_rate / self.block

    @property
    def recordings(self) -> list[Path]:
        return [] if self._recorder is None else self._recorder.paths

    @property
    def recording_error(self) -> str:
        """Why the recording ended early, as a sentence; empty where it did not."""
        return "" if self._recorder is None else self._recorder.error

    @property
    def latency_ms(self) -> dict[str, float]:
        """From microphone to speaker, by parts. Those of the device are what its driver says."""
        parts = {}
        device = self._supervisor.device_latency
        if device is not None:
            parts["input buffer"] = 1e3 * device[0]
        clocks = self._clocks
        if clocks is not None:
            parts["two clocks"] = 1e3 * clocks.delay / self.sample_rate
        if self.model is not None:
            own = self.model.latency(self.model_rate)
            fitting = fitting_samples(self.block, own.hop, self.sample_rate, self.model_rate)
            worker = 1e3 * self._engine.worker_delay / self.sample_rate
            parts["model"] = 1e3 * own.signal_delay / self.model_rate
            parts["block fitting"] = 1e3 * fitting / self.model_rate
            parts["worker"] = worker
            rest = max(0.0, 1e3 * self._engine.delay / self.sample_rate - sum(
                parts[name] for name in ("model", "block fitting", "worker")
            ))  # fmt: skip
            # Whatever is left: the resamplers', or what makes both models equally late.
            alone = self.model_rate == self.sample_rate
            parts["fallback" if alone else "resamplers"] = rest
        if device is not None:
            parts["output buffer"] = 1e3 * device[1]
        return parts

    @property
    def _clocks(self) -> _native.LiveTwoClocks | None:
        return None if self._stream is None else self._stream.clocks

    @property
    def delay_samples(self) -> int:
        """What the path adds to the device's own buffers. Constant, unless a worker has to serve a
        device that asks for several blocks at once."""
        return self._engine.delay

    def stats(self) -> Stats:
        """Counters since the start; levels and loads since the last call."""
        with self._lock:
            snapshot = self._engine.snapshot()
            fallback_heard = self._looks.grown(snapshot, "fallback_frames") > 0
            recent = self._looks.since_last(snapshot)
        state = self.state
        if state == "running" and snapshot["overloaded"]:
            state = "fallback" if fallback_heard else "overload"
        counts = counts_of(snapshot) | self._supervisor.counts
        clocks = self._clocks
        return Stats(
            state=state,
            seconds=snapshot["frames"] / self.sample_rate,
            latency_ms=self.latency_ms,
            bypass=self._bypass,
            mute=self._mute,
            placement=self.placement,
            glitches=glitches_of(snapshot) + self._supervisor.counts["stalls"],
            counts=counts,
            drift_ppm=None if clocks is None else 1e6 * clocks.drift,
            **recent,
        )


def _name(wanted: str | int | None, device: Device) -> str:
    """What to look for when a device has gone: its full name, whatever it was chosen by."""
    return wanted if isinstance(wanted, str) and not wanted.isdigit() and wanted else device.name
