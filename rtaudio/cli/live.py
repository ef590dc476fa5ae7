"""`rtaudio live`: a clean microphone, or any model, from an input device to an output device."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from rtaudio.cli.denoise import attenuation_limit, check_limit
from rtaudio.cli.interrupt import catch_interrupts
from rtaudio.cli.keys import Keys
from rtaudio.cli.live_status import Display
from rtaudio.cli.live_watch import StatsWriter, Watch, amount, ending_in_time
from rtaudio.cli.main import DEVICE_LOST, DONE, FAILED, INTERRUPTED, UsageError, fail
from rtaudio.cli.terminal import own_stderr

if TYPE_CHECKING:
    from rtaudio.live import Event, Live
    from rtaudio.live.route import Route

DESCRIPTION = """\
Run a model between a microphone and a speaker, as long as you like. The sound runs in
native threads; this program only watches.
"""
USAGE = "%(prog)s [options] [denoise | wire | vocode | MODEL]"
EPILOG = """\
examples:
  rtaudio live --virtual-mic            a clean microphone that call programs can choose
  rtaudio live --virtual-speaker        cleans what comes in from the others
  rtaudio live -i usb -o headphones     devices by a part of their names (-l lists them)
  rtaudio live amp.nam --blocksize 64   a guitar amplifier
  rtaudio live wire --duration 10       no model: is the path itself clean?
  rtaudio live -a 12 --record takes     12 dB at most; both sides into takes/

keys: space compares with the untouched sound, + and - change the amount, m mutes,
r resets, q quits. exit codes: 0 done, 1 an error, 2 a wrong call, 3 no such device,
4 the device is lost for good, 130 interrupted
"""
LEAST_RATE, MOST_RATE = 1_000, 768_000
LEAST_BLOCK, MOST_BLOCK = 16, 65_536


def block_size(text: str) -> int:
    return _whole(text, LEAST_BLOCK, MOST_BLOCK, "frames of a block")


def sample_rate(text: str) -> int:
    return _whole(text, LEAST_RATE, MOST_RATE, "Hz")


def _whole(text: str, least: int, most: int, what: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {least} to {most} {what}")
    return value


def latency(text: str) -> str | float:
    if text in ("low", "high"):
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value <= 10.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not low, high or up to 10 seconds")
    return value


def duration(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", nargs="?", default="denoise", metavar="MODEL", help="denoise (default), wire, "
        "vocode (microphone to mel to speech), or a model by name or file")  # fmt: skip
    add("-i", "--input-device", metavar="DEV", help="number or part of a name (rtaudio devices)")
    add("-o", "--output-device", metavar="DEV", help="likewise")
    add("-l", "--list-devices", action="store_true", help="list the devices and end")
    add(
        "--blocksize", type=block_size, metavar="N", help="frames of a block (default: the model's)"
    )
    add("--latency", type=latency, default="low", help="low (default), high or seconds")
    add("--samplerate", type=sample_rate, metavar="HZ", help="default: the input device's own")
    add("-c", "--channels", type=int, choices=(1, 2), default=1, help="1 (default): the mean of "
        "the input's; 2: stereo")  # fmt: skip
    add("-a", "--atten-lim-db", type=attenuation_limit, metavar="DB",
        help="remove no more than DB decibels of noise (default: no limit)")  # fmt: skip
    add("--bypass", action="store_true", help="begin with the untouched sound")
    add("--placement", choices=("auto", "inline", "worker"), default="auto",
        help="where the model runs (default: auto, by its time at warm-up)")  # fmt: skip
    add("--fallback", metavar="MODEL", help="a cheaper model for while MODEL cannot keep up")
    add("--clocks", choices=("auto", "one", "two"), default="auto",
        help="how many the devices have (default: auto, two for two devices)")  # fmt: skip
    add("--give-up", type=duration, default=60.0, metavar="S",
        help="wait S seconds for a device that is gone (default: 60)")  # fmt: skip
    add("--record", metavar="DIR", help="write input and output there as WAV")
    add("--stats-json", metavar="FILE", help="counters as a line of JSON each second; - is stdout")
    add("--duration", type=duration, metavar="S", help="end after S seconds")
    virtual = parser.add_mutually_exclusive_group()
    virtual.add_argument("--virtual-mic", action="store_true",
        help="play into a microphone that call programs can choose")  # fmt: skip
    virtual.add_argument("--virtual-speaker", action="store_true",
        help="listen to a speaker that call programs can choose")  # fmt: skip
    add("--allow-feedback", action="store_true", help="a microphone beside its speaker is fine")
    add("-q", "--quiet", action="store_true", help="only warnings and errors")


def run(args: argparse.Namespace) -> int:
    if args.list_devices:
        from rtaudio.cli.devices import run as list_them

        return list_them(argparse.Namespace(json=False))
    with _stats_file(args.stats_json) as stats_file, _route(args) as route:
        return _play(args, stats_file, route)


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
    model = None if name is None else rtaudio.load(name)
    if model is not None and "mel_preset" in model.metadata:
        model = rtaudio.Vocoder(model).live_model()
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
        allow_feedback=args.allow_feedback,
    )
    live = Live(model, config, on_event=events.append)
    live.bypass = args.bypass
    return live


def _play(args: argparse.Namespace, stats_file: IO[str] | None, route: Route | None) -> int:
    events: list[Event] = []
    live = _make_live(args, events)
    # Until the sound runs, Ctrl-C ends a sound server's silence at once.
    with own_stderr() as (terminal, said), Keys() as keys, live, catch_interrupts() as interrupt:
        title = f"{args.what}  {live.sample_rate / 1000:g} kHz"
        display = Display(terminal, title, amount(live), quiet=args.quiet, keys=keys.open)

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
    return _farewell(args, live, ended, last, said)


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


def _farewell(args: argparse.Namespace, live: Live, ended: int, last: Any, said: deque[str]) -> int:
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
