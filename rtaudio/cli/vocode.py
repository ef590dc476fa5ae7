"""`rtaudio vocode`: speech from mel spectrograms."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtaudio.cli.arguments import add_device, add_precision, add_threads, from_zero, positive
from rtaudio.cli.interrupt import Interrupt, catch_interrupts
from rtaudio.cli.jobs import real_path
from rtaudio.cli.main import DONE, INTERRUPTED, UsageError, fail
from rtaudio.cli.progress import Reporter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtaudio.cli.vocode_input import MelFile, Recording
    from rtaudio.io import FileSink
    from rtaudio.live import Speaker
    from rtaudio.runtime.vocoder import Vocoder

DESCRIPTION = """\
Turn a mel spectrogram into speech: a NumPy file [mels, frames] of the model's own
preset (or of one that converts to it), or a recording, which is analysed and made
again. The audio is made block by block and can be heard at once.
"""
USAGE = "%(prog)s [options] MEL.npy|RECORDING [-o OUT]"
EPILOG = """\
examples:
  rtaudio vocode talk.wav -o again.wav          copy synthesis
  rtaudio vocode mel.npy -o speech.wav          a mel of the model's preset
  rtaudio vocode mel.npy -p tacotron22 --play   another preset with the same filters
  rtaudio vocode talk.wav -o again.wav -m diffwave.safetensors --steps 6 --threads 2

exit codes: 0 done, 1 it failed, 2 a wrong call, 3 no such sound device, 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="MEL", type=Path, help="a .npy file [mels, frames], or a recording")
    add("-o", "--output", metavar="OUT", type=Path, help="audio file; its ending names the format")
    add("-m", "--model", metavar="MODEL", help="name or file of a vocoder (default: rt-wavenet)")
    add_precision(parser)
    add_device(parser)
    add("-p", "--mel-preset", metavar="NAME", help="what a .npy file holds (default: the model's)")
    add("--steps", type=positive, metavar="N", help="of a diffusion model (default: its own)")
    add("--seed", type=from_zero, default=0, help="of the noise; the same seed, the same speech")
    add(
        "--block-frames",
        type=positive,
        metavar="N",
        help="frames at a time (default: 4, several threads: 32 each); any give the same samples",
    )
    add_threads(parser, "share a diffusion model's steps (default: 1); same samples")
    add("--play", action="store_true", help="play it while it is made")
    add("--output-device", metavar="DEV", help="with --play: number or part of a name")
    add("--plot", metavar="PNG", help="draw the mel and that of the output (needs matplotlib)")
    add("-q", "--quiet", action="store_true", help="only warnings and errors")


def run(args: argparse.Namespace) -> int:
    _check_call(args)
    import rtaudio
    from rtaudio.cli.vocode_input import MelFile, Recording
    from rtaudio.runtime.registry import DEFAULT_VOCODER
    from rtaudio.runtime.vocoder import Vocoder

    model = rtaudio.load(
        args.model or DEFAULT_VOCODER, precision=args.precision, device=args.device
    )
    vocoder = Vocoder(
        model,
        seed=args.seed,
        block_frames=args.block_frames,
        steps=args.steps,
        threads=args.threads,
    )
    who = "rtaudio vocode"
    with catch_interrupts() as interrupt, Reporter(who, quiet=args.quiet, num_files=1) as report:
        mel: MelFile | Recording
        if args.input.suffix.lower() == ".npy":
            mel = MelFile(args.input, args.mel_preset, vocoder)
        else:
            mel = Recording(args.input, vocoder, report)
        finished = _vocode(args, vocoder, mel, interrupt, report)
    if not finished:
        return fail(who, "interrupted; no unfinished output was left", INTERRUPTED)
    return DONE


def _check_call(args: argparse.Namespace) -> None:
    if args.output is None and not args.play:
        raise UsageError("say where the speech goes: -o OUT, --play, or both")
    if args.output_device is not None and not args.play:
        raise UsageError("--output-device is for --play")
    is_mel = args.input.suffix.lower() == ".npy"
    if args.mel_preset is not None and not is_mel:
        raise UsageError("--mel-preset says what a .npy file holds; a recording is analysed anew")
    if args.output is not None and real_path(args.output) == real_path(args.input):
        raise UsageError(f"-o {args.output} is the input; an input is never overwritten")
    if args.plot is not None:
        if not args.plot.lower().endswith(".png"):
            raise UsageError(f"--plot writes PNG, so {args.plot!r} must end in .png")
        from rtaudio.demo.plot import check_matplotlib

        check_matplotlib()


def _vocode(
    args: argparse.Namespace,
    vocoder: Vocoder,
    mel: MelFile | Recording,
    interrupt: Interrupt,
    report: Reporter,
) -> bool:
    """False where it was interrupted: then there is no output."""
    from rtaudio.cli.vocode_input import blocks

    frames = mel.num_frames and mel.num_frames * vocoder.hop
    sink = _open_sink(args, vocoder, frames)
    bar = report.begin(str(args.input), frames)
    kept = _Kept()
    pieces = mel.pieces() if args.plot is None else kept.through(mel.pieces())
    busy, made = 0.0, 0
    try:
        with _speaker(args, vocoder) as speaker:
            chunks = vocoder.stream(blocks(pieces, vocoder.block_frames))
            while not interrupt():
                started = time.perf_counter()
                chunk = next(chunks, None)
                busy += time.perf_counter() - started
                if chunk is None:
                    break
                made += len(chunk)
                bar(made)
                if args.plot is not None:
                    kept.samples.append(chunk)
                if sink is not None:
                    sink.write(chunk[:, None])
                if speaker is not None:
                    speaker.write(chunk)
            if interrupt():
                return False
            if sink is not None:
                sink.commit()
                sink = None
            if speaker is not None:
                _play_out(speaker, interrupt, report)
    finally:
        bar.close()
        if sink is not None:
            sink.abort()
    seconds = made / vocoder.sample_rate
    to = f" -> {args.output}" if args.output is not None else ""
    report.say(
        f"{args.input}{to}: {seconds:.2f} s of speech in {busy:.2f} s (RTF {busy / seconds:.3f}), "
        f"{vocoder.model.name}, seed {vocoder.seed}"
    )
    if args.plot is not None:
        _plot(args, vocoder, kept)
    return True


class _Kept:
    """For a picture alone: all that went in and came out."""

    def __init__(self) -> None:
        self.mels: list[NDArray[np.float32]] = []
        self.samples: list[NDArray[np.float32]] = []

    def through(self, pieces: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for piece in pieces:
            self.mels.append(piece)
            yield piece


def _open_sink(args: argparse.Namespace, vocoder: Vocoder, frames: int | None) -> FileSink | None:
    from rtaudio.io import FileSink

    if args.output is None:
        return None
    return FileSink(args.output, sample_rate=vocoder.sample_rate, channels=1, frames=frames)


@contextlib.contextmanager
def _speaker(args: argparse.Namespace, vocoder: Vocoder) -> Iterator[Speaker | None]:
    if not args.play:
        yield None
        return
    from rtaudio.live import Speaker

    with Speaker(vocoder.sample_rate, device=args.output_device) as speaker:
        yield speaker


def _play_out(speaker: Speaker, interrupt: Interrupt, report: Reporter) -> None:
    """Waits for the end of the sound, or for Ctrl-C, which fades it out."""
    speaker.finish(stop=interrupt)
    if speaker.underflows:
        report.warn(
            f"the sound broke off {speaker.underflows} times: the machine makes speech too slowly"
        )


def _plot(args: argparse.Namespace, vocoder: Vocoder, kept: _Kept) -> None:
    import numpy as np

    from rtaudio.demo.plot import save_mel_plot
    from rtaudio.dsp.mel import mel_spectrogram

    mel = np.concatenate(kept.mels, axis=1)
    made = mel_spectrogram(np.concatenate(kept.samples), vocoder.preset, dtype=np.float32)
    title = f"{args.input.name}, {vocoder.model.name}"
    hop_seconds = vocoder.hop / vocoder.sample_rate
    save_mel_plot(Path(args.plot), title, mel, made[:, : mel.shape[1]], hop_seconds)
