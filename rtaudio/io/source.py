"""Reading audio in blocks: files of any length in constant memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import AudioFileError
from rtaudio.io.formats import check_stream, format_duration, show_bytes

if TYPE_CHECKING:
    import soundfile

FloatArray = NDArray[np.float32]

# libsndfile logs a data chunk that promises more bytes than the file holds.
_SHORT_CHUNK = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF)
_ERROR_FORMAT_NOT_RECOGNISED = 1
_ERROR_INCOMPLETE_INFO = 24


class Source(Protocol):
    """Audio that is read block by block."""

    name: str
    sample_rate: int
    channels: int
    frames: int | None  # None: not known before its end
    subtype: str | None
    warnings: list[str]

    def read(self, max_frames: int) -> FloatArray:
        """The next frames, shape (at most max_frames, channels); none at the end."""
        ...

    def close(self) -> None: ...


def file_name(path: Path) -> str | bytes:
    """A name as libsndfile opens it, also one that is no UTF-8."""
    return os.fsencode(path) if os.name == "posix" else os.fspath(path)


def is_special(path: Path) -> bool:
    """A named pipe or a device: it is read once, and written in place rather than replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def os_reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


class FileSource:
    """An audio file that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...), as float32."""

    def __init__(self, path: Path) -> None:
        """Raises AudioFileError when it is missing, unreadable, empty or no audio file."""
        self.name = str(path)
        self.warnings: list[str] = []
        self._path = path
        self._file = _open(path)
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.format = str(self._file.format)
        self.subtype: str | None = str(self._file.subtype)
        frames = int(self._file.frames)
        self.frames: int | None = frames if 0 <= frames < 1 << 62 else None
        try:
            check_stream(self.name, self.sample_rate, self.channels)
            self._note_truncation(str(self._file.extra_info))
        except AudioFileError:
            self.close()
            raise
        self._position = 0
        self._ended = False

    def _note_truncation(self, log: str) -> None:
        match = _SHORT_CHUNK.search(log)
        if match is None or self.frames is None:
            return
        promised, held = int(match[1]), int(match[2])
        if promised in _UNKNOWN_LENGTHS or held >= promised:
            return
        if self.frames == 0:
            raise AudioFileError(
                f"{self.name} is truncated: its header promises {promised:,} bytes of audio and "
                "none follow; record or copy it again"
            )
        self._warn_truncated(f"{100 * held / promised:.0f} % of the audio its header promises")

    def _warn_truncated(self, holds: str) -> None:
        self.warnings.append(f"{self.name} is truncated and holds {holds}; what is there is used")

    def read(self, max_frames: int) -> FloatArray:
        if self._ended:
            return np.zeros((0, self.channels), np.float32)
        try:
            block = self._read(max_frames)
        except RuntimeError as error:  # soundfile's LibsndfileError
            block = self._salvage(max_frames, error)
            self._ended = True
        self._position += len(block)
        if len(block) == 0:
            self._ended = True
            if self.frames is not None and self._position < self.frames and not self.warnings:
                rest = format_duration((self.frames - self._position) / self.sample_rate)
                self._warn_truncated(f"{rest} less audio than its header promises")
        return block

    def _read(self, max_frames: int) -> FloatArray:
        block: FloatArray = self._file.read(max_frames, dtype="float32", always_2d=True)
        return block

    def _salvage(self, max_frames: int, error: Exception) -> FloatArray:
        """The frames before a break in a damaged file, in small steps from where it was sound."""
        reason = _reason(error)
        if self._position == 0 and self.frames == 0:
            raise AudioFileError(f"{self.name} is damaged ({reason}); record or copy it again")
        parts: list[FloatArray] = []
        try:
            self._file.close()
            self._file = _open(self._path)
            self._file.seek(self._position)
            while sum(map(len, parts)) < max_frames:
                part = self._read(256)
                if len(part) == 0:
                    break
                parts.append(part)
        except (RuntimeError, AudioFileError):
            pass
        salvaged = np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)
        position = self._position + len(salvaged)
        if position == 0:
            raise AudioFileError(f"{self.name} is damaged ({reason}); record or copy it again")
        at = format_duration(position / self.sample_rate)
        self.warnings.append(
            f"{self.name} is damaged or truncated after {at} ({reason}); what is before is used"
        )
        return salvaged

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _open(path: Path) -> soundfile.SoundFile:
    import soundfile

    if is_special(path):
        raise AudioFileError(f"{path} is a pipe or a device; write it to a file, and name that")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except IsADirectoryError:
        raise AudioFileError(
            f"{path} is a directory; name audio files, or use `rtaudio denoise` on it"
        ) from None
    except OSError as error:
        raise AudioFileError(f"{path} cannot be read: {os_reason(error)}") from None
    if not start:
        raise AudioFileError(f"{path} is empty (0 bytes); record or copy it again")
    try:
        return soundfile.SoundFile(file_name(path))
    except soundfile.LibsndfileError as error:
        if error.code == _ERROR_FORMAT_NOT_RECOGNISED:
            if start[:4] in (b"RIFF", b"fLaC", b"OggS", b"FORM", b"RF64"):
                raise AudioFileError(
                    f"{path} is truncated: it ends within its header; record or copy it again"
                ) from None
            raise AudioFileError(
                f"{path} is not an audio file that can be read (it starts with "
                f"{show_bytes(start[:8])}); give it as WAV, FLAC, OGG, MP3 or AIFF"
            ) from None
        if error.code == _ERROR_INCOMPLETE_INFO:
            raise AudioFileError(
                f"{path} has a header with an impossible sample rate or format (0 Hz, for "
                "example); correct its header or export it again"
            ) from None
        reason = _reason(error)
        if "No 'data' chunk" in str(error):
            reason = "its header ends before any audio"
        raise AudioFileError(
            f"{path} is a damaged audio file ({reason}); record or export it again"
        ) from None
    except (RuntimeError, TypeError, ValueError) as error:
        raise AudioFileError(f"{path} cannot be read ({_reason(error)})") from None
