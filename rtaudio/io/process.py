"""One recording through one stream: blocks in, blocks out, the same length."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import AudioFileError, RtaudioError
from rtaudio.io.resample import BlockResampler
from rtaudio.io.sink import Sink
from rtaudio.io.source import Source

FloatArray = NDArray[np.float32]

_MAX_BLOCK_SAMPLES = 1 << 19
# Float audio is within +-1 or a little above; far beyond it is integers stored as floats.
_ABSURD_PEAK = 16.0


class CancelledError(Exception):
    """The caller asked to stop between two blocks."""


class BlockStream(Protocol):
    """What `model.stream(...)` returns."""

    def push(self, x: FloatArray) -> FloatArray: ...

    def flush(self) -> FloatArray: ...


@dataclass(kw_only=True)
class Result:
    """What happened to one recording."""

    sample_rate: int
    channels: int
    frames: int = 0
    bad_samples: int = 0  # NaN or infinite in the input
    clipped_samples: int = 0  # beyond +-1 in an output that clips
    input_peak: float = 0.0
    compute_seconds: float = 0.0
    wall_seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate

    @property
    def rtf(self) -> float:
        """Compute time / audio time."""
        return self.compute_seconds / self.seconds if self.frames else 0.0

    def problems(self, source: Source, sink: Sink) -> list[str]:
        """Sentences about what was not as it should be so far."""
        found = list(source.warnings)
        if self.bad_samples:
            found.append(
                f"{source.name} holds {_count(self.bad_samples, 'NaN or infinite sample')}, "
                "replaced by silence"
            )
        if self.input_peak > _ABSURD_PEAK:
            peak = f"{self.input_peak:,.0f}" if self.input_peak < 1e6 else f"{self.input_peak:.1e}"
            found.append(
                f"{source.name} reaches {peak} where 1.0 is full scale; "
                "scale it down for a good result"
            )
        if self.clipped_samples:
            found.append(
                f"{_count(self.clipped_samples, 'sample')} of {sink.name} went beyond full scale "
                "and clipped; lower the input's level, or store it as float"
            )
        return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


class _Chain:
    """Resampler, stream, resampler as one push and one flush."""

    def __init__(self, stream: BlockStream, rate: int, stream_rate: int, channels: int) -> None:
        self._stream = stream
        self._up: BlockResampler | None = None
        self._down: BlockResampler | None = None
        if rate != stream_rate:
            self._up = BlockResampler(rate, stream_rate, channels)
            self._down = BlockResampler(stream_rate, rate, channels)

    def push(self, block: FloatArray) -> FloatArray:
        if self._up is None or self._down is None:
            return self._stream.push(block)
        return self._down.push(self._stream.push(self._up.push(block)))

    def flush(self) -> FloatArray:
        if self._up is None or self._down is None:
            return self._stream.flush()
        middle = [self._stream.push(self._up.flush()), self._stream.flush()]
        parts = [self._down.push(part) for part in middle]
        return np.concatenate([*parts, self._down.flush()])


class _Output:
    """Writes to the sink, never ahead of the input nor longer than it."""

    def __init__(self, sink: Sink, result: Result, delay_samples: int) -> None:
        self._sink = sink
        self._result = result
        self._pending = np.zeros((delay_samples, result.channels), np.float32)
        self.written = 0

    def emit(self, output: FloatArray) -> None:
        if len(self._pending):
            output = np.concatenate([self._pending, output])
        ready = self._result.frames - self.written
        output, self._pending = output[:ready], output[ready:]
        if not len(output):
            return
        if self._sink.clips:
            self._result.clipped_samples += int(np.count_nonzero(np.abs(output) > 1.0))
        self._sink.write(output)
        self.written += len(output)

    def finish(self, name: str) -> None:
        """A resampler may end one frame short; anything more is a fault of the stream."""
        missing = self._result.frames - self.written
        if missing > 2:
            raise RtaudioError(
                f"{name}: the model returned {self.written:,} frames for "
                f"{self._result.frames:,}; run `rtaudio verify` on it"
            )
        self.emit(np.zeros((missing, self._result.channels), np.float32))


def process(
    source: Source,
    sink: Sink,
    stream: BlockStream,
    *,
    stream_rate: int,
    delay_samples: int = 0,
    strict: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    on_block: Callable[[FloatArray, FloatArray], None] = lambda _in, _out: None,
    on_progress: Callable[[int], None] = lambda _frames: None,
) -> Result:
    """Denoise `source` into `sink` in constant memory; the sink is left to commit or abort.

    stream_rate: what `stream` runs at; another rate than the source's is resampled there and back.
    delay_samples: how late the output shall be, at the source's rate; 0 for time-aligned.
    strict: NaN, clipping or a truncated input raise AudioFileError as soon as they are met.
    on_block gets the input, NaN replaced, and the output of each step, of any lengths.
    Raises CancelledError, and AudioFileError from either end.
    """
    channels = source.channels
    result = Result(sample_rate=source.sample_rate, channels=channels)
    chain = _Chain(stream, source.sample_rate, stream_rate, channels)
    block_frames = max(256, min(source.sample_rate // 2, _MAX_BLOCK_SAMPLES // channels))
    out = _Output(sink, result, delay_samples)
    started = time.perf_counter()

    def check() -> None:
        if strict and (problems := result.problems(source, sink)):
            raise AudioFileError(f"{problems[0]} (--strict)")

    while True:
        block = source.read(block_frames)
        if cancelled():
            raise CancelledError
        if len(block) == 0:
            break
        finite = np.isfinite(block)
        if not finite.all():
            result.bad_samples += block.size - int(np.count_nonzero(finite))
            block = np.where(finite, block, np.float32(0.0))
        result.input_peak = max(result.input_peak, float(np.abs(block).max()))
        result.frames += len(block)
        before = time.perf_counter()
        output = chain.push(block)
        result.compute_seconds += time.perf_counter() - before
        out.emit(output)
        check()
        on_block(block, output)
        on_progress(result.frames)
    before = time.perf_counter()
    tail = chain.flush()
    result.compute_seconds += time.perf_counter() - before
    on_block(np.zeros((0, channels), np.float32), tail)
    out.emit(tail)
    out.finish(source.name)
    result.wall_seconds = time.perf_counter() - started
    if result.frames == 0 and not source.warnings:
        source.warnings.append(f"{source.name} holds no audio (0 frames), so the output is empty")
    check()
    result.warnings = result.problems(source, sink)
    return result
