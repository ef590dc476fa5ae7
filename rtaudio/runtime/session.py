"""Session: many streams of one model, in lanes, a block of each at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.errors import RtaudioError
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.beginning import Beginning
from rtaudio.runtime.controls import CONTROL_RAMP_SECONDS, Controls, array, whole

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

MAX_LANES = 1 << 14


class Session:
    """One model's state for `lanes` streams, all in one thread; each lane gives the bits that it
    would give alone.

    process() takes the next block of every lane, of `block_samples` frames or a multiple. Lanes
    that are held are left out of it: nothing of theirs is read, moves or costs time. reset() makes
    lanes as new, end() says where a lane's signal ends. Output comes `delay_samples` frames (of
    the output) after the input; `rtaudio.Pool` does that book-keeping for streams that come and go.

        session = rtaudio.Session(model, lanes=250, sample_rate=48_000)
        y = session.process(x)  # float32 (250, 480) in and out
        session.hold(silent)  # booleans, (250,)
    """

    def __init__(
        self,
        model: Model,
        lanes: int,
        sample_rate: int | None = None,
        *,
        controls: Mapping[str, float] | None = None,
        max_ticks: int = 1,
    ) -> None:
        """`controls` are those of all lanes. `max_ticks`: how many blocks go through the network
        together; more cost memory and help where process() gets several."""
        self.sample_rate = model.sample_rate if sample_rate is None else sample_rate
        graph = model.graph_at(self.sample_rate)
        self.model = model
        self.lanes = whole("lanes", lanes)
        if not 1 <= self.lanes <= MAX_LANES:
            raise RtaudioError(
                f"a session of {lanes} lanes is not possible; ask for 1 to {MAX_LANES}."
            )
        self.block_samples = graph.plan.block
        self._plan = graph.plan
        self._channels = graph.input.channels, graph.output.channels
        self._controls = Controls(model.name, graph, controls or {})
        try:
            self._native = _native.Session(
                model.native(self.sample_rate),
                self.lanes,
                whole("max_ticks", max_ticks),
                CONTROL_RAMP_SECONDS * self.sample_rate,
                self._controls.for_kernel(),
            )
        except MemoryError:
            raise RtaudioError(
                f"there is not enough memory for {lanes} lanes; ask for fewer."
            ) from None
        except ValueError as error:
            raise RtaudioError(f"this session is not possible: {error}.") from error

        self._beginning = Beginning(graph, self.lanes)

    @property
    def output_samples(self) -> int:
        """Output frames of a block."""
        return self._plan.frames_per_tick(self._plan.output)

    @property
    def delay_samples(self) -> int:
        """Output frames that come before a lane's first one."""
        return self._native.delay

    def output_length(self, num_frames: int) -> int:
        """Output frames of a signal of that many, its tail included."""
        return self._plan.output_length(num_frames)

    def process(self, x: FloatArray) -> FloatArray:
        """The next frames of every lane, float32 (lanes, frames), or (lanes, frames, channels)
        where a port has several channels. Held lanes answer zeros.

        Raises TypeError or ValueError for another type or shape.
        """
        wide = array(x)
        if wide.ndim == 2 and self._channels[0] == 1:
            wide = wide[:, :, None]
        y = self._native.process(wide)
        return y[:, :, 0] if x.ndim == 2 and self._channels[1] == 1 else y

    def process_on(self, stream: int, x: int, y: int, num_frames: int) -> None:
        """process() of signals in the memory of the session's GPU, by their addresses: x and y are
        dense, (lanes, frames, channels), and stay until the work is done, which is queued on the
        CUDA stream of that handle. rtaudio.torch.process does that with tensors."""
        self._native.process_on(stream, x, y, num_frames)

    def hold(self, mask: NDArray[np.bool_]) -> None:
        """Holds the lanes that are True in (lanes,), until the next call; others go on."""
        self._native.hold(_mask(mask))

    def reset(
        self,
        mask: NDArray[np.bool_] | None = None,
        *,
        seed: int | None = None,
        stream_numbers: Sequence[int] | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
        prompt: NDArray[Any] | None = None,
    ) -> None:
        """Makes the lanes that are True as new (None: all of them), with what Stream.reset takes:
        stream numbers, constants and prompts are given for all lanes."""
        lanes = np.ones(self.lanes, bool) if mask is None else _mask(mask)
        self._beginning.change(seed, stream_numbers, constants)
        self._native.reset(lanes, *self._beginning.native(prompt))

    def end(self, lane: int, num_frames: int) -> None:
        """The lane's signal has that many frames since its reset; what process() gets of it later
        is not looked at and pushes its last output out."""
        self._native.end(whole("lane", lane), num_frames)

    def set_control(self, name: str, value: float) -> None:
        """As Stream.set_control, for all lanes; not while another thread is in process()."""
        self._native.set_control(*self._controls.set(name, value))

    def num_bad_samples(self, lane: int) -> int:
        """As Stream.num_bad_samples, of a lane."""
        return self._native.num_bad_samples(whole("lane", lane))


def _mask(mask: Any) -> NDArray[np.bool_]:
    """Numbers are no mask: a list of lanes would be taken for one."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError("a mask is a numpy array of booleans, one a lane")
    return mask
