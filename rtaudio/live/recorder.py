"""Writes what goes in and what comes out to two files, beside the audio path."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from rtaudio import _native
from rtaudio.errors import RtaudioError

QUEUE_SECONDS = 10
PERIOD_SECONDS = 0.1
STOP_SECONDS = 1.0
FULL_BYTES = 1 << 20


class Recorder:
    """`<time>-input.wav` and `<time>-output.wav` in a folder, 32-bit float, from start() on.

    A disk that stops for longer than the queue is deep costs recorded blocks, never sound; they
    are counted. Raises RtaudioError where the files cannot be made.
    """

    def __init__(
        self, engine: _native.LiveEngine, folder: Path, sample_rate: int, lanes: int
    ) -> None:
        import soundfile

        self._engine = engine
        self._lanes = lanes
        self._stop = threading.Event()
        self.error = ""
        stem = time.strftime("%Y%m%d-%H%M%S")
        self._files: list[Any] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for side in ("input", "output"):
                path = _free(folder, f"{stem}-{side}")
                self._files.append(
                    soundfile.SoundFile(str(path), "w", sample_rate, lanes, subtype="FLOAT")
                )
        except (OSError, soundfile.SoundFileError) as error:
            self._close()
            raise RtaudioError(
                f"{folder}: recordings cannot be written there ({error}); give another folder."
            ) from error
        self._thread = threading.Thread(target=self._run, name="rtaudio-recorder", daemon=True)
        self._thread.start()

    @property
    def paths(self) -> list[Path]:
        return [Path(file.name) for file in self._files]

    def stop(self) -> None:
        """What was heard so far is in the files then, unless the disk does not answer."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self.error = "the recording ends early: the disk does not answer"

    def _run(self) -> None:
        try:
            while not self._stop.wait(PERIOD_SECONDS):
                self._drain()
            self._drain()
        except Exception as error:
            self.error = f"the recording ends early: {self._reason(error)}"
        finally:
            self._close()

    def _reason(self, error: Exception) -> str:
        # libsndfile tells a full disk as a short write, without a word.
        with contextlib.suppress(OSError):
            folder = Path(self._files[0].name).parent
            if shutil.disk_usage(folder).free < FULL_BYTES:
                return f"the disk of {folder} is full"
        return " ".join(str(error).split()).rstrip(".") or "the files cannot be written"

    def _drain(self) -> None:
        while (blocks := self._engine.take_recording(64)) is not None:
            self._files[0].write(blocks[:, : self._lanes])
            self._files[1].write(blocks[:, self._lanes :])

    def _close(self) -> None:
        for file in self._files:
            with contextlib.suppress(Exception):
                file.close()


def _free(folder: Path, stem: str) -> Path:
    """Nothing is overwritten."""
    path, number = folder / f"{stem}.wav", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.wav", number + 1
    return path
