"""Writing audio so that a file is either complete under its name or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import AudioFileError
from rtaudio.io.formats import choose_format, is_integer_pcm
from rtaudio.io.pcm import round_to_integers
from rtaudio.io.source import file_name, os_reason

FloatArray = NDArray[np.float32]

_FULL_BELOW_BYTES = 1 << 20
_INTEGER_BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


class Sink(Protocol):
    """Where processed blocks go. Exactly one of `commit` and `abort` ends it."""

    name: str
    clips: bool  # samples beyond +-1 are clipped by the sample format

    def write(self, block: FloatArray) -> None: ...

    def commit(self) -> None:
        """Everything was written: give the output its name."""
        ...

    def abort(self) -> None:
        """Leave no trace of the output. Safe to call after `commit`."""
        ...


class AtomicFile:
    """A temporary file beside `path` that takes its name on `commit`."""

    def __init__(self, path: Path) -> None:
        """Raises AudioFileError when the folder cannot be written to."""
        if path.is_dir():
            raise AudioFileError(
                f"the output {path} is a directory; use -d {path} or name a file in it"
            )
        self.path = path
        # Beside the target, for os.replace works only within one file system.
        self.temporary = path.with_name(f".{path.name[:64]}.{secrets.token_hex(4)}.part")
        try:
            os.close(os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            raise write_error(path, error) from None

    def commit(self) -> None:
        try:
            # Without this a crash soon after could leave an empty file under the final name.
            with self.temporary.open("rb") as file:
                os.fsync(file.fileno())
            self.temporary.replace(self.path)
        except OSError as error:
            self.abort()
            raise write_error(self.path, error) from None

    def abort(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.temporary.unlink()


def stored_samples(block: FloatArray, subtype: str) -> NDArray[Any]:
    """`block` in the type that libsndfile stores without a change: left to convert floats by itself
    it rounds towards -infinity in WAV and AIFF. Float and lossy formats take floats."""
    bits = _INTEGER_BITS.get(subtype)
    if bits is None:
        return block
    integers = round_to_integers(block, bits)
    if bits == 16:
        return integers.astype(np.int16)
    return (integers * 2.0 ** (32 - bits)).astype(np.int32)  # libsndfile takes the upper bits


class FileSink:
    """An audio file in the format its extension names."""

    def __init__(
        self,
        path: Path,
        *,
        sample_rate: int,
        channels: int,
        frames: int | None = None,
        input_subtype: str | None = None,
    ) -> None:
        """frames: expected length if known. Raises AudioFileError with the reason."""
        import soundfile

        self.name = str(path)
        container, subtype = choose_format(
            path,
            sample_rate=sample_rate,
            channels=channels,
            frames=frames,
            input_subtype=input_subtype,
        )
        self.clips = is_integer_pcm(subtype)
        self._subtype = subtype
        self._frames = 0
        self._atomic = AtomicFile(path)
        try:
            self._file = soundfile.SoundFile(
                file_name(self._atomic.temporary),
                "w",
                samplerate=sample_rate,
                channels=channels,
                format=container,
                subtype=subtype,
            )
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            self._atomic.abort()
            raise self._error(error) from None

    def write(self, block: FloatArray) -> None:
        try:
            self._file.write(stored_samples(block, self._subtype))
        except (RuntimeError, AssertionError) as error:
            raise self._error(error) from None
        self._frames += len(block)

    def commit(self) -> None:
        try:
            self._file.close()
            self._check()
        except (RuntimeError, OSError) as error:
            self._atomic.abort()
            raise self._error(error) from None
        self._atomic.commit()

    def _check(self) -> None:
        """Read the length back: libsndfile does not report a failed last write on closing."""
        import soundfile

        held = soundfile.info(file_name(self._atomic.temporary)).frames
        # MP3 pads to whole granules; nothing may be missing anywhere.
        if held < self._frames:
            raise RuntimeError(f"{held:,} of {self._frames:,} frames arrived")

    def abort(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            self._file.close()
        self._atomic.abort()

    def _error(self, error: Exception) -> AudioFileError:
        if isinstance(error, OSError):
            return write_error(self._atomic.path, error)
        free = shutil.disk_usage(self._atomic.path.parent).free
        if free < _FULL_BELOW_BYTES:
            return write_error(self._atomic.path, OSError(errno.ENOSPC, ""))
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".").lower()
        return AudioFileError(
            f"{self.name} cannot be written ({reason or 'write failed'}); "
            "check the space and the limits of its disk, or write .wav"
        )


def make_folder(path: Path) -> None:
    """With its parents, if it is not there. Raises AudioFileError with the reason."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(
            f"the folder {path} cannot be made: {os_reason(error)}; choose another"
        ) from None


def write_error(path: Path, error: OSError) -> AudioFileError:
    """The sentence for a failed write, with the way out."""
    if error.errno == errno.ENOSPC:
        return AudioFileError(
            f"the disk that holds {path} is full; free some space or write elsewhere"
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not path.parent.is_dir():
        return AudioFileError(
            f"{path} cannot be written: {path.parent} is not an existing directory; "
            "create it first or write elsewhere"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AudioFileError(
            f"{path} cannot be written: {os_reason(error)}; choose a place that you may write to"
        )
    if error.errno == errno.EPIPE:
        return AudioFileError(f"the reader of {path} closed the pipe before the audio ended")
    return AudioFileError(f"{path} cannot be written: {os_reason(error)}; write elsewhere")
