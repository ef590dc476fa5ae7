"""What the commands of `python -m rtaudio.training diffusion-...` do, given their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path

from rtaudio.models.rt_priorgrad import RtPriorGrad

from .commands import DONE, INTERRUPTED, SEE_CARD, UsageError, limit_threads, noted_interrupt


def data(args: argparse.Namespace) -> int:
    from .diffusion_data import build

    if not args.speech.is_dir():
        raise UsageError(f"--speech {args.speech}: no such folder; give one with a folder a voice")
    build(args.cache, args.speech, RtPriorGrad())
    return DONE


def train(args: argparse.Namespace) -> int:
    import torch

    from .diffusion_data import Segments, load_voices
    from .diffusion_loop import (
        DiffusionTrainConfig,
        DiffusionTrainer,
        dev_batch,
        dev_loss,
        make_network,
        read_network,
    )

    if args.resume is None and (args.run / "last.pt").exists():
        raise UsageError(
            f"{args.run} holds a run; give --resume {args.run}/last.pt, or a new --run"
        )
    limit_threads(args.threads)
    torch.manual_seed(args.seed)
    model = RtPriorGrad()
    voices, dev = (load_voices(args.cache, model, split) for split in ("train", "dev"))
    config = DiffusionTrainConfig(
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        checkpoint_minutes=args.checkpoint_minutes,
        compile_loss=args.compile,
        bfloat16=args.bfloat16,
    )
    try:
        trainer = DiffusionTrainer(model, config, args.device, args.seed)
    except (RuntimeError, AssertionError):
        raise UsageError(f"--device {args.device}: torch has no such device here") from None
    if args.resume is not None:
        read_network(args.resume, make_network(model))  # says what is wrong with it
        trainer.load(args.resume)
    elif args.init is not None:
        trainer.start_from(args.init)
    if trainer.seconds >= 60 * config.minutes:
        raise UsageError(
            f"--minutes {args.minutes:g}: {args.resume} has {trainer.seconds / 60:.1f} behind it"
        )
    batch = dev_batch(dev, model)

    def score(path: Path) -> None:
        row = f"{path.name},{dev_loss(read_network(path, make_network(model)), model, batch):.5f}"
        table = args.run / "dev.csv"
        if not table.exists():
            table.write_text("file,loss\n")
        with table.open("a") as out:
            out.write(row + "\n")
        print(row, flush=True)

    # Later parts of a run see other segments.
    segments = Segments(voices, model, seed=1000 * args.seed + trainer.step)
    with noted_interrupt() as stop:
        trainer.run(segments, args.run, stop=stop, on_checkpoint=score)
        if stop():
            print(f"stopped at step {trainer.step}; --resume {args.run / 'last.pt'} goes on")
            return INTERRUPTED
    return DONE


def export(args: argparse.Namespace) -> int:
    from rtaudio.graph import save_model

    from .diffusion_loop import make_network, read_network

    model = RtPriorGrad()
    network = read_network(args.checkpoint, make_network(model))
    metadata = {
        "name": "rt-priorgrad-24k",
        "description": "causal DiffWave of four samples a column with PriorGrad's noise",
        "mel_preset": model.mel,
        "license": SEE_CARD,
        "training_data": SEE_CARD,
    }
    if args.metrics:
        metadata["metrics"] = args.metrics
    save_model(args.output, network.graph, network.export(), metadata)
    return DONE
