"""Mutated recordings, as files and through pipes: read to an end, or refused in one sentence.

`python -m tests.unit.test_audio_file_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from rtaudio.errors import AudioFileError
from rtaudio.io import FileSource, PipeSource, Source, process

from .audio_files import speechlike, wav_bytes

MEMORY = 4 << 30  # of addresses
HANG_SECONDS = 60
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


def fuzz(seed: int, cases: int, seconds: float) -> dict[str, int]:
    results = {"read": 0, "warned": 0, "refused": 0}
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        files = seeds(Path(name))
        path = Path(name) / "case.wav"
        for case in range(seed, seed + cases):
            rng = random.Random(case)
            data = mutate(rng, rng.choice(files))
            path.write_bytes(data)
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            try:
                results[try_file(path)] += 1
                if data[:4] in (b"RIFF", b"RF64"):
                    results[try_pipe(path)] += 1
            except BaseException as error:
                kept = Path(tempfile.gettempdir()) / f"audio-fuzz-{case}"
                kept.write_bytes(data)
                raise AssertionError(f"case {case}: {error!r:.300}; kept as {kept}") from error
            faulthandler.cancel_dump_traceback_later()
            if time.monotonic() > until:
                break
    return results


def test_mutated_recordings() -> None:
    """In a process of its own, whose memory is limited."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, "--cases", "1500"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = dict(part.split(" ") for part in done.stdout.strip().split(", "))
    assert all(int(count) > 100 for count in results.values()), results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1 << 40)
    parser.add_argument("--seconds", type=float, default=1e9)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    np.seterr(all="ignore")
    results = fuzz(args.seed, args.cases, args.seconds)
    print(", ".join(f"{name} {count}" for name, count in results.items()))


if __name__ == "__main__":
    main()
