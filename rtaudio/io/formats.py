"""Which files can be read and written, and how a result is stored."""

from __future__ import annotations

import math
from pathlib import Path

from rtaudio.errors import AudioFileError

MAX_CHANNELS = 64
MIN_RATE = 1_000
MAX_RATE = 768_000

# What `denoise DIRECTORY` picks up, and the libsndfile container each extension means.
FORMAT_OF_EXTENSION = {
    ".wav": "WAV",
    ".wave": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".aif": "AIFF",
    ".aiff": "AIFF",
    ".au": "AU",
    ".caf": "CAF",
    ".w64": "W64",
    ".rf64": "RF64",
}

# A RIFF chunk counts its bytes in 32 bits; above that the same file name holds RF64.
_RIFF_LIMIT_BYTES = (1 << 32) - (1 << 20)

_BYTES_OF_SUBTYPE = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_CHANNEL_LIMIT = {"FLAC": 8, "MP3": 2}
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def list_words(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def show_bytes(start: bytes) -> str:
    """What a file starts with: as text where it is some, else in hexadecimal."""
    line = start.split(b"\n")[0].decode("ascii", "replace").rstrip()
    return f"{line!r}" if line and line.isascii() and line.isprintable() else start.hex(" ")


def is_audio_name(path: Path) -> bool:
    return path.suffix.lower() in FORMAT_OF_EXTENSION


def check_stream(name: str, sample_rate: int, channels: int) -> None:
    """Raise for a rate or channel count outside of what this package handles."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioFileError(
            f"{name} has {channels} channels, and this program handles 1 to {MAX_CHANNELS}; "
            "split it into files with fewer channels"
        )
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise AudioFileError(
            f"{name} has a sample rate of {sample_rate:,} Hz, and this program handles "
            f"{MIN_RATE:,} to {MAX_RATE:,} Hz; correct its header or resample it first"
        )


def output_subtype(container: str, extension: str, input_subtype: str | None) -> str:
    """The sample format to store a result in: the input's where that loses nothing.

    8-bit, mu-law, ADPCM and their like would add back the noise that was just removed, so they
    become 16-bit.
    """
    if container == "OGG":
        return "OPUS" if extension == ".opus" or input_subtype == "OPUS" else "VORBIS"
    if container == "MP3":
        return "MPEG_LAYER_III"
    kept = input_subtype if input_subtype in _BYTES_OF_SUBTYPE else "PCM_16"
    if container == "FLAC" and kept not in ("PCM_16", "PCM_24"):
        return "PCM_24"
    return kept


def choose_format(
    path: Path, *, sample_rate: int, channels: int, frames: int | None, input_subtype: str | None
) -> tuple[str, str]:
    """The libsndfile (format, subtype) for an output path, or a sentence why it cannot hold it."""
    extension = path.suffix.lower()
    container = FORMAT_OF_EXTENSION.get(extension)
    if container is None:
        known = list_words(["wav", "flac", "ogg", "opus", "mp3", "aiff", "w64"], "or")
        problem = f"ends in {extension!r}" if extension else "has no extension"
        raise AudioFileError(
            f"the output name {path} {problem}, which names no audio format; end it in {known}"
        )
    subtype = output_subtype(container, extension, input_subtype)
    limit = _CHANNEL_LIMIT.get(container, MAX_CHANNELS)
    if channels > limit:
        raise AudioFileError(
            f"{container} holds at most {limit} channels and {path} would need {channels}; "
            "write .wav instead"
        )
    rates = _OPUS_RATES if subtype == "OPUS" else _MP3_RATES if container == "MP3" else None
    if rates is not None and sample_rate not in rates:
        raise AudioFileError(
            f"{'Opus' if subtype == 'OPUS' else 'MP3'} cannot hold {sample_rate:,} Hz, the rate "
            f"of the input of {path}; write .flac or .wav instead"
        )
    size = _BYTES_OF_SUBTYPE.get(subtype, 0) * channels * (frames or 0)
    if container == "WAV" and size > _RIFF_LIMIT_BYTES:
        container = "RF64"
    return container, subtype


def is_integer_pcm(subtype: str) -> bool:
    """Whether samples beyond +-1 are clipped when stored."""
    return subtype not in ("FLOAT", "DOUBLE")


def format_duration(seconds: float) -> str:
    """12.3 s, 4:05 or 10:00:00."""
    if not math.isfinite(seconds):
        return "unknown length"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02} min"
