"""`rtaudio live`: a clean microphone, or any model, from an input device to an output device."""

from __future__ import annotations

import argparse
import math

from rtaudio.cli.arguments import add_precision, from_zero, positive
from rtaudio.cli.limit import attenuation_limit
from rtaudio.cli.terminal import own_stderr

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
    add_precision(parser)
    add("--steps", type=positive, metavar="N", help="of a vocoder made by diffusion")
    add("--seed", type=from_zero, metavar="N", help="of a vocoder's noise (default: 0)")
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
    from rtaudio.live.portaudio import loading_early

    with own_stderr() as (terminal, said), loading_early():
        # While PortAudio looks for devices, the rest is imported.
        from rtaudio.cli.live_play import farewell, play

        played = play(args, terminal)
    return farewell(args, played, said)
