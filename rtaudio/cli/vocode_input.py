"""What `rtaudio vocode` reads, piece by piece: a mel of any length takes no more memory than a
short one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.mel import convert_mel
from rtaudio.errors import AudioFileError, MelError
from rtaudio.io.source import is_special

if TYPE_CHECKING:
    from rtaudio.cli.progress import Reporter
    from rtaudio.io import FileSource
    from rtaudio.runtime.vocoder import Vocoder

FRAMES_AT_ONCE = 4096
SAMPLES_AT_ONCE = 1 << 16


class MelFile:
    """A .npy file [mels, frames]. All of it is checked before any of it is used."""

    def __init__(self, path: Path, preset: str | None, vocoder: Vocoder) -> None:
        """`preset`: what the file holds (None: mels of the vocoder's). Raises MelError."""
        self._path, self._preset, self._vocoder = path, preset, vocoder
        array = _open(path)
        if preset is None:
            vocoder.check_shape(array.shape)
        self._shape, self._dtype, self._offset = array.shape, array.dtype, array.offset
        self._by_frames = not array.flags.c_contiguous  # frame after frame, not mel after mel
        self.num_frames = array.shape[1] if array.ndim == 2 else 1
        if self.num_frames == 0:
            raise MelError(f"{path} holds no frame; give at least one.")
        for _ in self.pieces():
            pass

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """Its frames as the vocoder's mels [num_mels, k]."""
        for begin in range(0, self.num_frames, FRAMES_AT_ONCE):
            piece = self._read(begin, min(FRAMES_AT_ONCE, self.num_frames - begin))
            if self._preset is not None:
                piece = convert_mel(piece, self._preset, self._vocoder.preset)
            yield self._vocoder.check(piece)

    def _read(self, begin: int, count: int) -> NDArray[Any]:
        """[mels, count]. By the file's own reads: a mapped file would count as memory."""
        if len(self._shape) != 2:
            return np.asarray(np.load(self._path, allow_pickle=False))
        mels, size = self._shape[0], self._dtype.itemsize
        with self._path.open("rb") as file:

            def values(first: int, number: int) -> NDArray[Any]:
                file.seek(self._offset + first * size)
                return np.asarray(np.fromfile(file, self._dtype, number))

            if self._by_frames:
                return np.transpose(values(begin * mels, count * mels).reshape(count, mels))
            rows = [values(mel * self.num_frames + begin, count) for mel in range(mels)]
        return np.stack(rows)


def _open(path: Path) -> np.memmap[Any, Any]:
    """The array, not yet read. Raises MelError for what is none."""
    if is_special(path):
        raise MelError(f"{path} is a pipe or a device; write it to a file, and name that.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):
        raise MelError(f"{path} is no NumPy file of numbers; write one with numpy.save.") from None
    if not isinstance(array, np.memmap):
        raise MelError(f"{path} holds several arrays; save the mel alone, with numpy.save.")
    return array


class Recording:
    """The mel of a recording, of its channels' mean at the vocoder's rate."""

    def __init__(self, path: Path, vocoder: Vocoder, report: Reporter) -> None:
        """Raises AudioFileError for what is no recording; what its samples are shows later."""
        from rtaudio.io import FileSource

        self._path, self._vocoder, self._report = path, vocoder, report
        self._source = FileSource(path)
        frames = self._source.frames
        seconds = None if frames is None else frames / self._source.sample_rate
        self.num_frames: int | None = None  # where the file says how long it is
        if seconds is not None:
            self.num_frames = vocoder.preset.num_frames(round(seconds * vocoder.sample_rate))

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """Its frames [num_mels, k]; once. Raises AudioFileError for NaN, or no frame at all."""
        analysis, preset = self._vocoder.mel_stream(), self._vocoder.preset
        received = 0
        try:
            for x in _at_rate(self._source, self._vocoder.sample_rate):
                if not np.isfinite(x).all():
                    raise AudioFileError(
                        f"{self._path} holds NaN or infinite samples; record or convert it again."
                    )
                received += x.size
                yield np.asarray(analysis.push(x), np.float32)
        finally:
            self._source.close()
        for warning in self._source.warnings:
            self._report.warn(warning)
        if received <= preset.pad or preset.num_frames(received) < 1:
            raise AudioFileError(
                f"{self._path} is too short: it has {received} samples at "
                f"{self._vocoder.sample_rate} Hz, and a mel of {preset.name} needs "
                f"{max(preset.pad + 1, preset.hop)}."
            )
        yield np.asarray(analysis.flush(), np.float32)


def _at_rate(source: FileSource, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """The mean of the channels, (frames,), a piece after the other."""
    resampler = None
    if source.sample_rate != sample_rate:
        from rtaudio.io.resample import BlockResampler

        resampler = BlockResampler(source.sample_rate, sample_rate, 1)
    while len(block := source.read(SAMPLES_AT_ONCE)):
        mono = block.mean(axis=1)
        yield mono if resampler is None else resampler.push(mono[:, None])[:, 0]
    if resampler is not None:
        yield resampler.flush()[:, 0]


def blocks(pieces: Iterator[NDArray[np.float32]], count: int) -> Iterator[NDArray[np.float32]]:
    """The frames of the pieces, at most `count` at a time."""
    for piece in pieces:
        for begin in range(0, piece.shape[1], count):
            yield piece[:, begin : begin + count]
