"""Each kind of `rtaudio bench` with what the command line asks for."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from rtaudio.cli.main import UsageError

DEFAULT_MODELS = {
    "denoise": "rt-tcn",
    "vad": "silero-vad",
    "wavenet": "nv",
    "diffusion": "diffwave-base",
}


def startup(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    import rtaudio
    from rtaudio.bench.startup import run_startup

    return run_startup(args.model or rtaudio.DEFAULT_DENOISER)


def wavenet(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
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


def diffusion(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    from rtaudio import _native
    from rtaudio.bench.diffusion import load_diffusion, run_diffusion

    name = args.model or DEFAULT_MODELS[args.kind]
    vocoder, state = load_diffusion(name, args.precision, args.steps, args.threads, args.device)
    result, notes = run_diffusion(
        vocoder,
        state,
        block_samples=args.block_samples,
        seconds=float(args.seconds or 10),
        level=_native.cpu_level(),
        peers=names,
        lanes=args.lanes,
        on_progress=_progress(),
    )
    _say_left_out(notes)
    return result


def layers(args: argparse.Namespace, _names: list[str]) -> dict[str, Any]:
    from rtaudio import _native
    from rtaudio.bench.layer_cases import CASES
    from rtaudio.bench.layers import run_layers
    from rtaudio.bench.layers_device import LANES, run_device_layers

    if args.layer is not None and args.layer not in CASES:
        raise UsageError(f"--layer {args.layer}: the kinds are {', '.join(CASES)}")
    kinds = list(CASES) if args.layer is None else [args.layer]
    if args.device != "cpu":
        lanes = LANES if args.lanes == (1,) else args.lanes
        level = _native.cpu_level()
        result, notes = run_device_layers(
            kinds, args.precision, level, args.device, lanes, _progress()
        )
        _say_left_out(notes)
        return result
    return run_layers(kinds, args.precision, _native.cpu_level(), _progress())


def denoise(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    import rtaudio
    from rtaudio import _native
    from rtaudio.bench.denoise import run_denoise
    from rtaudio.bench.lanes import run_lanes
    from rtaudio.bench.peers import load_peer

    model = rtaudio.load(
        args.model or DEFAULT_MODELS[args.kind], precision=args.precision, device=args.device
    )
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
    if args.lanes != 1 or args.device != "cpu":
        result, notes = run_lanes(
            model,
            lanes=args.lanes,
            sample_rate=rate,
            seconds=float(seconds),
            level=_native.cpu_level(),
            peers=names,
            on_progress=_progress(),
        )
        _say_left_out(notes)
        return result
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


RUNS: dict[str, Callable[[argparse.Namespace, list[str]], dict[str, Any]]] = {
    "denoise": denoise,
    "vad": denoise,
    "layers": layers,
    "wavenet": wavenet,
    "diffusion": diffusion,
    "startup": startup,
}
