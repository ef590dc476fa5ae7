"""PortAudio as sounddevice offers it, without the noise it prints and the tracebacks it raises."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from rtaudio.errors import DeviceError

NO_SOUND = (
    "there is no audio device on this machine; recordings and pipes work without one "
    "(rtaudio denoise), and `rtaudio doctor` says what is missing"
)
HANGS = (
    "the sound server does not answer; restart it (systemctl --user restart pipewire or "
    "pulseaudio) and try again."
)
LOAD_SECONDS = 10.0
LOOK_SECONDS = 5.0
_stderr_lock = threading.Lock()
MOST_NOISE = 64 * 1024  # bytes that are kept of what drivers print


@contextlib.contextmanager
def silent_stderr(kept: list[str] | None = None) -> Iterator[None]:
    """Keep what ALSA and JACK print past Python from the terminal, while PortAudio is at work.

    `kept` gets the lines, for a report.
    """
    with _stderr_lock:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # closed: nothing can be printed
            yield
            return
        with _noise_file(is_kept=kept is not None) as noise:
            try:
                os.dup2(noise.fileno(), 2)
                yield
            finally:
                os.dup2(saved, 2)
                os.close(saved)
                if kept is not None:
                    noise.seek(0)
                    text = noise.read(MOST_NOISE).decode(errors="replace")
                    kept.extend(line.strip() for line in text.splitlines() if line.strip())


@contextlib.contextmanager
def no_signals() -> Iterator[None]:
    """Threads that are made inside are never interrupted by a signal's handler.

    The kernel hands a signal to any thread that does not block it, and Python's handlers make
    read() fail there: libjack takes that for the server's end (Ctrl-Z and fg came upon it), and
    PortAudio then aborts the program.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}  # a thread's own
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _noise_file(*, is_kept: bool) -> IO[bytes]:
    if not is_kept:
        return open(os.devnull, "wb")  # noqa: PTH123
    import tempfile  # takes a while, and is seldom needed

    return tempfile.TemporaryFile()


def sounddevice() -> Any:
    """The module. Raises DeviceError where it or PortAudio is missing, or hangs."""
    if not _loaded:
        _load()
    return _loaded[0]


# sounddevice once it is imported as a whole: PortAudio looks for devices then, which takes a tenth
# of a second and may hang.
_loaded: list[Any] = []
_loading: list[threading.Event] = []  # set when the import under way has ended
_errors: list[Exception] = []


@contextlib.contextmanager
def loading_early() -> Iterator[None]:
    """Begins the import, beside what is done inside. stderr must not be the user's meanwhile: see
    own_stderr()."""
    if not _loaded and not _loading and sys.platform != "win32":
        _loading.append(_begin(_import))
    try:
        yield
    except Exception:  # not Ctrl-C, which waits for nobody
        if _loading:
            _wait(_loading.pop(), LOAD_SECONDS)
        raise


def _import() -> None:
    _errors.clear()
    try:
        import sounddevice as module
    except (ImportError, OSError) as error:
        _errors.append(error)
    else:
        _loaded.append(module)


def _load() -> None:
    if _loading:
        _wait(_loading.pop(), LOAD_SECONDS)
    else:
        with silent_stderr():
            with_deadline(_import, LOAD_SECONDS)
    if _loaded:
        return
    if not _errors:
        raise DeviceError(HANGS)
    error = _errors[0]
    if isinstance(error, OSError):
        raise DeviceError(
            "PortAudio is missing; install it (Debian and Ubuntu: sudo apt-get install "
            "libportaudio2) and try again."
        ) from error
    raise DeviceError(f"{error}; live sound needs it: pip install sounddevice.") from error


def explain(error: Exception) -> str:
    """What PortAudio said, as the end of a sentence."""
    text = str(error.args[0]) if error.args else str(error)
    return " ".join(text.split()).rstrip(".")


def with_deadline(call: Callable[[], object], seconds: float) -> bool:
    """Whether `call` came back in time. It goes on in a thread of its own if it did not: after a
    sound server's death PortAudio's functions may never return."""
    if sys.platform == "win32":  # what COM gives belongs to the thread that asked for it
        with contextlib.suppress(Exception):
            call()
        return True
    return _wait(_begin(call), seconds)


def _begin(call: Callable[[], object]) -> threading.Event:
    """Runs it in a thread; the event is set when it has come back."""
    done = threading.Event()

    def run() -> None:
        with no_signals(), contextlib.suppress(Exception):
            call()
        done.set()

    threading.Thread(target=run, name="rtaudio-portaudio", daemon=True).start()
    return done


def _wait(done: threading.Event, seconds: float) -> bool:
    try:
        return done.wait(seconds)
    except BaseException:  # Ctrl-C
        leave_portaudio_alone()
        raise


def leave_portaudio_alone() -> None:
    """No clean-up at exit: it would wait for what hangs."""
    module = sys.modules.get("sounddevice")
    handler = getattr(module, "_exit_handler", None)
    if handler is not None:
        atexit.unregister(handler)


def refresh(kept: list[str] | None = None) -> None:
    """Look for devices again. Only while no stream is open: PortAudio's list is made once.

    `kept` gets what the drivers print meanwhile.
    Raises DeviceError where a sound server does not answer; the next call then is to a new copy.
    """
    module = sounddevice()

    def look() -> None:
        if module._initialized:
            module._terminate()
        module._initialize()

    with silent_stderr(kept):
        in_time = with_deadline(look, LOOK_SECONDS)
    if not in_time:
        renew()
        raise DeviceError(HANGS)


def renew() -> None:
    """A second copy of PortAudio in place of one that hangs in a call: it holds on to a server that
    is dead, and would do so to the end. Raises DeviceError where there is no way to get one.
    """
    import shutil
    import tempfile

    module = sounddevice()
    leave_portaudio_alone()
    path = _library_path()
    if path is None:
        raise DeviceError(HANGS)
    with tempfile.TemporaryDirectory() as folder:
        # By another name: the loader knows libraries by their files.
        copy = shutil.copy(path, folder)
        module._lib = module._ffi.dlopen(copy)
    module._initialized = 0
    # Its threads must have ended before the libraries are taken down.
    atexit.register(module._exit_handler)


def _library_path() -> str | None:
    """The file of the PortAudio that is loaded, on Linux."""
    from pathlib import Path

    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            path = line[line.find("/") :] if "/" in line else ""
            if "libportaudio" in path and Path(path).exists():
                return path
    return None
