"""One recording of `rtaudio denoise`: opened, processed, and given its name when it is whole."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtaudio.cli.interrupt import Interrupt
from rtaudio.cli.jobs import Job
from rtaudio.cli.progress import Reporter

if TYPE_CHECKING:
    from rtaudio.io import Result, Sink, Source


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all recordings of one call share."""

    model: Any  # rtaudio.Model
    args: argparse.Namespace
    interrupt: Interrupt
    report: Reporter


def denoise(job: Job, task: Task) -> Result | None:
    """One recording; None when its output is already there. Leaves all of it or nothing."""
    from rtaudio.io import process

    if job.keep_existing and job.output is not None and job.output.exists():
        hint = "perhaps with other settings; --overwrite or -o writes it anew"
        task.report.say(f"{job.output}: skipped, made earlier, {hint}")
        return None
    args, model = task.args, task.model
    source = _open_source(job, args, task.interrupt)
    sink: Sink | None = None
    bar = task.report.begin(job.name, source.frames)
    try:
        rate = source.sample_rate
        stream_rate = rate if model.supports_rate(rate) else model.native_rate(rate)
        delay = 0
        if not args.compensate_delay:
            delay = round(model.latency(stream_rate).signal_delay * rate / stream_rate)
        plot = _Plot(args.plot, source) if args.plot else None
        with model.stream(
            sample_rate=stream_rate,
            channels=source.channels,
            attenuation_limit_db=args.atten_lim_db,
        ) as stream:
            sink = _open_sink(job, args, source)
            result = process(
                source,
                sink,
                stream,
                stream_rate=stream_rate,
                delay_samples=delay,
                strict=args.strict,
                cancelled=task.interrupt,
                on_progress=bar,
                **({"on_block": plot.on_block} if plot else {}),
            )
        sink.commit()
        sink = None
        if plot is not None:
            plot.save(job.name)
    finally:
        if sink is not None:
            sink.abort()
        source.close()
        bar.close()
    _report_result(job, result, stream_rate, task.report)
    return result


def _open_source(job: Job, args: argparse.Namespace, interrupt: Interrupt) -> Source:
    from rtaudio.io import SAMPLE_FORMATS, FileSource, PipeSource
    from rtaudio.io.pipes import open_special, set_binary_standard_streams
    from rtaudio.io.source import is_special

    raw = None
    if args.raw_rate is not None:
        raw = (SAMPLE_FORMATS[args.raw_format or "s16le"], args.raw_rate, args.raw_channels)
    if job.input is None:
        set_binary_standard_streams()
        return PipeSource(0, name="stdin", raw=raw, cancelled=interrupt)
    if raw is not None or is_special(job.input):
        descriptor = open_special(job.input, write=False)
        return PipeSource(descriptor, name=job.name, raw=raw, cancelled=interrupt)
    return FileSource(job.input)


def _open_sink(job: Job, args: argparse.Namespace, source: Source) -> Sink:
    from rtaudio.io import FileSink, PipeSink
    from rtaudio.io.pcm import pipe_format
    from rtaudio.io.pipes import open_special
    from rtaudio.io.sink import make_folder
    from rtaudio.io.source import is_special

    if job.output is not None and not is_special(job.output):
        if args.directory is not None:
            make_folder(job.output.parent)
        return FileSink(
            job.output,
            sample_rate=source.sample_rate,
            channels=source.channels,
            frames=source.frames,
            input_subtype=source.subtype,
        )
    raw = args.raw_rate is not None or args.raw_format is not None
    return PipeSink(
        1 if job.output is None else open_special(job.output, write=True),
        name=job.output_name,
        sample_format=pipe_format(args.raw_format, source.subtype),
        sample_rate=source.sample_rate,
        channels=source.channels,
        frames=source.frames,
        header=not raw,
    )


class _Plot:
    """Collects both spectrograms while the audio passes."""

    def __init__(self, path: str, source: Source) -> None:
        from rtaudio.demo.spectrogram import Spectrogram

        self._path = Path(path)
        self._before = Spectrogram(source.sample_rate)
        self._after = Spectrogram(source.sample_rate)

    def on_block(self, before: Any, after: Any) -> None:
        self._before.push(before)
        self._after.push(after)

    def save(self, title: str) -> None:
        from rtaudio.demo.plot import save_plot

        save_plot(self._path, title, self._before, self._after)


def _report_result(job: Job, result: Result, stream_rate: int, report: Reporter) -> None:
    from rtaudio.io.formats import format_duration

    for warning in result.warnings:
        report.warn(warning)
    resampled = ""
    if stream_rate != result.sample_rate:
        resampled = f"; resampled to {stream_rate / 1000:g} kHz and back"
    report.say(
        f"{job.name} -> {job.output_name}: {format_duration(result.seconds)} "
        f"in {format_duration(result.wall_seconds)} (RTF {result.rtf:.4f}{resampled})"
    )
