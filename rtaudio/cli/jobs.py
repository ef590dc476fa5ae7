"""From what the user names to pairs of input and output; finds every clash before work starts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rtaudio.cli.main import UsageError
from rtaudio.errors import AudioFileError
from rtaudio.io.formats import is_audio_name
from rtaudio.io.source import is_special, os_reason

PIPE = "-"
DENOISED = "denoised"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One recording. None stands for stdin or stdout."""

    input: Path | None
    output: Path | None
    keep_existing: bool  # an output that is already there counts as done

    @property
    def name(self) -> str:
        return "stdin" if self.input is None else str(self.input)

    @property
    def output_name(self) -> str:
        return "stdout" if self.output is None else str(self.output)


def plan_jobs(
    inputs: list[str],
    *,
    output: str | None,
    directory: str | None,
    recursive: bool,
    overwrite: bool,
    label: str = DENOISED,
) -> list[Job]:
    """`label`: what a default output name has before its ending.

    Raises UsageError when the names do not go together.
    """
    if "" in (*inputs, output, directory):
        raise UsageError("a name is empty; is a variable of the shell not set?")
    if output is not None and directory is not None:
        raise UsageError("-o names one file and -d a folder for many; give one of them")
    if PIPE in inputs:
        if len(inputs) > 1:
            raise UsageError("- (stdin) cannot be mixed with other inputs")
        if directory is not None:
            raise UsageError("stdin has no name to use in -d; give -o FILE, or -o - for stdout")
        target = None if output in (None, PIPE) else Path(str(output))
        return [Job(input=None, output=target, keep_existing=False)]
    if output is not None:
        if len(inputs) > 1 or Path(inputs[0]).is_dir():
            raise UsageError("-o names one file, and several inputs need -d DIRECTORY")
        target = None if output == PIPE else Path(output)
        if target is not None and target.is_dir():
            raise UsageError(f"-o {output} is a folder; use -d {output}, or name a file in it")
        jobs = [Job(input=Path(inputs[0]), output=target, keep_existing=False)]
    else:
        folder = None if directory is None else Path(directory)
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UsageError(f"-d {folder} is a file, not a folder; use -o for a single output")
        pairs = _pairs([Path(each) for each in inputs], folder, recursive, label)
        jobs = [Job(input=a, output=b, keep_existing=not overwrite) for a, b in pairs]
    _check_clashes(jobs)
    return jobs


def _pairs(
    inputs: Iterable[Path], folder: Path | None, recursive: bool, label: str
) -> Iterable[tuple[Path, Path]]:
    for path in inputs:
        if not path.is_dir():
            yield path, _target(path, Path(path.name), folder, label)
            continue
        found = list(_audio_files(path, recursive, folder, label))
        if not found:
            hint = "" if recursive else ", or add --recursive to look in the folders below"
            raise AudioFileError(f"{path} holds no audio files; name a folder that does{hint}")
        for each in found:
            yield each, _target(each, each.relative_to(path), folder, label)


def _target(path: Path, below: Path, folder: Path | None, label: str) -> Path:
    if folder is not None:
        return folder / below
    return path.with_name(f"{path.stem}.{label}{path.suffix}")


def _audio_files(top: Path, recursive: bool, skip: Path | None, label: str) -> Iterable[Path]:
    """In name order; hidden files, earlier results and the output folder are left out."""
    from rtaudio.models.importers import IMPORTERS

    labels = {DENOISED, label, *IMPORTERS}

    def refuse(error: OSError) -> None:
        raise AudioFileError(f"{error.filename} cannot be read: {os_reason(error)}")

    skipped = real_path(skip) if skip is not None else None
    for folder, below, files in os.walk(top, onerror=refuse):
        here = Path(folder)
        below[:] = sorted(
            each
            for each in below
            if recursive and not each.startswith(".") and real_path(here / each) != skipped
        )
        originals = {Path(name).stem for name in files if is_audio_name(Path(name))}
        for name in sorted(files):
            path = here / name
            original, _, last = path.stem.rpartition(".")
            earlier = last in labels and original in originals
            wanted = is_audio_name(path) and not name.startswith(".") and not earlier
            if wanted and not is_special(path):  # a pipe among them would be waited for
                yield path


def real_path(path: Path) -> Path:
    """As Path.resolve; a link that leads to itself raises nothing, it is told when it is opened."""
    return Path(os.path.realpath(path))


def _check_clashes(jobs: list[Job]) -> None:
    sources = {real_path(each.input) for each in jobs if each.input is not None}
    made: dict[Path, Path | None] = {}
    for job in jobs:
        if job.output is None:
            continue
        target = real_path(job.output)
        if target in sources or _is_hard_link(job):
            raise UsageError(
                f"the output {job.output} is also an input, and inputs are never overwritten; "
                "choose another name with -o or another folder with -d"
            )
        if target in made:
            raise UsageError(
                f"{made[target]} and {job.input} would both become {job.output}; "
                "denoise them in two calls with different -d"
            )
        made[target] = job.input


def _is_hard_link(job: Job) -> bool:
    try:
        return job.input is not None and job.output is not None and job.output.samefile(job.input)
    except OSError:
        return False
