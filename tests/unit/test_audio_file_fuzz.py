"""Mutated recordings, as files and through pipes: read to an end, or refused in one sentence.

`python -m tests.unit.test_audio_file_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from rtaudio.errors import AudioFileError
from rtaudio.io import FileSource, PipeSource, Source, process

from .audio_files import speechlike, wav_bytes
from .fuzzing import Fuzzed, outcomes_of

MOST_FRAMES = 1 << 22  # many times what any of these files holds
NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0xFFFFFFFF)


class Echo:
    """A stream that gives back what it gets."""

    def push(self, x: np.ndarray) -> np.ndarray:
        assert np.isfinite(x).all()
        return x

    def flush(self) -> np.ndarray:
        return np.zeros((0, self.channels), np.float32)

    def __init__(self, channels: int) -> None:
        self.channels = channels


class Counter:
    """A sink that counts frames."""

    name, clips, frames = "counter", True, 0

    def write(self, block: np.ndarray) -> None:
        assert np.isfinite(block).all()
        self.frames += len(block)
        assert self.frames <= MOST_FRAMES

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def seeds(folder: Path) -> list[bytes]:
    files = [
        wav_bytes(),
        wav_bytes(channels=2, bits=24),
        wav_bytes(tag=3, bits=32, data=bytes(999)),
    ]
    audio = speechlike(16_000, 0.2, 2)
    for kind, subtype in (
        ("wav", "PCM_16"),
        ("wav", "PCM_24"),
        ("wav", "FLOAT"),
        ("wav", "DOUBLE"),
        ("wav", "ULAW"),
        ("wav", "IMA_ADPCM"),
        ("flac", "PCM_16"),
        ("ogg", "VORBIS"),
        ("aiff", "PCM_16"),
        ("rf64", "PCM_16"),
        ("w64", "PCM_16"),
        ("caf", "PCM_16"),
        ("au", "FLOAT"),
    ):
        path = folder / f"seed.{kind}"
        soundfile.write(path, audio, 16_000, subtype=subtype)
        files.append(path.read_bytes())
    return files


def mutate(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 20])):
        if len(changed) < 8:
            break
        # Most of what can go wrong stands in the first bytes.
        at = rng.randrange(min(len(changed), rng.choice([48, 48, 48, 200, 1 << 30])))
        kind = rng.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 2] = struct.pack("<H", rng.choice(NUMBERS) & 0xFFFF)
        elif kind == 2:
            changed[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(NUMBERS))
        elif kind == 3:
            changed[at : at + 8] = struct.pack("<q", rng.choice([-1, 1 << 40, (1 << 63) - 1]))
        elif kind == 4:
            del changed[at:]
        elif kind == 5:
            del changed[at : at + rng.randrange(1, 9)]
        else:
            piece = rng.choice([b"data", b"fmt ", b"LIST\xff\xff\xff\xff", b"RIFF", bytes(8)])
            changed[at:at] = piece
    return bytes(changed)


def check_sentence(text: str) -> None:
    assert text and "\n" not in text and len(text) < 500, text


def run(source: Source) -> str:
    try:
        result = process(source, Counter(), Echo(source.channels), stream_rate=source.sample_rate)
        for warning in result.warnings:
            check_sentence(warning)
        return "warned" if result.warnings else "read"
    except AudioFileError as error:
        check_sentence(str(error))
        return "refused"
    finally:
        source.close()


def try_file(path: Path) -> str:
    try:
        source = FileSource(path)
    except AudioFileError as error:
        check_sentence(str(error))
        return "refused"
    return run(source)


def try_pipe(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = PipeSource(descriptor, name="stdin")
    except AudioFileError as error:
        os.close(descriptor)
        check_sentence(str(error))
        return "refused"
    return run(source)


def attempt(path: Path, _rng: random.Random) -> Iterator[str]:
    yield try_file(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start in (b"RIFF", b"RF64"):
        yield try_pipe(path)


AUDIO = Fuzzed(
    name="audio",
    suffix=".wav",
    outcomes=("read", "warned", "refused"),
    memory=4 << 30,
    seeds=seeds,
    mutate=mutate,
    attempt=attempt,
)


def test_mutated_recordings() -> None:
    """In a process of its own, whose memory is limited."""
    results = outcomes_of(__name__, cases=1500)
    assert all(count > 100 for count in results.values()), results


if __name__ == "__main__":
    np.seterr(all="ignore")
    AUDIO.main()
