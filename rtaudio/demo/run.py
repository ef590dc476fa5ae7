"""What `rtaudio demo` does: clean a recording in 10 ms blocks, measure, and write four files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtaudio.bench.hardware import cpu_name
from rtaudio.demo.page import Figure, Page, write_page
from rtaudio.demo.plot import has_matplotlib, save_plot
from rtaudio.demo.spectrogram import Spectrogram
from rtaudio.errors import AudioFileError
from rtaudio.io import CancelledError, FileSink, FileSource
from rtaudio.io.sink import make_folder, write_error

if TYPE_CHECKING:
    from rtaudio.runtime.latency import Latency
    from rtaudio.runtime.model import Model

FloatArray = NDArray[np.float32]

MAX_SECONDS = 60.0
_WARM_UP_BLOCKS = 50
_REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one recording in one model. Times are in seconds."""

    model_name: str
    sample_rate: int
    audio_seconds: float
    block_seconds: float
    mean: float
    p50: float
    p999: float
    latency: Latency

    @property
    def rtf(self) -> float:
        """What the median block takes of the time there is for one."""
        return self.p50 / self.block_seconds

    @property
    def mean_rtf(self) -> float:
        """Of all blocks: with what else the machine did in between."""
        return self.mean / self.block_seconds


@dataclass(frozen=True, kw_only=True)
class Demo:
    measured: Measured
    files: tuple[Path, ...]
    page: Path
    drew_plot: bool


def shipped_recording() -> Path:
    """The recording in the package."""
    folder = resources.files("rtaudio.weights")
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.startswith("demo.") and entry.name.endswith((".flac", ".wav", ".ogg")):
            return Path(str(entry))
    raise AudioFileError(
        "this installation holds no demo recording; name one of yours: rtaudio demo talk.wav"
    )


def shipped_credit() -> str:
    """Who made the shipped recording, and its licence: one sentence, or nothing."""
    text = resources.files("rtaudio.weights").joinpath("demo.txt")
    return " ".join(text.read_text(encoding="utf-8").split()) if text.is_file() else ""


def read_start(path: Path) -> tuple[FloatArray, int, bool]:
    """The first minute as (frames, channels), its rate, and whether there was more."""
    with FileSource(path) as source:
        blocks = []
        left = round(MAX_SECONDS * source.sample_rate)
        while left > 0 and len(block := source.read(left)):
            blocks.append(np.where(np.isfinite(block), block, np.float32(0)))
            left -= len(block)
        longer = left == 0 and len(source.read(1)) > 0
        if not blocks:
            raise AudioFileError(f"{path} holds no audio; name a recording with sound in it")
        return np.concatenate(blocks), source.sample_rate, longer


def measure(
    model: Model,
    audio: FloatArray,
    sample_rate: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> Measured:
    """Feed the recording in blocks of one hop, as a sound card would, and time each.

    Raises CancelledError.
    """
    rate = sample_rate if model.supports_rate(sample_rate) else model.native_rate(sample_rate)
    latency = model.latency(rate)
    hop = latency.hop
    times: list[float] = []
    with model.stream(sample_rate=rate, channels=audio.shape[1]) as stream:
        starts = range(0, len(audio) - hop + 1, hop)
        for first in [*starts[:_WARM_UP_BLOCKS]]:
            stream.process(audio[first : first + hop])
        for _ in range(_REPEATS):
            for first in starts:
                before = time.perf_counter()
                stream.process(audio[first : first + hop])
                times.append(time.perf_counter() - before)
                _check(cancelled)
    ordered = np.sort(times) if times else np.zeros(1)
    return Measured(
        model_name=model.name,
        sample_rate=rate,
        audio_seconds=len(audio) / sample_rate,
        block_seconds=hop / rate,
        mean=float(ordered.mean()),
        p50=float(np.quantile(ordered, 0.5)),
        p999=float(np.quantile(ordered, 0.999)),
        latency=latency,
    )


def run_demo(
    model: Model,
    recording: Path,
    folder: Path,
    *,
    shipped: bool,
    on_step: Callable[[str], None] = lambda _step: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Demo:
    """Writes noisy.wav, denoised.wav, index.html and, with matplotlib, spectrograms.png.

    All of them or none: CancelledError, as any other, leaves the folder as it was.
    """
    audio, sample_rate, longer = read_start(recording)
    if longer:
        on_step(f"{recording} is longer than a minute; the first minute is used")
    with _all_or_nothing(folder) as unfinished:
        measured = measure(model, audio, sample_rate, cancelled)
        cleaned = model(audio, sample_rate)
        names = ["noisy.wav", "denoised.wav"]
        for name, sound in zip(names, (audio, cleaned), strict=True):
            _check(cancelled)
            _save(unfinished / name, sound, sample_rate)
        if has_matplotlib():
            before, after = Spectrogram(sample_rate), Spectrogram(sample_rate)
            before.push(audio)
            after.push(cleaned)
            _check(cancelled)
            names.append("spectrograms.png")
            title = f"{recording.name}, {model.name}"
            save_plot(unfinished / names[-1], title, before, after)
        _check(cancelled)
        page = _page(model, measured, audio, cleaned, sample_rate, shipped, recording)
        write_page(unfinished / "index.html", page)
        _check(cancelled)
    return Demo(
        measured=measured,
        files=tuple(folder / name for name in names),
        page=folder / "index.html",
        drew_plot=len(names) == 3,
    )


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise CancelledError


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder` whose files move up where nothing is raised; gone in any case.

    Folders that had to be made go again too.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make_folder(folder)
    try:
        try:
            unfinished = tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=folder)
        except OSError as error:
            raise write_error(folder / "index.html", error) from None
        with unfinished as name:
            yield Path(name)
            for path in sorted(Path(name).iterdir()):
                path.replace(folder / path.name)
    except BaseException:
        for each in made:
            with suppress(OSError):
                each.rmdir()
        raise


def _save(path: Path, audio: FloatArray, sample_rate: int) -> None:
    sink = FileSink(path, sample_rate=sample_rate, channels=audio.shape[1], frames=len(audio))
    try:
        sink.write(audio)
        sink.commit()
    finally:
        sink.abort()


def milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.3g} ms" if value >= 0.1 else f"{value:.2g} ms"


def latency_parts(latency: Latency, rate: int) -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"{name} {milliseconds(size / rate)}", float(size))
        for name, size in latency.parts()
        if size
    )


def _page(
    model: Model,
    measured: Measured,
    before: FloatArray,
    after: FloatArray,
    sample_rate: int,
    shipped: bool,
    recording: Path,
) -> Page:
    block = milliseconds(measured.block_seconds)
    total = milliseconds(measured.latency.samples / measured.sample_rate)
    figures = (
        Figure(
            name="Speed on one core",
            value=f"{1 / measured.rtf:,.0f}×",
            unit="real time",
            note=f"Real-time factor {measured.rtf:.4f} (median; mean {measured.mean_rtf:.4f}), "
            f"in blocks of {block} from Python",
        ),
        Figure(
            name="Algorithmic latency",
            value=total,
            parts=latency_parts(measured.latency, measured.sample_rate),
        ),
        Figure(
            name="Share of the time budget",
            value=f"{100 * measured.rtf:.2g} %",
            share=measured.rtf,
            note=f"{milliseconds(measured.p50)} of {block} for the median block, "
            f"{milliseconds(measured.mean)} in the mean, "
            f"{milliseconds(measured.p999)} for the slowest of 1000",
        ),
    )
    credit = shipped_credit() if shipped else ""
    rate = f"{sample_rate / 1000:g} kHz"
    return Page(
        headline="The same recording, without the noise",
        lead="Play it, then switch between the two while it runs. Both are always at the same "
        "moment, so what changes is what the model took away.",
        sample_rate=sample_rate,
        before=before,
        after=after,
        figures=figures,
        footer=(
            f"Denoised by {model.name}, {model.num_parameters / 1e6:.2f} million parameters, at "
            f"{rate}, block by block with memory kept in queues. The output is the same, bit for "
            "bit, however the signal is cut into blocks.",
            f"Measured on {cpu_name()}, one thread.",
            *((credit,) if credit else (f"Recording: {recording.name}.",)),
        ),
        files=("noisy.wav", "denoised.wav"),
    )
