"""A loudspeaker for sound that is made as it plays: speech from a vocoder, above all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.errors import DeviceError, RtaudioError
from rtaudio.live.devices import find_device
from rtaudio.live.stream import DeviceStream

CLOSE_SECONDS = 0.6
BLOCK_SECONDS = 0.010
WAIT_SECONDS = 0.005
DEAD_SECONDS = 2.0  # without a call from the device

FloatArray = NDArray[np.float32]


class Speaker:
    """Plays mono float32 samples at `sample_rate`, from a native callback: nothing Python does
    delays what has been written. A context manager.

    The sound begins when `prebuffer_seconds` of it have been written (or all of it: `finish`), and
    is faded in over 5 ms. Where samples are missing in the middle it fades out, counts one of
    `underflows` and waits for the pre-buffer again. Raises DeviceError for a device that is not
    there or does not run at that rate.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        device: str | int | None = None,
        prebuffer_seconds: float = 0.1,
        queue_seconds: float = 2.0,
    ) -> None:
        if not 0.0 <= prebuffer_seconds < queue_seconds <= 60.0:
            raise RtaudioError(
                f"a pre-buffer of {prebuffer_seconds:g} s in a queue of {queue_seconds:g} s is not "
                "possible; give less of it, and at most 60 s of queue."
            )
        self.sample_rate = sample_rate
        self.device = find_device(device, "output")
        channels = min(2, self.device.output_channels)
        self._queue = _native.SpeakerQueue(
            sample_rate=sample_rate,
            channels=channels,
            prebuffer=round(prebuffer_seconds * sample_rate),
            capacity=max(1, round(queue_seconds * sample_rate)),
        )
        self._lock = threading.Lock()
        self._cancelled = 0
        self._stream = DeviceStream(
            self._queue,
            (self.device,),
            sample_rate=sample_rate,
            block=round(BLOCK_SECONDS * sample_rate),
            channels=(channels,),
            latency="low",
        )
        try:
            self._stream.start()
        except DeviceError:
            self._stream.close(CLOSE_SECONDS)
            raise

    def write(self, samples: FloatArray) -> None:
        """Waits until all of (frames,) is in the queue, or cancel() was called meanwhile."""
        left = np.ascontiguousarray(samples, np.float32)
        cancelled = self._cancelled
        watch = _Watch(self._queue)
        while left.size:
            with self._lock:
                if self._cancelled != cancelled:
                    return
                left = left[self._queue.write(left) :]
            if left.size:
                watch.wait()

    def finish(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Waits until everything written has been played, or fades out once `stop` says so."""
        with self._lock:
            self._queue.finish()
        watch = _Watch(self._queue)
        while self._queue.queued:
            if stop():
                self.cancel()
            watch.wait()
        time.sleep(self._stream.output_seconds + BLOCK_SECONDS)

    def play(self, chunks: Iterable[FloatArray]) -> None:
        """Plays chunks as they come, Vocoder.stream(...) for example, to their end."""
        cancelled = self._cancelled
        for chunk in chunks:
            self.write(chunk)
            if self._cancelled != cancelled:
                return
        self.finish()

    def cancel(self) -> None:
        """Fades out within 5 ms of the next block and drops the rest; a write() under way returns.
        Any thread may call it."""
        with self._lock:
            self._cancelled += 1
            self._queue.cancel()

    @property
    def underflows(self) -> int:
        """Times that samples were missing in the middle of the sound."""
        return self._queue.underflows

    @property
    def played_seconds(self) -> float:
        return self._queue.played / self.sample_rate

    @property
    def queued_seconds(self) -> float:
        return self._queue.queued / self.sample_rate

    def close(self) -> None:
        """Gives the device back, whatever still waits."""
        self._stream.close(CLOSE_SECONDS)

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Watch:
    """Waits a little; raises DeviceError once the device has not called for long."""

    def __init__(self, queue: _native.SpeakerQueue) -> None:
        self._queue = queue
        self._frames, self._since = queue.num_frames, time.monotonic()

    def wait(self) -> None:
        time.sleep(WAIT_SECONDS)
        frames, now = self._queue.num_frames, time.monotonic()
        if frames != self._frames:
            self._frames, self._since = frames, now
        elif now - self._since > DEAD_SECONDS:
            raise DeviceError("the sound device has stopped; see `rtaudio devices` and try again.")
