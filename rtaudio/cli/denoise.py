"""`rtaudio denoise`: recordings, folders and pipes through a denoiser."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from rtaudio.cli.arguments import add_precision, positive
from rtaudio.cli.interrupt import catch_interrupts
from rtaudio.cli.jobs import DENOISED, Job, plan_jobs
from rtaudio.cli.limit import attenuation_limit, check_limit
from rtaudio.cli.main import DONE, FAILED, INTERRUPTED, UsageError, fail
from rtaudio.cli.progress import Reporter
from rtaudio.cli.recording import Task, denoise
from rtaudio.errors import RtaudioError

if TYPE_CHECKING:
    from rtaudio.io import Result
    from rtaudio.runtime.model import Model

DESCRIPTION = """\
Remove noise from recordings (WAV, FLAC, OGG, MP3, AIFF...; any sample rate, 1 to
64 channels), or from PCM on a pipe as it arrives. Inputs are never overwritten, and
an output appears under its name only when it is complete.
"""
USAGE = "%(prog)s [options] IN [IN ...]"
EPILOG = """\
examples:
  rtaudio denoise talk.wav                     writes talk.denoised.wav
  rtaudio denoise talk.wav -m gtcrn            writes talk.gtcrn.wav
  rtaudio denoise talk.flac -o clean.ogg       another name and format
  rtaudio denoise recordings -d clean -r -j 4  a tree of folders, four at a time;
                                               finished ones are skipped
  rtaudio denoise talk.wav -a 12               keep some of the room: 12 dB at most
  arecord -f S16_LE -r 48000 -t raw | rtaudio denoise - --raw-rate 48000 \\
      | aplay -f S16_LE -r 48000 -t raw        a pipe, one block late

exit codes: 0 done, 1 a recording failed, 2 a wrong call, 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-m", "--model", metavar="MODEL", help="name, or .safetensors file (default: rt-tcn)")
    add(
        "-a",
        "--atten-lim-db",
        type=attenuation_limit,
        metavar="DB",
        help="remove no more than DB decibels of noise; 0 changes nothing (default: no limit)",
    )
    add_file_arguments(parser)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """What any model over files takes."""
    formats = ("u8", "s16le", "s24le", "s32le", "f32le", "f64le")
    add = parser.add_argument
    add("inputs", nargs="*", metavar="IN", help="recordings, folders, or - for a pipe (stdin)")
    add("-o", "--output", metavar="OUT", help="output file; its ending names the format; - pipes")
    add("-d", "--directory", metavar="DIR", help="folder for the outputs, made if missing")
    add("-r", "--recursive", action="store_true", help="also the folders below")
    add("-j", "--jobs", type=positive, default=1, metavar="N", help="recordings at a time")
    add("--overwrite", action="store_true", help="do finished ones again")
    add_precision(parser)
    add(
        "--compensate-delay",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="line the output up with the input (default: yes)",
    )
    add("--plot", metavar="PNG", help="draw both spectrograms (needs matplotlib)")
    add(
        "--strict",
        action="store_true",
        help="stop at the first problem; NaN, clipping and truncated files are problems",
    )
    add("-q", "--quiet", action="store_true", help="only warnings and errors")
    raw = parser.add_argument_group("raw PCM on pipes, which else carry WAV")
    raw.add_argument("--raw-rate", type=positive, metavar="HZ", help="sample rate of raw input")
    raw.add_argument("--raw-channels", type=positive, default=1, metavar="N", help="default: 1")
    raw.add_argument(
        "--raw-format",
        choices=formats,
        metavar="FORMAT",
        help="u8, s16le, s24le, s32le, f32le or f64le (default: s16le)",
    )


def check_makes_audio(model: Model, named: str) -> None:
    """Raises UsageError for a detector, for example. `named`: how the user named it."""
    if not model.makes_audio:
        port = model.graph.output
        raise UsageError(
            f"{named}: this model gives no audio but {port.name} ({port.unit}); "
            "use it from Python, or name another (`rtaudio models` lists them)"
        )


def run(args: argparse.Namespace) -> int:
    import rtaudio

    name = args.model or rtaudio.DEFAULT_DENOISER
    label = DENOISED if name == rtaudio.DEFAULT_DENOISER else Path(name).stem
    return run_over_files(args, who="rtaudio denoise", name=name, label=label, named=f"-m {name}")


def run_over_files(args: argparse.Namespace, *, who: str, name: str, label: str, named: str) -> int:
    """The model `name` over `args.inputs`; `label` marks the names of outputs."""
    if not args.inputs:
        raise UsageError("name a recording, a folder, or - for a pipe")
    import rtaudio

    jobs = plan_jobs(
        args.inputs,
        output=args.output,
        directory=args.directory,
        recursive=args.recursive,
        overwrite=args.overwrite,
        label=label,
    )
    _check_call(args, jobs)
    # Before any recording is looked at, so that a missing model is told where all would be skipped.
    model = rtaudio.load(name, precision=args.precision)
    check_makes_audio(model, named)
    check_limit(model, args.atten_lim_db)
    with (
        catch_interrupts() as interrupt,
        Reporter(who, quiet=args.quiet, num_files=len(jobs)) as report,
    ):
        code = _run_jobs(jobs, Task(model=model, args=args, interrupt=interrupt, report=report))
    if interrupt():
        return fail(who, "interrupted; no unfinished output was left", INTERRUPTED)
    return code


def _check_call(args: argparse.Namespace, jobs: list[Job]) -> None:
    if jobs[0].input is None and sys.stdin.isatty():
        raise UsageError("stdin is a terminal; pipe audio into it, or name a file")
    if jobs[0].output is None and sys.stdout.isatty():
        raise UsageError("audio would go to the terminal; redirect it, or give -o FILE")
    if args.plot is None:
        return
    if len(jobs) > 1:
        raise UsageError(f"--plot draws one recording, and {len(jobs)} were given")
    if not args.plot.lower().endswith(".png"):
        raise UsageError(f"--plot writes PNG, so {args.plot!r} must end in .png")
    from rtaudio.demo.plot import check_matplotlib

    check_matplotlib()


def _run_jobs(jobs: list[Job], task: Task) -> int:
    """All recordings, `--jobs` at a time (the engine computes outside of the GIL)."""
    started = time.perf_counter()
    results: list[Result] = []
    skipped = failed = 0

    def settle(job: Job, outcome: Callable[[], Result | None]) -> None:
        nonlocal skipped, failed
        from rtaudio.io import CancelledError

        try:
            result = outcome()
        except CancelledError:
            return
        except (RtaudioError, OSError, MemoryError) as error:
            failed += 1
            task.report.error(_sentence(error, job))
        else:
            if result is None:
                skipped += 1
            else:
                results.append(result)
        task.report.finished_one()

    def stop() -> bool:
        return task.interrupt() or (failed > 0 and bool(task.args.strict))

    if task.args.jobs == 1 or len(jobs) == 1:
        for job in jobs:
            if stop():
                break
            settle(job, lambda job=job: denoise(job, task))  # type: ignore[misc]
    else:
        _run_parallel(jobs, task, settle, stop)
    if len(jobs) > 1 and not task.interrupt():
        left_out = len(jobs) - len(results) - skipped - failed
        wall = time.perf_counter() - started
        task.report.say(_total_line(results, skipped, failed, left_out, wall))
    return FAILED if failed else DONE


def _run_parallel(
    jobs: list[Job],
    task: Task,
    settle: Callable[[Job, Callable[[], Result | None]], None],
    stop: Callable[[], bool],
) -> None:
    waiting = iter(jobs)
    running: dict[Future[Result | None], Job] = {}
    with ThreadPoolExecutor(task.args.jobs) as pool:
        while True:
            while len(running) < task.args.jobs and not stop():
                job = next(waiting, None)
                if job is None:
                    break
                running[pool.submit(denoise, job, task)] = job
            if not running:
                return
            # With a timeout, so that the main thread sees signals.
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                settle(running.pop(future), future.result)


def _sentence(error: Exception, job: Job) -> str:
    if isinstance(error, MemoryError):
        return f"{job.name} needs more memory than there is; give it fewer channels at a time"
    if isinstance(error, OSError) and not isinstance(error, RtaudioError):
        return f"{error.filename or job.name}: {(error.strerror or str(error)).lower()}"
    return str(error)


def _total_line(
    results: list[Result], skipped: int, failed: int, left_out: int, wall: float
) -> str:
    from rtaudio.io.formats import format_duration

    audio = sum(result.seconds for result in results)
    parts = [f"{len(results)} done"]
    for count, what in ((skipped, "skipped"), (failed, "failed"), (left_out, "not tried")):
        if count:
            parts.append(f"{count} {what}")
    line = ", ".join(parts)
    if audio > 0:
        speed = audio / wall
        line += f": {format_duration(audio)} of audio in {format_duration(wall)} ({speed:.0f}x)"
    return line
