"""`rtaudio bench`: figures that anyone can make again on their own machine."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from rtaudio.cli.arguments import add_device, add_precision, add_threads, positive
from rtaudio.cli.bench_text import compare_lines, result_lines, suite_lines
from rtaudio.cli.main import UsageError
from rtaudio.errors import ModelFileError

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
DEFAULT_MODELS = {
    "denoise": "rt-tcn",
    "vad": "silero-vad",
    "wavenet": "nv",
    "diffusion": "diffwave-base",
}
LEVELS = ("v2", "v3", "v4", "v4x", "neon")
PEER_NAMES = {
    "denoise": ("rnnoise", "dtln", "gtcrn", "dfn3"),
    "vad": ("silero-vad",),
    "layers": (),
    "wavenet": ("numpy", "onnxruntime", "torch", "torch-compile", "torch-naive"),
    "diffusion": ("diffwave", "wavegrad"),
    "startup": (),
}


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
        type=positive,
        default=1,
        metavar="N",
        help="streams at once (denoise, wavenet; default: 1)",
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
    if args.threads != 1 and args.kind != "diffusion":
        raise UsageError(f"--threads {args.threads}: only diffusion shares a stream; give 1")
    refused = args.kind != "denoise" or args.peers or args.block_samples
    if args.lanes != 1 and args.kind != "wavenet" and refused:
        raise UsageError(
            f"--lanes {args.lanes}: `denoise` runs many streams, without peers and by the model's "
            "own blocks"
        )
    if args.device != "cpu" and args.kind != "wavenet":
        raise UsageError(f"--device {args.device}: a GPU runs `rtaudio bench wavenet` so far")
    if args.steps is not None and args.kind != "diffusion":
        raise UsageError("--steps is for the kind diffusion")
    if args.kind is None and (args.model or args.peers):
        raise UsageError("name a KIND to go with --model or --peers")
    names = _peer_names(args.kind, args.peers)
    if args.isa is not None:
        # Read once, when the native module is first used.
        os.environ["RTAUDIO_CPU_ISA"] = args.isa
    if args.kind is None:
        results, left_out = _suite(args)
        _give(results, suite_lines(results, left_out), args.json)
        return 0
    runs = {
        "startup": _startup,
        "layers": _layers,
        "wavenet": _wavenet,
        "diffusion": _diffusion,
    }
    result = runs.get(args.kind, _denoise)(args, names)
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
    runs = {"startup": _startup, "wavenet": _wavenet}
    for kind, changes in SUITE:
        each = argparse.Namespace(**{**vars(args), "kind": kind, **changes})
        try:
            results.append(runs.get(kind, _denoise)(each, []))
        except ModelFileError as error:  # a network whose package is not installed
            left_out.append(str(error))
    return results, left_out


def _peer_names(kind: str | None, text: str | None) -> list[str]:
    if text is None or kind is None:
        return []
    known = PEER_NAMES[kind]
    names = list(known) if text == "all" else [each.strip() for each in text.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"--peers {name}: known peers are {', '.join(known)}, or all")
    return names


def _startup(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    import rtaudio
    from rtaudio.bench.startup import run_startup

    return run_startup(args.model or rtaudio.DEFAULT_DENOISER)


def _wavenet(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    from rtaudio import _native
    from rtaudio.bench.wavenet import run_wavenet
    from rtaudio.bench.wavenet_nets import load_network

    network = load_network(
        args.model or DEFAULT_MODELS[args.kind], args.precision, args.block_samples, args.device
    )
    result, notes = run_wavenet(
        network,
        block_samples=args.block_samples,
        lanes=args.lanes,
        seconds=float(args.seconds or 3),
        level=_native.cpu_level(),
        peers=names,
        on_progress=_progress(),
    )
    _say_left_out(notes)
    return result


def _diffusion(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    from rtaudio import _native
    from rtaudio.bench.diffusion import load_diffusion, run_diffusion

    name = args.model or DEFAULT_MODELS[args.kind]
    vocoder, state = load_diffusion(name, args.precision, args.steps, args.threads)
    result, notes = run_diffusion(
        vocoder,
        state,
        block_samples=args.block_samples,
        seconds=float(args.seconds or 10),
        level=_native.cpu_level(),
        peers=names,
        on_progress=_progress(),
    )
    _say_left_out(notes)
    return result


def _layers(args: argparse.Namespace, _names: list[str]) -> dict[str, Any]:
    from rtaudio import _native
    from rtaudio.bench.layer_cases import CASES
    from rtaudio.bench.layers import run_layers

    if args.layer is not None and args.layer not in CASES:
        raise UsageError(f"--layer {args.layer}: the kinds are {', '.join(CASES)}")
    kinds = list(CASES) if args.layer is None else [args.layer]
    return run_layers(kinds, args.precision, _native.cpu_level(), _progress())


def _denoise(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    import rtaudio
    from rtaudio import _native
    from rtaudio.bench.denoise import run_denoise
    from rtaudio.bench.lanes import run_lanes
    from rtaudio.bench.peers import load_peer

    model = rtaudio.load(args.model or DEFAULT_MODELS[args.kind], precision=args.precision)
    if model.makes_audio != (args.kind == "denoise"):
        raise UsageError(f"-m {model.name}: this model is nothing for `rtaudio bench {args.kind}`")
    rate = args.sample_rate or model.native_rate(48_000)
    if not model.supports_rate(rate):
        raise UsageError(
            f"--sample-rate {rate}: {model.name} streams at rates it frames at, "
            f"such as {model.native_rate(rate)}"
        )
    seconds = args.seconds or 60
    if (args.block_samples or 0) > seconds * rate:
        raise UsageError(
            f"--block-samples {args.block_samples}: a block is longer than the {seconds} s of "
            "audio; give more --seconds"
        )
    if args.lanes != 1:
        return run_lanes(
            model,
            lanes=args.lanes,
            sample_rate=rate,
            seconds=float(seconds),
            level=_native.cpu_level(),
            on_progress=_progress(),
        )
    loaded = [load_peer(name) for name in names]
    _say_left_out([each for each in loaded if isinstance(each, str)])
    return run_denoise(
        model,
        sample_rate=rate,
        block_samples=args.block_samples,
        seconds=float(seconds),
        level=_native.cpu_level(),
        peers=[each for each in loaded if not isinstance(each, str)],
        on_progress=_progress(),
    )


def _say_left_out(reasons: list[str]) -> None:
    for reason in reasons:
        print(f"rtaudio bench: left out: {reason}", file=sys.stderr)


def _progress() -> Any:
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        return lambda _part: None

    def show(part: float) -> None:
        done = round(30 * part)
        end = "\r\033[K" if part >= 1 else ""
        sys.stderr.write(f"\r{'#' * done}{'.' * (30 - done)} {100 * part:3.0f} %{end}")
        sys.stderr.flush()

    return show
