"""`rtaudio demo`: hear, see and measure the denoiser in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from rtaudio.cli.main import INTERRUPTED, fail

DESCRIPTION = """\
Denoise a short recording and write, side by side: the noisy and the cleaned WAV,
their spectrograms, and one HTML page to switch between them while they play.
"""
USAGE = "%(prog)s [options] [IN]"
EPILOG = """\
examples:
  rtaudio demo                    the recording that comes with the package
  rtaudio demo talk.wav --open    one of yours (its first minute)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="?", metavar="IN", help="a recording of yours")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        default="demo-output",
        help="folder for the results (default: demo-output)",
    )
    parser.add_argument("-m", "--model", metavar="MODEL", help="name or file (default: rt-tcn)")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")


def run(args: argparse.Namespace) -> int:
    import rtaudio
    from rtaudio.cli.denoise import check_makes_audio
    from rtaudio.cli.interrupt import catch_interrupts
    from rtaudio.demo.run import latency_parts, milliseconds, run_demo, shipped_recording
    from rtaudio.io import CancelledError

    model = rtaudio.load(args.model or rtaudio.DEFAULT_DENOISER)
    check_makes_audio(model, f"-m {model.name}")
    recording = Path(args.input) if args.input else shipped_recording()
    with catch_interrupts() as interrupt:
        try:
            demo = run_demo(
                model,
                recording,
                Path(args.output),
                shipped=not args.input,
                on_step=print,
                cancelled=interrupt,
            )
        except CancelledError:
            return fail("rtaudio demo", "interrupted; no unfinished output was left", INTERRUPTED)
    measured = demo.measured
    parts = latency_parts(measured.latency, measured.sample_rate)
    rows = [
        ("recording", f"{measured.audio_seconds:.1f} s at {measured.sample_rate:,} Hz"),
        ("model", f"{model.name}, {model.num_parameters / 1e6:.2f} million parameters"),
        (
            "speed",
            f"{1 / measured.rtf:,.0f}x faster than real time on one core "
            f"(RTF {measured.rtf:.4f} median, {measured.mean_rtf:.4f} mean)",
        ),
        (
            "latency",
            f"{milliseconds(measured.latency.samples / measured.sample_rate)}: "
            + " + ".join(name for name, _ in parts),
        ),
        (
            "time budget",
            f"{100 * measured.rtf:.2g} % used: {milliseconds(measured.p50)} of "
            f"{milliseconds(measured.block_seconds)} per block "
            f"(median; {milliseconds(measured.mean)} mean, {milliseconds(measured.p999)} p99.9)",
        ),
    ]
    for name, text in rows:
        print(f"  {name:<12} {text}")
    print()
    for path in demo.files:
        print(f"  {path}")
    print(f"  {demo.page}   <- open this in a browser and press play")
    if not demo.drew_plot:
        print("\nspectrograms.png needs matplotlib: pip install 'rtaudio[plot]'")
    if args.open:
        import webbrowser

        webbrowser.open(demo.page.resolve().as_uri())
    return 0
