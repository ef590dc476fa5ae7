"""`rtaudio live` from the first device to the last word."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, NamedTuple, TextIO

from rtaudio.cli.interrupt import catch_interrupts
from rtaudio.cli.keys import Keys
from rtaudio.cli.limit import check_limit
from rtaudio.cli.live_status import Display
from rtaudio.cli.live_watch import StatsWriter, Watch, amount, ending_in_time
from rtaudio.cli.main import DEVICE_LOST, DONE, FAILED, INTERRUPTED, UsageError, fail

if TYPE_CHECKING:
    from rtaudio.live import Event, Live, Stats
    from rtaudio.live.route import Route


class Played(NamedTuple):
    live: Live
    ended: int  # why, as an exit code
    last: Stats


def play(args: argparse.Namespace, terminal: TextIO) -> Played:
    with _stats_file(args.stats_json) as stats_file, _route(args) as route:
        return _play(args, stats_file, route, terminal)


@contextlib.contextmanager
def _route(args: argparse.Namespace) -> Iterator[Route | None]:
    """The virtual device that was asked for, gone again in the end unless it was there before."""
    if not (args.virtual_mic or args.virtual_speaker):
        yield None
        return
    from rtaudio.live.route import open_route

    with open_route(
        "mic" if args.virtual_mic else "speaker", args.input_device, args.output_device
    ) as route:
        # PortAudio reads it when the stream opens.
        os.environ.update(route.environment)
        args.input_device, args.output_device = route.input_device, route.output_device
        args.samplerate = args.samplerate or route.sample_rate
        yield route


@contextlib.contextmanager
def _stats_file(name: str | None) -> Iterator[IO[str] | None]:
    if name is None:
        yield None
    elif name == "-":
        yield sys.stdout
    else:
        file = open(name, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (the user's words)
        try:
            yield file
        finally:
            with contextlib.suppress(OSError):  # a full disk has been told
                file.close()


def _make_live(args: argparse.Namespace, events: list[Event]) -> Live:
    import rtaudio
    from rtaudio.live import Live, LiveConfig
    from rtaudio.runtime.registry import DEFAULT_VOCODER

    names = {"denoise": rtaudio.DEFAULT_DENOISER, "wire": None, "vocode": DEFAULT_VOCODER}
    name = names.get(args.what, args.what)
    model = None if name is None else rtaudio.load(name, precision=args.precision)
    if model is not None and "mel_preset" in model.metadata:
        model = rtaudio.Vocoder(model, steps=args.steps).live_model()
    elif args.steps is not None:
        raise UsageError("--steps is for vocoders made by diffusion")
    elif args.seed is not None:
        raise UsageError("--seed is for vocoders, which draw noise")
    if model is not None and not model.makes_audio:
        port = model.graph.output
        raise UsageError(f"{args.what}: this model gives no audio but {port.name} ({port.unit}); "
                         "use it from Python")  # fmt: skip
    if model is not None:
        check_limit(model, args.atten_lim_db)
    config = LiveConfig(
        input_device=args.input_device,
        output_device=args.output_device,
        block_samples=args.blocksize,
        latency=args.latency,
        sample_rate=args.samplerate,
        channels=args.channels,
        attenuation_limit_db=args.atten_lim_db,
        record=args.record,
        placement=args.placement,
        fallback=args.fallback,
        clocks=args.clocks,
        give_up_seconds=args.give_up,
        seed=args.seed or 0,
        allow_feedback=args.allow_feedback,
    )
    live = Live(model, config, on_event=events.append)
    live.bypass = args.bypass
    return live


def _play(
    args: argparse.Namespace, stats_file: IO[str] | None, route: Route | None, terminal: TextIO
) -> Played:
    events: list[Event] = []
    live = _make_live(args, events)
    # Until the sound runs, Ctrl-C ends a sound server's silence at once.
    with Keys() as keys, live, catch_interrupts() as interrupt:
        title = f"{args.what}  {live.sample_rate / 1000:g} kHz"
        display = Display(terminal, title, amount(live), quiet=args.quiet, keys=keys.open)

        keys.on_stop, keys.on_continue = display.pause, display.go_on

        def put_back() -> None:
            keys.close()
            if route is not None:
                route.leave()

        with display, ending_in_time(interrupt, put_back, terminal):
            if not args.quiet:
                for line in _introduction(live, route):
                    display.say(line)
            watch = Watch(
                live=live,
                display=display,
                keys=keys,
                interrupt=interrupt,
                args=args,
                write_stats=StatsWriter(stats_file, args.stats_json or ""),
                events=events,
                repair=None if route is None else route.repair,
            )
            ended = watch.run()
            last = live.stats()
            live.stop()
    return Played(live, ended, last)


def _introduction(live: Live, route: Route | None) -> Iterator[str]:
    if route is not None:
        yield route.advice
    ends = (route and route.names) or (live.input.name, live.output.name)
    yield f"{ends[0]} > {ends[1]}, {live.sample_rate} Hz, blocks of {live.block}"
    if live.input.name == live.output.name and route is None and not live.config.allow_feedback:
        yield (
            "if it whistles, the microphone hears the speaker: use headphones "
            "(--allow-feedback leaves this line out)"
        )
    if live.model is not None and live.warm_up_share > 0.0:
        where = "a thread of its own" if live.placement == "worker" else "the audio callback"
        yield (
            f"{live.model.name} runs in {where}: at warm-up its longest block took "
            f"{100 * live.warm_up_share:.1f} % of a block's time"
        )


def farewell(args: argparse.Namespace, played: Played, said: deque[str]) -> int:
    live, ended, last = played
    who = "rtaudio live"
    if os.environ.get("RTAUDIO_DEBUG", "") not in ("", "0"):
        for line in said:
            print(f"driver: {line}", file=sys.stderr)
    if not args.quiet:
        for path in live.recordings:
            print(f"recorded {path}", file=sys.stderr)
    if ended == DEVICE_LOST:
        return fail(who, live.reason_lost, DEVICE_LOST)
    if ended == INTERRUPTED:
        heard = f"after {last.seconds:.1f} s of sound, {last.glitches} glitches"
        return fail(who, f"ended {heard}", INTERRUPTED)
    if live.recording_error:
        return fail(who, live.recording_error, FAILED)
    return DONE
