"""`rtaudio live`: a clean microphone, or any model, from an input device to an output device."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from rtaudio.cli.denoise import attenuation_limit, positive
from rtaudio.cli.interrupt import Interrupt, catch_interrupts
from rtaudio.cli.keys import Keys
from rtaudio.cli.live_status import Display
from rtaudio.cli.main import DEVICE_LOST, DONE, INTERRUPTED, fail

if TYPE_CHECKING:
    from rtaudio.live import Event, Live

DESCRIPTION = """\
Run a model between a microphone and a speaker, as long as you like. The sound runs in
native threads; this program only watches.
"""
USAGE = "%(prog)s [options] [denoise | wire | MODEL]"
EPILOG = """\
examples:
  rtaudio live                          the default devices, noise removed
  rtaudio live -i usb -o headphones     devices by a part of their names
  rtaudio live wire --duration 10       no model: is the path itself clean?
  rtaudio live -a 12 --record takes     12 dB at most; both sides into takes/

keys: space compares with the untouched sound, + and - change the amount, m mutes,
r resets, q quits. exit codes: 0 done, 1 an error, 2 a wrong call, 3 no such device,
4 the device is lost for good, 130 interrupted
"""
AMOUNT_STEP_DB = 3.0
MOST_DB = 60.0  # from here on: no limit
POLL_SECONDS = 0.1


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
    add("what", nargs="?", default="denoise", metavar="MODEL", help="denoise (default), wire, or a "
        "model by name or file")  # fmt: skip
    add("-i", "--input-device", metavar="DEV", help="number or part of a name (rtaudio devices)")
    add("-o", "--output-device", metavar="DEV", help="likewise")
    add("-l", "--list-devices", action="store_true", help="list the devices and end")
    add("--blocksize", type=positive, metavar="N", help="frames of a block (default: the model's)")
    add("--latency", type=latency, default="low", help="low (default), high or seconds")
    add("--samplerate", type=positive, metavar="HZ", help="default: the input device's own")
    add("-c", "--channels", type=int, choices=(1, 2), default=1, help="1 (default): the mean of "
        "the input's; 2: stereo")  # fmt: skip
    add("-a", "--atten-lim-db", type=attenuation_limit, metavar="DB",
        help="remove no more than DB decibels of noise (default: no limit)")  # fmt: skip
    add("--bypass", action="store_true", help="begin with the untouched sound")
    add("--placement", choices=("auto", "inline", "worker"), default="auto",
        help="where the model runs (default: auto, by its time at warm-up)")  # fmt: skip
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
    with _stats_file(args.stats_json) as stats_file, _virtual_device(args):
        return _play(args, stats_file)


@contextlib.contextmanager
def _virtual_device(args: argparse.Namespace) -> Iterator[None]:
    """Makes the device that was asked for, and removes it unless it was there before."""
    if not (args.virtual_mic or args.virtual_speaker):
        yield
        return
    from rtaudio.live import virtual

    kind: virtual.Kind = "mic" if args.virtual_mic else "speaker"
    made = virtual.start(kind)
    try:
        # PortAudio reads it when the stream opens.
        os.environ.update(virtual.environment(kind))
        args.input_device = args.input_device or virtual.ALSA_DEVICE
        args.output_device = args.output_device or virtual.ALSA_DEVICE
        if not args.quiet:
            print(virtual.ADVICE[kind], file=sys.stderr)
        yield
    finally:
        if made:
            virtual.stop(kind)


@contextlib.contextmanager
def _stats_file(name: str | None) -> Iterator[IO[str] | None]:
    if name is None:
        yield None
    elif name == "-":
        yield sys.stdout
    else:
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 (the user's words)
            yield file


def _play(args: argparse.Namespace, stats_file: IO[str] | None) -> int:
    from rtaudio.live import Live, LiveConfig
    from rtaudio.runtime.registry import DEFAULT_DENOISER

    model = {"denoise": DEFAULT_DENOISER, "wire": None}.get(args.what, args.what)
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
        allow_feedback=args.allow_feedback,
    )
    events: list[Event] = []
    live = Live(model, config, on_event=events.append)
    live.bypass = args.bypass
    # Until the sound runs, Ctrl-C ends a sound server's silence at once.
    with Keys() as keys, live, catch_interrupts() as interrupt:
        title = f"{args.what}  {live.sample_rate / 1000:g} kHz"
        with Display(title, _amount(live), quiet=args.quiet, keys=keys.open) as display:
            if not args.quiet:
                for line in _introduction(live):
                    display.say(line)
            ended = _watch(live, display, keys, interrupt, args, stats_file, events)
        last = live.stats()
    if not args.quiet:
        for path in live.recordings:
            print(f"recorded {path}", file=sys.stderr)
    who = "rtaudio live"
    if ended == DEVICE_LOST:
        return fail(who, live.reason_lost, DEVICE_LOST)
    if interrupt():
        heard = f"after {last.seconds:.1f} s of sound, {last.glitches} glitches"
        return fail(who, f"ended {heard}", INTERRUPTED)
    return ended


def _introduction(live: Live) -> Iterator[str]:
    yield f"{live.input.name} > {live.output.name}, {live.sample_rate} Hz, blocks of {live.block}"
    if live.model is not None and live.warm_up_share > 0.0:
        where = "a thread of its own" if live.placement == "worker" else "the audio callback"
        yield (
            f"{live.model.name} runs in {where}: at warm-up its longest block took "
            f"{100 * live.warm_up_share:.1f} % of a block's time"
        )


def _watch(
    live: Live,
    display: Display,
    keys: Keys,
    interrupt: Interrupt,
    args: argparse.Namespace,
    stats_file: IO[str] | None,
    events: list[Event],
) -> int:
    """Until the user, the time or the device ends it."""
    began = time.monotonic()
    shown = written = -math.inf
    while not interrupt():
        for key in keys.pressed(min(POLL_SECONDS, display.period_seconds)):
            if key == "q":
                return DONE
            _obey(key, live, display)
        while events:
            display.say(f"rtaudio live: {events.pop(0).text}")
        now = time.monotonic()
        ended = args.duration is not None and now - began >= args.duration
        if now - shown >= display.period_seconds - 0.01 or ended:
            stats = live.stats()
            display.show(stats)
            shown = now
            if stats_file is not None and (now - written >= 0.99 or ended):
                stats_file.write(json.dumps(stats.as_json()) + "\n")
                stats_file.flush()
                written = now
        if live.state == "lost":
            return DEVICE_LOST
        if ended:
            return DONE
    return INTERRUPTED


def _obey(key: str, live: Live, display: Display) -> None:
    if key == " ":
        live.bypass = not live.bypass
    elif key == "m":
        live.mute = not live.mute
    elif key == "r":
        live.reset()
    elif key in "+=-" and live.has_attenuation_limit:
        now = min(MOST_DB, live.attenuation_limit_db if live.attenuation_limit_db is not None
                  else MOST_DB)  # fmt: skip
        step = -AMOUNT_STEP_DB if key == "-" else AMOUNT_STEP_DB
        value = max(0.0, now + step)
        live.attenuation_limit_db = math.inf if value >= MOST_DB else value
        display.amount = _amount(live)


def _amount(live: Live) -> str:
    if not live.has_attenuation_limit:
        return ""
    limit = live.attenuation_limit_db
    return "no limit" if limit is None or not limit < MOST_DB else f"{limit:g} dB"
