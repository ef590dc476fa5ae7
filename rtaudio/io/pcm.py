"""Sample formats of raw PCM and of WAV, to and from float32 in +-1."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import AudioFileError
from rtaudio.io.formats import show_bytes

FloatArray = NDArray[np.float32]

UNKNOWN_LENGTH = 0xFFFFFFFF
_WAVE_PCM, _WAVE_FLOAT, _WAVE_EXTENSIBLE = 1, 3, 0xFFFE


def round_to_integers(samples: FloatArray, bits: int) -> NDArray[np.float64]:
    """The nearest integers of so many bits; what lies beyond +-1 is clipped."""
    scale = 2.0 ** (bits - 1)
    rounded: NDArray[np.float64] = np.rint(samples.astype(np.float64) * scale)
    return np.clip(rounded, -scale, scale - 1)


@dataclass(frozen=True)
class SampleFormat:
    """One name of `--raw-format`, as in ffmpeg and sox."""

    name: str
    subtype: str
    num_bytes: int
    wave_tag: int

    def decode(self, data: bytes) -> FloatArray:
        """Whole samples to float32, flat."""
        if self.name == "f32le":
            return np.frombuffer(data, "<f4").astype(np.float32)
        if self.name == "f64le":
            return np.frombuffer(data, "<f8").astype(np.float32)
        scale = 2.0 ** (8 * self.num_bytes - 1)
        integers: NDArray[np.int64]
        if self.name == "u8":
            integers = np.frombuffer(data, np.uint8).astype(np.int64) - 128
        elif self.name == "s24le":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            integers = padded.view("<i4")[:, 0].astype(np.int64) >> 8
        else:
            integers = np.frombuffer(data, f"<i{self.num_bytes}").astype(np.int64)
        return (integers / scale).astype(np.float32)

    def encode(self, samples: FloatArray) -> bytes:
        """Rounds to nearest; what lies beyond +-1 is clipped in the integer formats."""
        if self.name in ("f32le", "f64le"):
            return samples.astype(f"<f{self.num_bytes}").tobytes()
        scaled = round_to_integers(samples, 8 * self.num_bytes)
        if self.name == "u8":
            return (scaled + 128).astype(np.uint8).tobytes()
        if self.name == "s24le":
            whole = scaled.astype("<i4").reshape(-1, 1).view(np.uint8)
            return whole[:, :3].tobytes()
        return scaled.astype(f"<i{self.num_bytes}").tobytes()


SAMPLE_FORMATS = {
    each.name: each
    for each in (
        SampleFormat("u8", "PCM_U8", 1, _WAVE_PCM),
        SampleFormat("s16le", "PCM_16", 2, _WAVE_PCM),
        SampleFormat("s24le", "PCM_24", 3, _WAVE_PCM),
        SampleFormat("s32le", "PCM_32", 4, _WAVE_PCM),
        SampleFormat("f32le", "FLOAT", 4, _WAVE_FLOAT),
        SampleFormat("f64le", "DOUBLE", 8, _WAVE_FLOAT),
    )
}


def pipe_format(wanted: str | None, input_subtype: str | None) -> SampleFormat:
    """What goes to a pipe: the wanted format, else the input's where that loses nothing."""
    if wanted is not None:
        return SAMPLE_FORMATS[wanted]
    for sample_format in SAMPLE_FORMATS.values():
        if sample_format.subtype == input_subtype and sample_format.name != "u8":
            return sample_format
    return SAMPLE_FORMATS["s16le"]


def wav_header(
    sample_format: SampleFormat, sample_rate: int, channels: int, frames: int | None
) -> bytes:
    """A WAV header; both sizes are 0xFFFFFFFF, read as 'until the end', where not known."""
    align = sample_format.num_bytes * channels
    size = UNKNOWN_LENGTH if frames is None else frames * align
    if size > UNKNOWN_LENGTH - 36:
        size = UNKNOWN_LENGTH
    riff = UNKNOWN_LENGTH if size == UNKNOWN_LENGTH else size + 36
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        riff,
        b"WAVE",
        b"fmt ",
        16,
        sample_format.wave_tag,
        channels,
        sample_rate,
        min(sample_rate * align, UNKNOWN_LENGTH),
        align,
        8 * sample_format.num_bytes,
        b"data",
        size,
    )


@dataclass(frozen=True)
class WavStart:
    sample_format: SampleFormat
    sample_rate: int
    channels: int
    frames: int | None


def read_wav_start(name: str, read_exactly: Callable[[int], bytes]) -> WavStart:
    """Reads up to the first sample of a WAV that cannot be sought in.

    Raises AudioFileError when it is no WAV, or one whose samples are not plain PCM or float.
    """
    start = read_exactly(12)
    if not start:
        raise empty_pipe(name)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise AudioFileError(
            f"{name} does not start with a WAV header (it starts with {show_bytes(start[:8])}); "
            "pipe WAV, or say what raw PCM it is with --raw-rate 48000"
        )
    layout: tuple[SampleFormat, int, int] | None = None
    while True:
        head = read_exactly(8)
        if len(head) < 8:
            raise AudioFileError(f"{name} ends within its WAV header; pipe the whole stream")
        kind, size = struct.unpack("<4sI", head)
        if kind == b"data":
            if layout is None:
                raise AudioFileError(f"{name} has a WAV data chunk before its fmt chunk")
            sample_format, sample_rate, channels = layout
            known = size not in (0, 0x7FFFFFFF, UNKNOWN_LENGTH) and start[:4] == b"RIFF"
            frames = size // (sample_format.num_bytes * channels) if known else None
            return WavStart(sample_format, sample_rate, channels, frames)
        if kind == b"fmt ":
            if not 16 <= size <= 4096:
                raise AudioFileError(f"{name} has a WAV fmt chunk of {size:,} bytes, not 16 to 40")
            layout = _parse_format(name, read_exactly(size + size % 2))
        else:
            _skip(name, read_exactly, size + size % 2)


def empty_pipe(name: str) -> AudioFileError:
    return AudioFileError(f"{name} is empty (0 bytes); was the program before it started?")


def _skip(name: str, read_exactly: Callable[[int], bytes], size: int) -> None:
    while size > 0:
        got = len(read_exactly(min(size, 1 << 16)))
        if got == 0:
            raise AudioFileError(f"{name} ends within its WAV header; pipe the whole stream")
        size -= got


def _parse_format(name: str, chunk: bytes) -> tuple[SampleFormat, int, int]:
    if len(chunk) < 16:
        raise AudioFileError(f"{name} ends within its WAV header; pipe the whole stream")
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _WAVE_EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    num_bytes = align // channels if channels else 0
    for sample_format in SAMPLE_FORMATS.values():
        if (sample_format.wave_tag, sample_format.num_bytes) == (tag, num_bytes):
            return sample_format, rate, channels
    if channels == 0:
        raise AudioFileError(f"{name} has 0 channels in its WAV header; 1 to 64 are possible")
    raise AudioFileError(
        f"{name} holds WAV samples of format {tag} with {bits} bits, and on a pipe only PCM and "
        "float are read; pass it as a file"
    )
