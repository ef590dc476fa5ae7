"""Stream: the state of one model at work, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.errors import RtaudioError, StreamError
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.strict import quote
from rtaudio.runtime.beginning import Beginning
from rtaudio.runtime.controls import CONTROL_RAMP_SECONDS, Controls, array, whole

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

MAX_LANES = 1024


class Stream:
    """One model's state for some channels, fed any number of frames at a time.

    push ... flush trims the delay: their outputs joined equal model(x), bit for bit. process gives
    as many frames as it takes, `latency_samples` later, for live use. Use one of the two between
    resets. Arrays are float32, (frames, channels) or, with one channel, (frames,). Owned by one
    thread.
    """

    def __init__(
        self,
        model: Model,
        sample_rate: int,
        channels: int,
        controls: Mapping[str, float],
        block_samples: int,
        max_ticks: int,
        threads: int = 1,
        **beginning: Any,
    ) -> None:
        graph = model.graph_at(sample_rate)
        width = graph.input.channels
        channels = whole("channels", channels)
        block_samples = whole("block_samples", block_samples)
        max_ticks = whole("max_ticks", max_ticks)
        if channels % width or not width <= channels <= MAX_LANES * width:
            raise RtaudioError(
                f"a stream of {channels} channels is not possible; ask for 1 to "
                f"{MAX_LANES * width}, in multiples of {width}."
            )
        if block_samples < 0:
            raise RtaudioError(f"block_samples is {block_samples}; it must be positive or None.")
        self._model = model
        self._controls = Controls(model.name, graph, controls)
        self.sample_rate = sample_rate
        self.channels = channels
        self._flat = False
        native = model.native(sample_rate)
        try:
            self._native = _native.Stream(
                native,
                channels // width,
                max_ticks,
                CONTROL_RAMP_SECONDS * sample_rate,
                self._controls.for_kernel(),
                block_samples,
                whole("threads", threads),
            )
        except MemoryError:
            raise RtaudioError(
                f"there is not enough memory for a stream of {channels} channels; ask for fewer."
            ) from None
        except (ValueError, TypeError) as error:
            raise RtaudioError(f"this stream is not possible: {error}.") from error
        self.process_into = self._native.process_into
        self._beginning = Beginning(graph, channels // width)
        self.reset(**beginning)

    def push(self, x: FloatArray) -> FloatArray:
        """Takes any number of frames and returns those that are ready.

        Raises TypeError or ValueError for another type or shape, StreamError after flush() and
        where another thread is at work on this stream.
        """
        answer = self._native.push(array(x))
        self._flat = x.ndim == 1
        return answer

    def flush(self) -> FloatArray:
        """The rest of the answer; the signal has ended. reset() starts a new one."""
        return self._native.flush(self._flat)

    def process(self, x: FloatArray) -> FloatArray:
        """As many frames out as in, `latency_samples` late. Raises what push does."""
        return self._native.process(array(x))

    def callback(
        self, indata: FloatArray, outdata: FloatArray, frames: int, time: Any, status: Any
    ) -> None:
        """A sounddevice.Stream callback (float32, as many channels in as out).

        It runs in Python: whatever holds the GIL (another thread's long C call, a garbage
        collection) delays it, and the sound card does not wait. Good for scripts that do little
        else; give the stream `block_samples=` equal to the device's block size.
        """
        self._native.process_into(indata, outdata)

    def reset(
        self,
        *,
        seed: int | None = None,
        stream_numbers: Sequence[int] | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
        prompt: NDArray[Any] | None = None,
    ) -> None:
        """Forgets everything but the controls.

        Where the model draws noise it is a function of `seed`, of the lane's stream number and of
        signal time alone. `constants` by the names of their ports, (channels,) for all lanes or
        (lanes, channels). All stay as they were (0 at first) where nothing is given. `prompt`:
        samples (frames,) or (frames, lanes * width) that an autoregressive model begins with in
        place of its own; the condition is pushed for them too.
        """
        self._beginning.change(seed, stream_numbers, constants)
        self._native.restart(*self._beginning.native(prompt))

    def set_control(self, name: str, value: float) -> None:
        """Moves a control port to `value` over the next 5 ms of signal. It is clamped to the
        port's range, and NaN is its default; an unknown name raises RtaudioError.

        Any thread may call it, also while another one is in push() or process().
        """
        self._native.set_control(*self._controls.set(name, value))

    @property
    def latency_samples(self) -> int:
        """Samples that process() lags behind: the model's signal delay and what blocks that are
        no multiple of its hop add."""
        return self._native.delay + self._native.extra_delay

    @property
    def num_bad_samples(self) -> int:
        """Input samples since reset that were NaN, infinite or above 1e15 and were read as zero."""
        return self._native.num_bad_samples

    def save_state(self) -> dict[str, NDArray[Any]]:
        """All memory as arrays, fp32 [channel, time], oldest first; may be saved by numpy.savez."""
        state = self._native.save()
        state["model"] = np.frombuffer(bytes.fromhex(self._model.fingerprint()), np.uint8)
        state["controls"] = np.array(list(self._controls.values.values()), np.float64)
        return state

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from save_state(), of this model at this rate with as many channels.

        Raises StreamError if it is of another or holds what no stream saves; the stream is reset
        then, or as it was.
        """
        try:
            arrays = dict(state.items())
        except Exception as error:  # whatever the mapping does when it is read, say from a file
            raise StreamError(f"the saved state cannot be read ({quote(error)}).") from error
        wrong = [str(k) for k, v in arrays.items() if not _is_plain(k, v)]
        if wrong:
            raise StreamError(f"{wrong[0]!r:.60} in the saved state is no array of numbers.")
        model = arrays.pop("model", None)
        if model is None or model.tobytes() != bytes.fromhex(self._model.fingerprint()):
            raise StreamError(
                f"the saved state is not one of model {self._model.name!r}; load it into the model "
                "that saved it."
            )
        controls = arrays.pop("controls", np.zeros(0))
        self._check_controls(controls, arrays.get("ramps", np.zeros(0)))
        try:
            self._native.load(arrays)
        except (ValueError, TypeError) as error:
            raise StreamError(f"{error}.") from error
        names = list(self._controls.values)
        self._controls.values = dict(zip(names, map(float, controls), strict=True))

    def _check_controls(self, values: NDArray[Any], ramps: NDArray[Any]) -> None:
        """Raises StreamError unless both lie within the ports' ranges."""
        ports = self._controls.ports
        count = len(ports)
        if values.shape != (count,) or ramps.shape != (count, 3):
            raise StreamError("the saved state is not one of this model: its controls differ.")
        for port, value, ramp in zip(ports, values, ramps, strict=True):
            ends = sorted((port.to_kernel(port.low), port.to_kernel(port.high)))
            slack = 1e-6 * max(abs(end) for end in ends)  # float32
            inside = all(ends[0] - slack <= v <= ends[1] + slack for v in ramp[:2])
            if not (inside and port.low <= value <= port.high):
                raise StreamError(
                    f"control {port.name!r} is out of its range in the saved state; save it anew."
                )

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to release; the state goes with the object."""


def _is_plain(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
