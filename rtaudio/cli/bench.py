"""`rtaudio bench`: figures that anyone can make again on their own machine."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from rtaudio.cli.denoise import add_precision, positive
from rtaudio.cli.main import UsageError

DESCRIPTION = """\
Measure speed. KIND is denoise (time per block from Python, beside other denoisers in
the same run), vad (the same for voice activity), wavenet (time per sample, beside the
same network in torch, NumPy and onnxruntime), or startup (time and memory of import
and load).
"""
USAGE = "%(prog)s [options] KIND"
EPILOG = """\
examples:
  rtaudio bench denoise                            48 kHz, 10 ms blocks
  rtaudio bench denoise --isa v3 --peers all
  rtaudio bench denoise --json result.json
  rtaudio bench denoise --lanes 250                streams that one core carries
  rtaudio bench denoise -m dtln --peers dtln       the same network in its own runtime
  rtaudio bench vad --peers all
  rtaudio bench wavenet -m nv --precision int8 --peers all

The floor is what the multiply-adds, or one read of the weights, would take at the
measured peak of one thread, whichever is slower (NumPy's BLAS: a 512 x 512 product,
and matrix-vector products with a matrix of as many bytes as the weights have).
"""

KINDS = ("denoise", "vad", "wavenet", "startup")
DEFAULT_MODELS = {"denoise": "rt-tcn", "vad": "silero-vad", "wavenet": "nv"}
LEVELS = ("v2", "v3", "v4", "v4x", "neon")
PEER_NAMES = {
    "denoise": ("rnnoise", "dtln", "gtcrn", "dfn3"),
    "vad": ("silero-vad",),
    "wavenet": ("numpy", "onnxruntime", "torch", "torch-compile", "torch-naive"),
    "startup": (),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    add("-m", "--model", metavar="MODEL", help="name or file (default: rt-tcn, silero-vad, nv)")
    add_precision(parser)
    add("--isa", choices=LEVELS, metavar="LEVEL", help="v3, v4...; default: the best here")
    add("--threads", type=positive, default=1, metavar="N", help="1: a stream runs on one thread")
    add(
        "--lanes",
        type=positive,
        default=1,
        metavar="N",
        help="streams at once (denoise; default: 1)",
    )
    add("--device", choices=("cpu",), default="cpu", help="cpu (the only one so far)")
    add("--block-samples", type=positive, metavar="N", help="default: one hop, 10 ms")
    add("--sample-rate", type=positive, metavar="HZ", help="default: 48000, or the model's")
    add(
        "--seconds",
        type=positive,
        metavar="S",
        help="audio for each (default: 60); wavenet: time for each (default: 3)",
    )
    add("--peers", metavar="LIST", help="names of a kind's peers, or all")
    add("--json", metavar="FILE", help="also write the result as JSON; - for stdout only")


def run(args: argparse.Namespace) -> int:
    if args.threads != 1:
        raise UsageError(f"--threads {args.threads}: a stream runs on one thread; give 1")
    refused = args.kind != "denoise" or args.peers or args.block_samples
    if args.lanes != 1 and args.kind != "wavenet" and refused:
        raise UsageError(
            f"--lanes {args.lanes}: `denoise` runs many streams, without peers and by the model's "
            "own blocks"
        )
    names = _peer_names(args.kind, args.peers)
    if args.isa is not None:
        # Read once, when the native module is first used.
        os.environ["RTAUDIO_CPU_ISA"] = args.isa
    runs = {"startup": _startup, "wavenet": _wavenet}
    result = runs.get(args.kind, _denoise)(args, names)
    text = json.dumps(result, indent=2) + "\n"
    if args.json == "-":
        print(text, end="")
        return 0
    print("\n".join(_lines(result)))
    if args.json is not None:
        try:
            Path(args.json).write_text(text)
        except OSError as error:
            raise UsageError(
                f"--json {args.json}: {(error.strerror or str(error)).lower()}"
            ) from None
    return 0


def _peer_names(kind: str, text: str | None) -> list[str]:
    if text is None:
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
        args.model or DEFAULT_MODELS[args.kind], args.precision, args.block_samples
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
    for note in notes:
        print(f"rtaudio bench: left out: {note}", file=sys.stderr)
    return result


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
    if args.lanes != 1:
        return run_lanes(
            model,
            lanes=args.lanes,
            sample_rate=rate,
            seconds=float(args.seconds or 60),
            level=_native.cpu_level(),
            on_progress=_progress(),
        )
    loaded = [load_peer(name) for name in names]
    for each in loaded:
        if isinstance(each, str):
            print(f"rtaudio bench: left out: {each}", file=sys.stderr)
    return run_denoise(
        model,
        sample_rate=rate,
        block_samples=args.block_samples,
        seconds=float(args.seconds or 60),
        level=_native.cpu_level(),
        peers=[each for each in loaded if not isinstance(each, str)],
        on_progress=_progress(),
    )


def _progress() -> Any:
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        return lambda _part: None

    def show(part: float) -> None:
        done = round(30 * part)
        end = "\r\033[K" if part >= 1 else ""
        sys.stderr.write(f"\r{'#' * done}{'.' * (30 - done)} {100 * part:3.0f} %{end}")
        sys.stderr.flush()

    return show


def _lines(result: dict[str, Any]) -> list[str]:
    machine = result["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    if result["kind"] == "startup":
        heavy = ", ".join(result["heavy_imports"]) or "none"
        return [
            f"import rtaudio and load {result['model']}, beyond importing numpy",
            f"  until loaded       {result['load_ms']:.1f} ms",
            f"  until first block  {result['first_block_ms']:.1f} ms",
            f"  memory             {result['memory_mb']:.1f} MB",
            f"  heavy imports      {heavy}",
            where,
        ]
    if result["kind"] == "wavenet":
        return [*_wavenet_lines(result), f"{where}; one thread"]
    if result["kind"] == "lanes":
        from rtaudio.bench.lanes import describe_lanes

        return [*describe_lanes(result), f"{where}; one thread"]
    head = f"{'':<10} {'rate':>6} {'block':>6} {'RTF':>8}  {'p50 / p99 / p99.9 us':<24} latency"
    rows = [head, _row(result["model"], result)]
    rows += [_row(name, peer) for name, peer in result["peers"].items()]
    block = result["us_per_block"]["p50"]
    part = result["floor_us"] / block if block else 0.0
    peak = result["peak"]
    decibels = result["si_sdr_db_to_fp32"]
    if decibels is not None:
        rows += ["", f"{result['precision']}: {decibels:.1f} dB SI-SDR against fp32"]
    return [
        *rows,
        "",
        f"floor {result['floor_us']:.1f} us a block, so the median is at {100 * part:.0f} % of "
        "what this machine can do",
        f"({peak['gmacs']:.0f} GMAC/s, weights read at {peak['weight_gbytes_per_second']:.0f} GB/s;"
        f" reached: {result['gmacs']:.1f} GMAC/s at level {result['isa']})",
        f"{where}; one thread",
    ]


def _wavenet_lines(result: dict[str, Any]) -> list[str]:
    """One line an engine, the fastest first, and how far from the floor ours is."""
    engines = {result["model"]: result, **result["peers"]}
    head = (
        f"{'':<20} {'us/sample':>10} {'samples/s':>10} {'RTF':>8} {'p99.9/p50':>10} {'ours is':>9}"
    )
    rows = [head]
    for name, each in sorted(engines.items(), key=lambda item: item[1]["us_per_sample"]):
        tail = each["us_per_block"]["p999"] / each["us_per_block"]["p50"]
        ratio = each["us_per_sample"] / result["us_per_sample"]
        faster = "" if each is result else f"{ratio:.1f}x"
        rows.append(
            f"{name:<20} {each['us_per_sample']:>10.3f} {each['samples_per_second']:>10,.0f} "
            f"{each['rtf']:>8.4f} {tail:>10.2f} {faster:>9}"
        )
    part, peak = 100 * result["floor_us"] / result["us_per_sample"], result["peak"]
    error = result["error"]
    about = "" if error is None else f", error of the parameters against float64 {error:.2g}"
    return [
        *rows,
        "",
        f"{result['precision']}, {result['lanes']} lane(s), blocks of {result['block_samples']} "
        f"samples, level {result['isa']}{about}",
        f"floor {result['floor_us']:.3f} us a sample ({part:.0f} % reached): "
        f"{peak['gmacs']:.0f} GMAC/s, weights read at {peak['weight_gbytes_per_second']:.0f} GB/s; "
        f"reached {result['gmacs']:.1f} GMAC/s",
    ]


def _row(name: str, figures: dict[str, Any]) -> str:
    times = " / ".join(f"{figures['us_per_block'][key]:.1f}" for key in ("p50", "p99", "p999"))
    block = 1e3 * figures["block_samples"] / figures["sample_rate"]
    return (
        f"{name:<10} {figures['sample_rate']:>6} {block:>3.0f} ms {figures['rtf']:>8.4f}  "
        f"{times:<24} {figures['latency_ms']:.0f} ms"
    )
