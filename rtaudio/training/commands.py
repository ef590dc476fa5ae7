"""What the commands of `python -m rtaudio.training` do, given their parsed arguments."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from rtaudio.errors import RtaudioError

from . import dev_set, recipe
from .score import CSV_HEADER, csv_row, score_set

if TYPE_CHECKING:
    from .optimise import Batches, Loop

AnyLoop = TypeVar("AnyLoop", bound="Loop")
DONE, USAGE, INTERRUPTED = 0, 2, 130
SEE_CARD = "see the model card"


class UsageError(Exception):
    """Arguments that do not go together; the message is one sentence."""


@contextmanager
def noted_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: a step must not be left half done. A second one ends at once."""
    pressed = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def check_speech(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"--speech {folder}: no such folder; give one with a folder a voice")


def fetch(args: argparse.Namespace) -> int:
    from .high_band import build_pools

    check_speech(args.speech)
    args.cache.mkdir(parents=True, exist_ok=True)
    try:
        recipe.fetch(args.cache)
    except FileNotFoundError as error:
        raise RtaudioError(f"{error.filename} is missing: the data are Debian packages.") from None
    except subprocess.CalledProcessError as error:
        raise RtaudioError(f"`{' '.join(map(str, error.cmd))}` failed.") from None
    recipe.build_pools(args.cache, args.speech)
    build_pools(args.cache, args.speech)
    return DONE


def render(args: argparse.Namespace) -> int:
    from .render import render

    render(args.cache, args.kind, args.count, args.segments, args.seed)
    return DONE


def development_set(cache: Path) -> list[Any]:
    if importlib.util.find_spec("pesq") is None:
        raise RtaudioError("scoring needs the package pesq; pip install 'rtaudio[train]'.")
    return dev_set.build(cache)


def train(args: argparse.Namespace) -> int:
    from .checkpoint import denoiser, make_network, read_checkpoint
    from .dataset import Mixer
    from .loop import TrainConfig, Trainer
    from .network import RtTcn

    begin_run(args)
    clips = development_set(args.cache)
    mixer = Mixer(args.cache, args.seed)
    for kind, shards in mixer.shards.items():
        if not shards:
            raise RtaudioError(f"no shards of {kind} in {mixer.folder}; the command render first.")
    config = TrainConfig(
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        checkpoint_minutes=args.checkpoint_minutes,
        compile_loss=args.compile,
    )
    network = RtTcn() if args.init is None else make_network(read_checkpoint(args.init).core)
    network.train()
    network.use_bfloat16 = args.bfloat16
    trainer = on_device(args, lambda: Trainer(network, config, args.device))
    if args.resume is not None:
        read_checkpoint(args.resume)  # says what is wrong with it
        resume(args, trainer)
    elif args.init is None:
        trainer.fit_features(mixer)

    def score(path: Path) -> str:
        scored = make_network(read_checkpoint(path).core).to(args.device)
        return csv_row(path.name, score_set(clips, denoiser(scored)))

    return run(args, trainer, mixer, CSV_HEADER, score)


def begin_run(args: argparse.Namespace) -> None:
    """Raises UsageError where the folder holds another run."""
    import torch

    if args.resume is None and (args.run / "last.pt").exists():
        raise UsageError(
            f"{args.run} holds a run; give --resume {args.run}/last.pt, or a new --run"
        )
    limit_threads(args.threads)
    torch.manual_seed(args.seed)


def on_device(args: argparse.Namespace, make: Callable[[], AnyLoop]) -> AnyLoop:
    try:
        return make()
    except (RuntimeError, AssertionError):
        raise UsageError(f"--device {args.device}: torch has no such device here") from None


def resume(args: argparse.Namespace, trainer: Loop) -> None:
    """Goes on from a checkpoint whose weights are known to fit."""
    try:
        trainer.load(args.resume)
    except KeyError:
        raise UsageError(
            f"--resume {args.resume}: no state of an optimiser in it; give last.pt, or --init"
        ) from None
    except ValueError:
        raise UsageError(
            f"--resume {args.resume}: it trained other parts of the network; give --init"
        ) from None


def run(
    args: argparse.Namespace,
    trainer: Loop,
    batches: Batches,
    header: str,
    score: Callable[[Path], str],
) -> int:
    """Trains until the time is over or Ctrl-C; a row of `score` for every checkpoint in dev.csv."""
    if trainer.seconds >= 60 * trainer.config.minutes:
        raise UsageError(
            f"--minutes {args.minutes:g}: {args.resume} has {trainer.seconds / 60:.1f} behind it"
        )

    def append(path: Path) -> None:
        row, table = score(path), args.run / "dev.csv"
        if not table.exists():
            table.write_text(header + "\n")
        with table.open("a") as out:
            out.write(row + "\n")
        print(row, flush=True)

    with noted_interrupt() as stop:
        trainer.run(batches, args.run, stop=stop, on_checkpoint=append)
        if stop():
            print(f"stopped at step {trainer.step}; --resume {args.run / 'last.pt'} goes on")
            return INTERRUPTED
    return DONE


def score(args: argparse.Namespace) -> int:
    from .checkpoint import denoiser, make_network, read_checkpoint

    limit_threads(args.threads)
    checkpoints = [(path, read_checkpoint(path)) for path in args.checkpoint]
    clips = development_set(args.cache)
    print(CSV_HEADER, flush=True)
    for path, checkpoint in checkpoints:
        scores = score_set(clips, denoiser(make_network(checkpoint.core)))
        print(csv_row(path.name, scores), flush=True)
    return DONE


def export(args: argparse.Namespace) -> int:
    from rtaudio.models.denoiser import RtTcn

    from .checkpoint import read_checkpoint
    from .export import export_model

    checkpoint = read_checkpoint(args.checkpoint)
    metadata = {"license": SEE_CARD, "training_data": SEE_CARD}
    if checkpoint.step is not None:
        metadata["step"] = str(checkpoint.step)
    if checkpoint.high_band:
        metadata["high_band"] = checkpoint.high_band
    if args.metrics:
        metadata["metrics"] = args.metrics
    export_model(checkpoint.state, RtTcn(), args.output, metadata)
    return DONE


def high_band(args: argparse.Namespace) -> int:
    import torch

    from . import high_band as stage
    from .checkpoint import read_checkpoint
    from .full_band import FullBandMixer

    limit_threads(args.threads)
    torch.manual_seed(args.seed)
    checkpoint = read_checkpoint(args.checkpoint)
    if not args.output.parent.is_dir():
        raise UsageError(f"--output {args.output}: no such folder {args.output.parent}")
    mixtures = stage.held_out(args.cache)
    mixer = FullBandMixer(args.cache, "train", args.seed)
    config = stage.HighBandConfig(minutes=args.minutes, learning_rate=args.learning_rate)
    with noted_interrupt() as stop:
        head = stage.train(checkpoint.core, mixer, config, stop=stop)
        if stop():
            print("stopped; nothing was written")
            return INTERRUPTED
    results = stage.compare(checkpoint.core, head, mixtures)
    for name, figures in results.items():
        print(
            f"{name:<13} log-spectral distance 8-16 kHz {figures['lsd_db']:6.2f} dB,"
            f" SI-SDR above 8 kHz {figures['si_sdr_db']:6.2f} dB,"
            f" speech level {figures['level_db']:+6.2f} dB"
        )
    before, after = (results[name] for name in ("copied gain", "trained head"))
    text = (
        f"trained for {args.minutes:g} min; log-spectral distance 8-16 kHz"
        f" {before['lsd_db']:.2f} to {after['lsd_db']:.2f} dB, SI-SDR above 8 kHz"
        f" {before['si_sdr_db']:.2f} to {after['si_sdr_db']:.2f} dB"
    )
    state = {**checkpoint.core, **head}
    torch.save({"average": state, "step": checkpoint.step, "high_band": text}, args.output)
    return DONE


def limit_threads(count: int | None) -> None:
    import torch

    if count is not None:
        torch.set_num_threads(count)
