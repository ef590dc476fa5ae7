"""`rtaudio import`: a network that others trained, as a model file of ours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rtaudio.cli.arguments import from_zero
from rtaudio.cli.main import UsageError

if TYPE_CHECKING:
    from rtaudio.models.importers import Imported

DESCRIPTION = """\
Make a model file from the ONNX files that the packages of other networks carry, from
a .nam file (Neural Amp Modeler) of WaveNet type, from a checkpoint of
r9y9/wavenet_vocoder and its hparams, from one of the packages diffwave and wavegrad
(with the betas of its noise schedule, if you like), or from one of PriorGrad and the
file of its least energy. A diffusion vocoder is tried on half a second of speech:
does it know mels as they are scaled here? `rtaudio models` lists the networks and
their packages. Models named to other commands (-m dtln) are imported by themselves;
this is for files from elsewhere.
"""
USAGE = "%(prog)s [options] FILE|NAME [FILE ...]"
EPILOG = """\
examples:
  rtaudio import dtln -o dtln.safetensors            from the installed package
  rtaudio import model_1.onnx model_2.onnx           writes dtln.safetensors
  rtaudio import amp.nam                             writes amp.safetensors
  rtaudio import checkpoint.pth hparams.json         writes checkpoint.safetensors
  rtaudio import many.pth hparams.json --speaker 3   one voice of several
  rtaudio import diffwave-weights.pt                 writes diffwave-weights.safetensors
  rtaudio import priorgrad.pt energy_min_train.npy   writes priorgrad.safetensors
  rtaudio import wavegrad-24kHz.pt -p wavegrad24     its weights are of 24 kHz

exit codes: 0 done, 1 a file that cannot be imported, 2 a wrong call
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("inputs", nargs="*", metavar="FILE|NAME", help="a network's files, or its name")
    add("--no-check", action="store_true", help="do not try which mels a diffusion vocoder knows")
    add("-o", "--output", metavar="OUT", help="model file (default: NAME.safetensors)")
    add("-p", "--mel-preset", metavar="NAME", help="of a diffusion vocoder's mels, if not as its "
        "checkpoint says")  # fmt: skip
    add("--speaker", type=from_zero, metavar="N", help="whose voice, of a WaveNet of several: "
        "0, 1 ...")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if not args.inputs:
        raise UsageError(
            "name an ONNX, .nam or .pth file, or a network that `rtaudio models` lists"
        )
    if args.output is not None and Path(args.output).suffix != ".safetensors":
        raise UsageError(f"-o {args.output}: a model file's name ends in .safetensors")
    from rtaudio.graph import save_model
    from rtaudio.io.sink import write_error
    from rtaudio.models.importers import IMPORTERS
    from rtaudio.runtime.imported import import_any, import_installed

    paths = [Path(each) for each in args.inputs]
    if len(paths) == 1 and args.inputs[0] in IMPORTERS and not paths[0].is_file():
        for option, value in (("-p", args.mel_preset), ("--speaker", args.speaker)):
            if value is not None:
                raise UsageError(f"{option} is for checkpoints; {args.inputs[0]} has no choice")
        imported = import_installed(IMPORTERS[args.inputs[0]])
    else:
        imported = import_any(paths, args.mel_preset, args.speaker)
    name = imported.metadata["name"]
    default = paths[0].stem if paths[0].suffix.lower() == ".nam" else name
    output = Path(args.output or f"{default}.safetensors")
    try:
        save_model(output, imported.graph, imported.tensors, imported.metadata)
    except OSError as error:
        raise write_error(output, error) from None
    size = output.stat().st_size / 1e6
    rate = imported.graph.sample_rate
    print(
        f"{output}: {name}, {rate:,} Hz, {imported.graph.num_parameters:,} parameters, "
        f"{size:.1f} MB, licence {imported.metadata['license']}"
    )
    if not args.no_check:
        _check_mels(imported)
    return 0


def _check_mels(imported: Imported) -> None:
    """Says whether the network makes speech of the mels that its file names."""
    from rtaudio.models.steps import num_steps
    from rtaudio.runtime.mel_check import check_mel_scaling, shipped_speech
    from rtaudio.runtime.model import Model

    if "mel_preset" not in imported.metadata or not num_steps(imported.graph):
        return
    preset = imported.metadata["mel_preset"]
    model = Model.from_graph(imported.graph, imported.tensors, precision="bf16dot")
    check = check_mel_scaling(model, preset, *shipped_speech())
    told = "" if check.trusted else "warning: "
    print(f"mels of {preset}: {told}{check.sentence}")
