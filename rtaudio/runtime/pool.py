"""Pool: streams that come and go, served together by one Session."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rtaudio.errors import RtaudioError, StreamError
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.controls import array
from rtaudio.runtime.session import Session

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model


class Pool:
    """Up to `lanes` streams of one model that open and close at any time, in one thread.

    Each stream gives the bits that it would give alone. A server keeps one pool a core:

        pool = rtaudio.Pool(rtaudio.load("rt-tcn"), lanes=250, sample_rate=48_000)

        stream = pool.open()      # a caller joins
        stream.push(samples)      # whatever came from the network, of any length
        stream.end()              # the caller hangs up: the rest will be computed
        ...
        while serving:            # every 10 ms
            pool.run()            # one pass over the network for all who have a block
            for stream in streams:
                send(stream.pull())
                if stream.done:
                    stream.close()

    Streams that have no whole block waiting are held: they cost nothing and lose nothing.
    """

    def __init__(
        self,
        model: Model,
        lanes: int,
        sample_rate: int | None = None,
        *,
        controls: Mapping[str, float] | None = None,
    ) -> None:
        if max(model.graph.input.channels, model.graph.output.channels) > 1:
            raise RtaudioError("a pool serves models of one channel; use Session.")
        self.session = Session(model, lanes, sample_rate, controls=controls)
        self._free = list(range(self.session.lanes))[::-1]
        self._open: dict[int, PoolStream] = {}
        self._input = np.zeros((self.session.lanes, self.session.block_samples), np.float32)

    def open(self) -> PoolStream:
        """A new stream. Raises StreamError where every lane is taken."""
        if not self._free:
            raise StreamError(f"all {self.session.lanes} lanes of this pool are in use.")
        lane = self._free.pop()
        self._open[lane] = PoolStream(self, lane)
        return self._open[lane]

    @property
    def num_open(self) -> int:
        return len(self._open)

    def run(self) -> int:
        """Moves every stream that has a block waiting on by it; returns how many did. Call it until
        it returns 0 where streams may have pushed more than a block since the last time."""
        waiting = [s for s in self._open.values() if s.fill(self._input[s.lane])]
        if not waiting:
            return 0
        held = np.ones(self.session.lanes, bool)
        held[[s.lane for s in waiting]] = False
        self.session.hold(held)
        output = self.session.process(self._input)
        for stream in waiting:
            stream.take(output[stream.lane])
        return len(waiting)

    def release(self, lane: int) -> None:
        del self._open[lane]
        mask = np.zeros(self.session.lanes, bool)
        mask[lane] = True
        self.session.reset(mask)
        self._free.append(lane)


class PoolStream:
    """One stream of a pool: push() what comes in, pull() what is ready, end(), close().

    All that pull() returns, joined, is model(all that was pushed), bit for bit.
    """

    def __init__(self, pool: Pool, lane: int) -> None:
        self.lane = lane
        self._pool: Pool | None = pool
        self._session = pool.session
        self._waiting: deque[FloatArray] = deque()
        self._num_waiting = 0
        self._num_pushed = 0
        self._ready: list[FloatArray] = []
        self._num_left = 0  # output frames to come, once ended
        self._num_skipped = pool.session.delay_samples  # of the delay, still to be left out
        self._num_given = 0
        self._ended = False

    def push(self, x: FloatArray) -> None:
        """Takes any number of frames, float32 (frames,). Raises StreamError after end()."""
        if self._ended or self._pool is None:
            raise StreamError("this stream has ended; open another one.")
        if array(x).dtype != np.float32 or x.ndim != 1:
            raise TypeError(f"the input is {x.dtype} of shape {x.shape}; give float32 (frames,)")
        if len(x):
            self._waiting.append(x.copy())
            self._num_waiting += len(x)
            self._num_pushed += len(x)

    def pull(self) -> FloatArray:
        """The frames that are ready, (frames,)."""
        ready, self._ready = self._ready, []
        return np.concatenate(ready) if ready else np.zeros(0, np.float32)

    def end(self) -> None:
        """No more will come; the rest of the answer follows by the pool's run()."""
        if self._ended or self._pool is None:
            return
        self._ended = True
        self._session.end(self.lane, self._num_pushed)
        self._num_left = self._session.output_length(self._num_pushed) - self._num_given

    def close(self) -> None:
        """Gives the lane back, whatever is still to come."""
        if self._pool is not None:
            self._pool.release(self.lane)
            self._pool = None

    @property
    def done(self) -> bool:
        """True once everything has been computed; pull() may still have some of it."""
        return self._ended and self._num_left == 0

    def fill(self, block: FloatArray) -> bool:
        """Moves the next block of input into `block`; False if there is none (for Pool)."""
        size = len(block)
        if self._num_waiting < size and (not self._ended or self._num_left == 0):
            return False
        at = 0
        while at < size and self._waiting:
            part = self._waiting.popleft()
            taken = min(len(part), size - at)
            block[at : at + taken] = part[:taken]
            if taken < len(part):
                self._waiting.appendleft(part[taken:])
            at += taken
        block[at:] = 0.0
        self._num_waiting -= at
        return True

    def take(self, output: FloatArray) -> None:
        """The block's answer (for Pool)."""
        skipped = min(self._num_skipped, len(output))
        self._num_skipped -= skipped
        output = output[skipped:]
        if self._ended:
            output = output[: self._num_left]
            self._num_left -= len(output)
        self._num_given += len(output)
        if len(output):
            self._ready.append(output)
