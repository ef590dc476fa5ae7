"""`rtaudio doctor`: what this machine offers, and what to do about what it lacks."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from rtaudio.cli.doctor_live import has_sound, real_time_rights, sound_card, sound_server
from rtaudio.cli.doctor_sound import glitch_test, loopback_test
from rtaudio.cli.finding import Finding

DESCRIPTION = "say what works on this machine and what to do about the rest"
EPILOG = """\
examples:
  rtaudio doctor                        listens for 5 s to find glitches; plays nothing
  rtaudio doctor --quick                without listening
  rtaudio doctor --loopback usb usb     plays noise, and measures when it comes back:
                                        by a cable, or the microphone at the speaker

exit codes: 0 files can be denoised here, 1 something needed is broken, 2 a wrong call,
3 no device of that name
"""

# What an absent package would add; rtaudio works without them.
OPTIONAL_PACKAGES = {
    "torch": "rtaudio.nn and training: pip install 'rtaudio[torch]'",
    "onnx": "networks of others (rtaudio models): pip install 'rtaudio[models]'",
    "matplotlib": "rtaudio denoise --plot: pip install 'rtaudio[plot]'",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--loopback", nargs=2, metavar=("IN", "OUT"), help="devices: measure the "
        "round trip from OUT back to IN")  # fmt: skip
    sound.add_argument("--quick", action="store_true", help="leave out the glitch test")


def run(args: argparse.Namespace) -> int:
    findings = [finding for examine in EXAMINATIONS for finding in examine()]
    if args.loopback is not None:
        findings += loopback_test(tuple(args.loopback))
    elif not args.quick and has_sound(findings):
        findings += glitch_test()
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        mark = "x" if finding.broken else "!" if finding.advice else " "
        print(f"{mark} {finding.topic:<{width}}  {finding.text}")
    advice = [finding.advice for finding in findings if finding.advice]
    if advice:
        print("\nAdvice")
        print("\n".join(f"  - {sentence}" for sentence in advice))
    broken = any(finding.broken for finding in findings)
    print("\nSomething needed is broken." if broken else "\nDenoising files works here.")
    return 1 if broken else 0


def versions() -> Iterator[Finding]:
    yield Finding(
        topic="rtaudio",
        text=f"{importlib.metadata.version('rtaudio')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
    )


def processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processor() -> Iterator[Finding]:
    name = f"{processor_name()}, {os.cpu_count()} threads"
    try:
        from rtaudio import _native

        supported = _native.supported_cpu_levels()
        level = _native.cpu_level()
    except ImportError as error:
        yield Finding(
            topic="engine",
            text=f"the native module cannot be loaded: {error}",
            advice="Install rtaudio again for this Python; in a clone, run ./dev setup.",
            broken=True,
        )
        return
    except RuntimeError as error:
        yield Finding(
            topic="processor",
            text=f"{name}; {error}",
            advice="Unset RTAUDIO_CPU_ISA, or set it to a level this processor has.",
            broken=True,
        )
        return
    forced = os.environ.get("RTAUDIO_CPU_ISA", "")
    why = "forced by RTAUDIO_CPU_ISA" if forced else "the best of " + ", ".join(supported)
    slower = forced and level != supported[-1]
    yield Finding(
        topic="processor",
        text=f"{name}; level {level} ({why})",
        advice=f"RTAUDIO_CPU_ISA keeps this processor below its best level {supported[-1]}."
        if slower
        else "",
    )


def cuda() -> Iterator[Finding]:
    try:
        from rtaudio import _native
    except ImportError:
        return
    report = _native.query_cuda()
    if report.reason:
        built = f" (built for CUDA {report.runtime_version})" if report.runtime_version else ""
        yield Finding(topic="CUDA", text=f"none: {report.reason}{built}")
    for index, device in enumerate(report.devices):
        yield Finding(
            topic=f"CUDA {index}",
            text=f"{device.name}, compute {device.compute_major}.{device.compute_minor}, "
            f"{device.memory_bytes / 2**30:.0f} GiB, {device.num_multiprocessors} multiprocessors; "
            f"driver for CUDA {report.driver_version}, built with {report.runtime_version}",
        )


def audio_files() -> Iterator[Finding]:
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:
        yield Finding(
            topic="files",
            text=str(error),
            advice="Audio files need soundfile and soxr: pip install --force-reinstall "
            "soundfile soxr.",
            broken=True,
        )
        return
    yield Finding(
        topic="files",
        text=f"soundfile {soundfile.__version__} ({soundfile.__libsndfile_version__}), "
        f"soxr {soxr.__version__}",
    )


def optional_packages() -> Iterator[Finding]:
    for package, purpose in OPTIONAL_PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            yield Finding(topic=package, text=f"not installed; for {purpose}")
        else:
            yield Finding(topic=package, text=importlib.metadata.version(package))


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions,
    processor,
    cuda,
    sound_card,
    sound_server,
    real_time_rights,
    audio_files,
    optional_packages,
)
