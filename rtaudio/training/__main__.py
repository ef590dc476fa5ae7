"""`python -m rtaudio.training COMMAND`: data, training, scores and the model file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rtaudio.errors import RtaudioError

from . import commands, diffusion_commands, vocoder_commands
from .recipe import default_cache

FAILED = 1
PROGRAM = "python -m rtaudio.training"


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def above_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train rt-tcn, rt-wavenet and rt-priorgrad: see README.md here.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, home: ModuleType = commands) -> argparse.ArgumentParser:
        made = subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        own = name.removeprefix("vocoder-").removeprefix("diffusion-").replace("-", "_")
        made.set_defaults(function=getattr(home, own))
        return made

    fetch = command("fetch", "get the recordings and make pools of them")
    fetch.add_argument("--speech", type=Path, required=True, help="a folder of synthetic voices")
    render = command("render", "render shards of speech or noise from the pools")
    render.add_argument("kind", choices=("speech", "noise"))
    render.add_argument("--count", type=positive, default=64, help="shards (default: 64)")
    render.add_argument("--segments", type=positive, default=128, help="of 6 s each (default: 128)")
    train = command("train", "train, scoring the development set at every checkpoint")
    add_training(train, "rt-tcn", 1.5e-3)
    score = command("score", "scores of checkpoints on the development set, as CSV")
    score.add_argument("checkpoint", type=Path, nargs="+")
    high = command("high-band", "train the head above 8 kHz, the core frozen")
    high.add_argument("checkpoint", type=Path)
    high.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint to write")
    high.add_argument("--minutes", type=above_zero, default=10.0, help="default: 10")
    high.add_argument("--learning-rate", type=above_zero, default=1e-2, help="default: 1e-2")
    voices = command("voices", "synthesise a folder of voices", vocoder_commands)
    voices.add_argument("--packs", type=Path, required=True, help="a folder of voice packs (*.bin)")
    voices.add_argument("-o", "--output", type=Path, required=True, help="the folder to make")
    voices.add_argument("--minutes", type=above_zero, default=7.0, help="a voice (default: 7)")
    data = command(
        "vocoder-data", "mels of recorded voices and what WORLD hears in them", vocoder_commands
    )
    vocoder = command("vocoder-train", "train rt-wavenet, a mel vocoder", vocoder_commands)
    add_training(vocoder, "rt-wavenet", 2e-3)
    sounds = command("diffusion-data", "the same for rt-priorgrad", diffusion_commands)
    for each in (data, sounds):
        each.add_argument("--speech", type=Path, required=True, help="a folder with one a voice")
        each.add_argument("--recordings", type=positive, help="of each voice (default: all)")
    diffusion = command("diffusion-train", "train rt-priorgrad, a mel vocoder", diffusion_commands)
    add_training(diffusion, "rt-priorgrad", 1e-3)
    for each in (vocoder, diffusion):
        each.add_argument(
            "--part",
            choices=("frames", "sound"),
            default="frames",
            help="pitch and envelopes (default), or with --init the network after them",
        )
    export = command("export", "write the model file of a checkpoint")
    vocoder_export = command(
        "vocoder-export", "write the model file of a checkpoint", vocoder_commands
    )
    diffusion_export = command(
        "diffusion-export", "write the model file of a checkpoint", diffusion_commands
    )
    for each in (export, vocoder_export, diffusion_export):
        each.add_argument("checkpoint", type=Path)
        each.add_argument("-o", "--output", type=Path, required=True, help="a .safetensors file")
        each.add_argument("--metrics", default="", help="a line for the model file")
    listen = command("vocoder-score", "a vocoder's scores beside Griffin-Lim's", vocoder_commands)
    listen.add_argument("model", help="name or file of a vocoder")
    listen.add_argument("--speech", type=Path, required=True, help="a folder with one a voice")
    listen.add_argument("--voices", nargs="+", metavar="NAME", help="default: the development ones")
    listen.add_argument("--clips", type=positive, default=4, help="of each voice (default: 4)")
    listen.add_argument(
        "--steps", type=positive, nargs="+", metavar="N", help="of diffusion; a row for each"
    )
    listen.add_argument("--keep", type=Path, metavar="DIR", help="leave what was heard there")
    for each in (fetch, render, train, score, high, data, vocoder, sounds, diffusion):
        each.add_argument(
            "--cache", type=Path, default=default_cache(), help="default: %(default)s"
        )
    for each in (render, train, high, vocoder, diffusion):
        each.add_argument("--seed", type=int, default=1, help="default: 1")
    for each in (train, score, high, vocoder, diffusion, listen):
        each.add_argument("--threads", type=positive, help="default: what torch takes")
    return parser


def add_training(parser: argparse.ArgumentParser, name: str, rate: float) -> None:
    add = parser.add_argument
    add("--run", type=Path, default=Path("runs", name), help="its folder (default: %(default)s)")
    add("--minutes", type=above_zero, default=100.0, help="default: 100")
    add("--learning-rate", type=above_zero, default=rate, help="default: %(default)s")
    add("--checkpoint-minutes", type=above_zero, default=5.0, help="default: 5")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", type=Path, metavar="CHECKPOINT", help="go on from a last.pt")
    start.add_argument("--init", type=Path, metavar="CHECKPOINT", help="its weights, all else anew")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--compile", action="store_true", help="compile the loss; needs a C++ compiler")
    add("--bfloat16", action="store_true", help="products in bfloat16, where the CPU has them")


def fail(command: str, message: str, code: int) -> int:
    print(f"{PROGRAM} {command}: {' '.join(message.split()).rstrip('.')}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 1 a failure, 2 a wrong call, 130 interrupted."""
    args = build_parser().parse_args(arguments)
    name = args.command
    try:
        code: int = args.function(args)
        return code
    except commands.UsageError as error:
        return fail(name, str(error), commands.USAGE)
    except RtaudioError as error:
        return fail(name, str(error), FAILED)
    except KeyboardInterrupt:
        return fail(name, "interrupted", commands.INTERRUPTED)
    except ImportError as error:
        return fail(name, f"{error}; pip install 'rtaudio[train]'", FAILED)
    except OSError as error:
        if os.environ.get("RTAUDIO_DEBUG"):
            raise
        reason = (error.strerror or str(error)).lower()
        where = f"{error.filename}: " if error.filename else ""
        hint = ""
        if isinstance(error, FileNotFoundError) and str(error.filename).startswith(
            str(getattr(args, "cache", "\0"))
        ):
            hint = "; the command fetch makes the data"
        return fail(name, f"{where}{reason}{hint}", FAILED)


if __name__ == "__main__":
    sys.exit(main())
