"""`rtaudio bench`: figures that anyone can make again on their own machine."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rtaudio.cli.arguments import add_device, add_precision, add_threads, positive, several
from rtaudio.cli.bench_kinds import RUNS
from rtaudio.cli.bench_text import compare_lines, result_lines, suite_lines
from rtaudio.cli.main import UsageError
from rtaudio.errors import RtaudioError

DESCRIPTION = """\
Measure speed. KIND is denoise (time per block from Python, beside other denoisers in
the same run), vad (the same for voice activity), layers (every kind of layer by
itself), wavenet (time per sample, beside the same network in torch, NumPy and
onnxruntime), diffusion (the same of a diffusion vocoder, beside the package of its
weights), or startup (time and memory of import and load). Without KIND: a minute of
all of them, and how many streams that makes.
"""
USAGE = "%(prog)s [options] [KIND]"
EPILOG = """\
examples:
  rtaudio bench                                    a minute of everything
  rtaudio bench --compare before.json after.json   two results side by side
  rtaudio bench denoise                            48 kHz, 10 ms blocks
  rtaudio bench denoise --isa v3 --peers all
  rtaudio bench denoise --json result.json
  rtaudio bench denoise --lanes 250                streams that one core carries
  rtaudio bench denoise --device cuda --lanes 1000,4000 --peers torch,torch-graph
  rtaudio bench denoise -m dtln --peers dtln       the same network in its own runtime
  rtaudio bench vad --peers all
  rtaudio bench wavenet -m nv --precision int8 --peers all
  rtaudio bench diffusion -m diffwave-base --steps 6 --precision bf16dot --peers all
  rtaudio bench diffusion -m diffwave-base --threads 2
  rtaudio bench layers --layer gru --precision bf16

The floor is what the multiply-adds, or one read of the weights, would take at the
measured peak of one thread, whichever is slower: products that stay in registers, and
reads of as many bytes as the weights have, at the level in use.
"""

KINDS = ("denoise", "vad", "layers", "wavenet", "diffusion", "startup")
LEVELS = ("v2", "v3", "v4", "v4x", "neon")
PEER_NAMES = {
    "denoise": ("rnnoise", "dtln", "gtcrn", "dfn3"),
    "vad": ("silero-vad",),
    "layers": (),
    "wavenet": ("numpy", "onnxruntime", "torch", "torch-compile", "torch-graph", "torch-naive"),
    "diffusion": ("diffwave", "wavegrad", "torch", "torch-compile", "torch-graph"),
    "startup": (),
}
LANE_PEERS = ("torch", "torch-compile", "torch-graph")  # of many streams, or on a GPU


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("kind", nargs="?", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    add("-m", "--model", metavar="MODEL", help="name or file (default: by KIND)")
    add("--steps", type=positive, metavar="N", help="diffusion: of the chain (default: its own)")
    add("--layer", metavar="KIND", help="layers: this kind alone (default: every kind)")
    add_precision(parser)
    add_device(parser)
    add("--isa", choices=LEVELS, metavar="LEVEL", help="v3, v4...; default: the best here")
    add_threads(parser, "diffusion: that share a stream (default: 1)")
    add(
        "--lanes",
        type=several,
        default=(1,),
        metavar="N,N..",
        help="streams at once; several numbers: one run each (default: 1)",
    )
    add("--block-samples", type=positive, metavar="N", help="default: one hop, 10 ms")
    add("--sample-rate", type=positive, metavar="HZ", help="default: 48000, or the model's")
    add(
        "--seconds",
        type=positive,
        metavar="S",
        help="audio for each (default: 60); wavenet, diffusion: time for each (default: 3, 10)",
    )
    add("--peers", metavar="LIST", help="names of a kind's peers, or all")
    add("--compare", nargs=2, metavar=("A.json", "B.json"), help="show two results side by side")
    add("--json", metavar="FILE", help="also write the result as JSON; - for stdout only")


def run(args: argparse.Namespace) -> int:
    if args.compare is not None:
        print("\n".join(compare_lines(*(_read(Path(each)) for each in args.compare))))
        return 0
    many = args.lanes != (1,)
    if args.threads != 1 and (args.kind != "diffusion" or many or args.device != "cpu"):
        raise UsageError(
            f"--threads {args.threads}: only diffusion of one stream on a CPU is shared; give 1"
        )
    if many and args.kind not in ("denoise", "wavenet", "diffusion", "layers"):
        raise UsageError("--lanes: name denoise, wavenet, diffusion or layers to run many streams")
    if many and args.kind == "layers" and args.device == "cpu":
        raise UsageError("--lanes: on a CPU, layers have numbers of lanes of their own")
    if args.block_samples and args.kind in ("denoise", "vad") and (many or args.device != "cpu"):
        raise UsageError("--block-samples: many streams, or a GPU, take the model's own blocks")
    if args.device != "cpu" and args.kind == "startup":
        raise UsageError(f"--device {args.device}: startup is of the processor alone")
    if args.steps is not None and args.kind != "diffusion":
        raise UsageError("--steps is for the kind diffusion")
    if args.kind is None and (args.model or args.peers):
        raise UsageError("name a KIND to go with --model or --peers")
    names = _peer_names(args.kind, args.peers, many or args.device != "cpu")
    if args.device != "cpu":
        from rtaudio.runtime.native import check_device

        check_device(args.device, args.precision)
    if args.isa is not None:
        # Read once, when the native module is first used.
        os.environ["RTAUDIO_CPU_ISA"] = args.isa
    if args.kind is None:
        results, left_out = _suite(args)
        _give(results, suite_lines(results, left_out), args.json)
        return 0
    run_kind = RUNS[args.kind]
    if args.kind == "layers":
        result: Any = run_kind(args, names)
    else:
        results = [
            run_kind(argparse.Namespace(**{**vars(args), "lanes": n}), names) for n in args.lanes
        ]
        result = results if len(results) > 1 else results[0]
    _give(result, result_lines(result), args.json)
    return 0


def _give(result: Any, lines: list[str], path: str | None) -> None:
    text = json.dumps(result, indent=2) + "\n"
    if path == "-":
        print(text, end="")
        return
    print("\n".join(lines))
    if path is not None:
        try:
            Path(path).write_text(text)
        except OSError as error:
            raise UsageError(f"--json {path}: {(error.strerror or str(error)).lower()}") from None


def _read(path: Path) -> list[dict[str, Any]]:
    """The results of a file that --json wrote."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"--compare {path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        content = None
    found = content if isinstance(content, list) else [content]
    if not found or not all(isinstance(e, dict) and "machine" in e for e in found):
        raise UsageError(f"--compare {path}: this is no result of `rtaudio bench --json`")
    return found


SUITE: tuple[tuple[str, dict[str, Any]], ...] = (  # what each is run with; a few seconds each
    ("denoise", {"seconds": 10}),
    ("vad", {"seconds": 10}),
    ("wavenet", {"model": "small", "seconds": 2}),
    ("wavenet", {"model": "nv", "seconds": 2}),
    ("wavenet", {"model": "nv", "seconds": 2, "precision": "int8"}),
    ("wavenet", {"model": "nam-standard", "seconds": 2}),
    ("startup", {}),
)


def _suite(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """Every kind for some seconds, without peers; and why some are left out."""
    results, left_out = [], []
    for kind, changes in SUITE:
        if kind == "startup" and args.device != "cpu":
            continue
        each = argparse.Namespace(**{**vars(args), "kind": kind, "lanes": 1, **changes})
        try:
            results.append(RUNS[kind](each, []))
        except RtaudioError as error:  # its package is not installed, or it is not for a GPU
            left_out.append(str(error))
    return results, left_out


def _peer_names(kind: str | None, text: str | None, in_lanes: bool) -> list[str]:
    if text is None or kind is None:
        return []
    known = LANE_PEERS if in_lanes and kind in ("denoise", "vad") else PEER_NAMES[kind]
    names = list(known) if text == "all" else [each.strip() for each in text.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"--peers {name}: known peers are {', '.join(known)}, or all")
    return names
