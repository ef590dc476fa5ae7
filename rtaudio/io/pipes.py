"""Raw PCM and WAV through pipes: what has arrived goes on at once."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import AudioFileError
from rtaudio.io.formats import check_stream
from rtaudio.io.pcm import SAMPLE_FORMATS, SampleFormat, empty_pipe, read_wav_start, wav_header
from rtaudio.io.sink import write_error
from rtaudio.io.source import os_reason

FloatArray = NDArray[np.float32]

_POLL_SECONDS = 0.2
# So much is converted at a time when a pipe delivers faster than real time.
_MAX_READ_BYTES = 1 << 18


class PipeSource:
    """PCM from a pipe, as raw samples or WAV. A read returns what is there, not a full block."""

    def __init__(
        self,
        descriptor: int,
        *,
        name: str,
        raw: tuple[SampleFormat, int, int] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """raw: (format, sample rate, channels) of headerless PCM; None: a WAV header says it."""
        self.name = name
        self.warnings: list[str] = []
        self._descriptor = descriptor
        self._cancelled = cancelled
        self._raw = raw is not None
        self._rest = b""
        self._empty = True
        self._bytes_left: int | None = None
        self.frames: int | None = None
        if raw is not None:
            self._format, self.sample_rate, self.channels = raw
        else:
            start = read_wav_start(name, self._read_exactly)
            self._format = start.sample_format
            self.sample_rate, self.channels = start.sample_rate, start.channels
            self.frames = start.frames
        check_stream(name, self.sample_rate, self.channels)
        self.subtype: str | None = self._format.subtype
        self._frame_bytes = self._format.num_bytes * self.channels
        if self.frames is not None:
            self._bytes_left = self.frames * self._frame_bytes

    @property
    def sample_format(self) -> SampleFormat:
        return self._format

    def read(self, max_frames: int) -> FloatArray:
        wanted = min(max_frames * self._frame_bytes, max(_MAX_READ_BYTES, self._frame_bytes))
        data = self._rest
        while len(data) < self._frame_bytes:
            count = wanted - len(data)
            if self._bytes_left is not None:
                count = min(count, self._bytes_left)
            more = self._read_some(count) if count > 0 else b""
            if not more:
                break
            self._empty = False
            if self._bytes_left is not None:
                self._bytes_left -= len(more)
            data += more
        if self._empty and self._raw and not self._cancelled():
            raise empty_pipe(self.name)
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        if whole == 0 and data:
            self._rest = b""
            self.warnings.append(
                f"{self.name} ends within a frame ({len(data)} of {self._frame_bytes} bytes), "
                "which is left out"
            )
        elif whole == 0 and self._bytes_left:
            self.warnings.append(
                f"{self.name} ended {self._bytes_left:,} bytes before its header said it would"
            )
            self._bytes_left = 0
        return self._format.decode(data[:whole]).reshape(-1, self.channels)

    def _read_some(self, count: int) -> bytes:
        try:
            # A signal must be able to end a read that waits for a quiet pipe.
            while (
                os.name == "posix"
                and not select.select([self._descriptor], [], [], _POLL_SECONDS)[0]
            ):
                if self._cancelled():
                    return b""
            return os.read(self._descriptor, count)
        except OSError as error:
            raise AudioFileError(f"{self.name} cannot be read: {os_reason(error)}") from None

    def _read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._read_some(count - len(data))
            if not more:
                break
            data += more
        return data

    def close(self) -> None:
        if self._descriptor > 2:
            os.close(self._descriptor)
            self._descriptor = -1


class PipeSink:
    """PCM to a pipe or a device file, handed on at every block."""

    def __init__(
        self,
        descriptor: int,
        *,
        name: str,
        sample_format: SampleFormat,
        sample_rate: int,
        channels: int,
        frames: int | None,
        header: bool,
    ) -> None:
        self.name = name
        self.clips = sample_format.wave_tag != SAMPLE_FORMATS["f32le"].wave_tag
        self._descriptor = descriptor
        self._format = sample_format
        if header:
            self._write(wav_header(sample_format, sample_rate, channels, frames))

    def write(self, block: FloatArray) -> None:
        self._write(self._format.encode(block))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while len(view):
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise write_error(Path(self.name), error) from None

    def commit(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._descriptor > 2:
            os.close(self._descriptor)
            self._descriptor = -1


def open_special(path: Path, *, write: bool) -> int:
    try:
        return os.open(path, os.O_WRONLY if write else os.O_RDONLY)
    except OSError as error:
        if write:
            raise write_error(path, error) from None
        raise AudioFileError(f"{path} cannot be read: {os_reason(error)}") from None


def set_binary_standard_streams() -> None:
    """Windows would translate line ends within the samples."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(1, os.O_BINARY)
