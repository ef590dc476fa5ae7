"""What the commands of `python -m rtaudio.training diffusion-...` do, given their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path

from rtaudio.models.rt_priorgrad import RtPriorGrad

from .commands import DONE, SEE_CARD, begin_run, check_speech, on_device, resume, run


def data(args: argparse.Namespace) -> int:
    from .vocoder_data import build

    check_speech(args.speech)
    model = RtPriorGrad()
    build(args.cache, args.speech, model, model.preset.centres, args.recordings)
    return DONE


def train(args: argparse.Namespace) -> int:
    from .diffusion_loop import (
        LOSSES,
        DiffusionTrainConfig,
        DiffusionTrainer,
        dev_batch,
        dev_losses,
        make_network,
        read_network,
    )
    from .recordings import SegmentConfig
    from .vocoder_data import Segments, load_voices

    begin_run(args)
    model = RtPriorGrad()
    voices, dev = (load_voices(args.cache, model, split) for split in ("train", "dev"))
    config = DiffusionTrainConfig(
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        checkpoint_minutes=args.checkpoint_minutes,
        compile_loss=args.compile,
        bfloat16=args.bfloat16,
    )
    frames = args.part == "frames"
    trainer = on_device(
        args, lambda: DiffusionTrainer(model, config, args.device, args.seed, frames=frames)
    )
    if args.resume is not None:
        read_network(args.resume, make_network(model))  # says what is wrong with it
        resume(args, trainer)
    elif args.init is not None:
        trainer.start_from(args.init)
    batch = dev_batch(dev, model)

    def score(path: Path) -> str:
        losses = dev_losses(read_network(path, make_network(model)), model, batch)
        return ",".join([path.name, *(f"{loss:.5f}" for loss in losses)])

    # Later parts of a run see other segments.
    segments = Segments(
        voices,
        model,
        seed=1000 * args.seed + trainer.step,
        config=SegmentConfig(frames=64 if frames else 36),
    )
    return run(args, trainer, segments, f"file,{','.join(LOSSES)}", score)


def export(args: argparse.Namespace) -> int:
    from rtaudio.graph import save_model

    from .diffusion_loop import make_network, read_network

    model = RtPriorGrad()
    network = read_network(args.checkpoint, make_network(model))
    metadata = {
        "name": "rt-priorgrad-24k",
        "description": "causal DiffWave of eight samples a column over pulses, PriorGrad's noise",
        "mel_preset": model.mel,
        "license": SEE_CARD,
        "training_data": SEE_CARD,
    }
    if args.metrics:
        metadata["metrics"] = args.metrics
    save_model(args.output, network.graph, network.export(), metadata)
    return DONE
