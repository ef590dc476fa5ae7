"""Finds the subcommand, runs it, and turns every failure into one sentence and an exit code."""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import keyword
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

DONE, FAILED, USAGE, NO_DEVICE, DEVICE_LOST, INTERRUPTED = 0, 1, 2, 3, 4, 130

COMMANDS = {
    "denoise": "remove noise from recordings, or from a pipe as it arrives",
    "process": "run any other model over recordings: amp.nam, your network",
    "live": "a clean microphone, or any model between two devices",
    "vocode": "speech from a mel spectrogram, or from a recording's own",
    "devices": "list the sound devices",
    "virtual-mic": "a microphone that call programs can choose",
    "virtual-speaker": "a speaker that call programs can choose",
    "demo": "denoise a shipped recording and make a page to listen to it",
    "info": "describe an audio file or a model",
    "import": "make a model of the ONNX files of another package's network",
    "models": "list the models there are, and what each does best",
    "verify": "check that a model streams exactly",
    "bench": "measure speed, beside other denoisers if they are installed",
    "doctor": "say what works on this machine and what to do about the rest",
}

_DESCRIPTION = "Real-time neural audio: exact, bounded, safe and fast."
_EPILOG = """\
examples:
  rtaudio demo                            hear what it does
  rtaudio denoise talk.wav                writes talk.denoised.wav
  rtaudio denoise recordings -d clean     a whole folder
  rtaudio process amp.nam guitar.wav      a guitar amplifier
  rtaudio live --virtual-mic              a clean microphone for calls
  rtaudio info talk.wav

`rtaudio COMMAND --help` tells more. Exit codes: 0 done, 1 a processing error,
2 a wrong call, 3 no such sound device, 4 the device is lost, 130 interrupted.
RTAUDIO_DEBUG=1 adds a traceback to an error.
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one sentence, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class UsageError(Exception):
    """A call whose arguments do not go together; the message is one sentence."""


def _formatter(prog: str) -> argparse.RawDescriptionHelpFormatter:
    width = min(shutil.get_terminal_size().columns, 100)
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=width)


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("rtaudio")
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _top_level_help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    head = f"usage: rtaudio [--help] [--version] COMMAND ...\n\n{_DESCRIPTION}\n\ncommands:\n"
    return head + "\n".join(lines) + "\n\n" + _EPILOG


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_top_level_help(), end="")
        return DONE if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        print(f"rtaudio {_version()}")
        return DONE
    name = arguments[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean `rtaudio {near[0]}`?" if near else f": {', '.join(COMMANDS)}"
        kind = "option" if name.startswith("-") else "command"
        return fail("rtaudio", f"there is no {kind} {name!r}{hint}", USAGE)
    module = importlib.import_module(
        f"rtaudio.cli.{name.replace('-', '_')}{'_' * keyword.iskeyword(name)}"
    )
    parser = Parser(
        prog=f"rtaudio {name}",
        usage=getattr(module, "USAGE", None),
        description=module.DESCRIPTION,
        epilog=getattr(module, "EPILOG", None),
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_intermixed_args(arguments[1:]))
    return code


def fail(who: str, message: str, code: int) -> int:
    """One sentence on stderr, whatever the terminal can print."""
    line = f"{who}: {visible(' '.join(message.split())).rstrip('.')}\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    return code


def visible(text: str) -> str:
    """Without control codes: a file's name may hold any, and a terminal obeys them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _open_standard_streams() -> bool:
    """Where one was closed (`>&-`), the next file opened would take its number. False for stdout:
    what is printed or written there would be lost without a word."""
    open_before = sys.stdout is not None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if number == 0 else "w")  # noqa: SIM115, PTH123
            if stream.fileno() != number:
                os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return open_before


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rtaudio ARGUMENTS` and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    who = f"rtaudio {given[0]}" if given and given[0] in COMMANDS else "rtaudio"
    debug = os.environ.get("RTAUDIO_DEBUG", "") not in ("", "0")
    if not _open_standard_streams():
        return fail(who, "stdout is closed; redirect it to /dev/null if nothing is wanted", USAGE)
    interrupted: list[int] = []
    try:
        with _noted_interrupts(interrupted):
            code = _run(given)
            sys.stdout.flush()
        return code
    except SystemExit as error:  # argparse: --help and wrong calls
        return error.code if isinstance(error.code, int) else USAGE
    except UsageError as error:
        return fail(who, f"{error} (see {who} --help)", USAGE)
    except KeyboardInterrupt:
        return fail(who, "interrupted; no unfinished output was left", INTERRUPTED)
    except BrokenPipeError:
        _drop_unwritten_output()
        return FAILED
    except Exception as error:
        _drop_unwritten_output()
        if interrupted:  # in the middle of an import, which made an ImportError of it
            return fail(who, "interrupted; no unfinished output was left", INTERRUPTED)
        if debug:
            raise
        return fail(who, _sentence(error), _code(error))


@contextmanager
def _noted_interrupts(noted: list[int]) -> Iterator[None]:
    """Adds the number of each Ctrl-C to `noted` before it becomes a KeyboardInterrupt."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:  # only the main thread may
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _drop_unwritten_output() -> None:
    """What stdout could not take, Python would try again at exit and complain once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _code(error: Exception) -> int:
    from rtaudio.errors import DeviceError

    return NO_DEVICE if isinstance(error, DeviceError) else FAILED


def _sentence(error: Exception) -> str:
    from rtaudio.errors import RtaudioError

    if isinstance(error, RtaudioError):
        return str(error)
    if isinstance(error, RuntimeError) and "RTAUDIO_CPU_ISA" in str(error):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or process fewer channels at a time"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror.lower()}"
    if isinstance(error, ImportError):
        return f"{error}; `rtaudio doctor` says what is missing"
    detail = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"unexpected {detail}; RTAUDIO_DEBUG=1 shows where, please report it"
