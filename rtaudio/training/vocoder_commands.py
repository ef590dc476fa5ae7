"""What the commands of `python -m rtaudio.training vocoder ...` do, given their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rtaudio.models.rt_wavenet import RtWaveNet

from .commands import DONE, INTERRUPTED, SEE_CARD, UsageError, limit_threads, noted_interrupt


def voices(args: argparse.Namespace) -> int:
    from .voices import synthesise

    if not args.packs.is_dir():
        raise UsageError(f"--packs {args.packs}: no such folder; give one of voice packs (*.bin)")
    synthesise(args.packs, args.output, args.minutes)
    return DONE


def data(args: argparse.Namespace) -> int:
    from .vocoder_data import build

    if not args.speech.is_dir():
        raise UsageError(f"--speech {args.speech}: no such folder; give one with a folder a voice")
    build(args.cache, args.speech, RtWaveNet())
    return DONE


def train(args: argparse.Namespace) -> int:
    import torch

    from .vocoder_data import Segments, load_voices
    from .vocoder_loop import VocoderTrainConfig, VocoderTrainer, dev_batch, dev_loss
    from .vocoder_network import read_network

    if args.resume is None and (args.run / "last.pt").exists():
        raise UsageError(
            f"{args.run} holds a run; give --resume {args.run}/last.pt, or a new --run"
        )
    limit_threads(args.threads)
    torch.manual_seed(args.seed)
    model = RtWaveNet()
    train_voices, dev = (load_voices(args.cache, model, split) for split in ("train", "dev"))
    config = VocoderTrainConfig(
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        checkpoint_minutes=args.checkpoint_minutes,
        compile_loss=args.compile,
        bfloat16=args.bfloat16,
    )
    try:
        trainer = VocoderTrainer(model, config, args.device, args.seed)
    except (RuntimeError, AssertionError):
        raise UsageError(f"--device {args.device}: torch has no such device here") from None
    if args.resume is not None:
        read_network(args.resume)  # says what is wrong with it
        trainer.load(args.resume)
    elif args.init is not None:
        trainer.start_from(read_network(args.init))
    else:
        trainer.fit_levels(train_voices)
    if trainer.seconds >= 60 * config.minutes:
        raise UsageError(
            f"--minutes {args.minutes:g}: {args.resume} has {trainer.seconds / 60:.1f} behind it"
        )
    batch = dev_batch(dev, model)

    def score(path: Path) -> None:
        losses = dev_loss(read_network(path).to(args.device), batch, trainer.warm)
        row = ",".join([path.name, *(f"{value:.4f}" for value in (losses.mean(), *losses))])
        table = args.run / "dev.csv"
        if not table.exists():
            bands = ",".join(f"band_{i}" for i in range(model.bands))
            table.write_text(f"file,nats_per_sample,{bands}\n")
        with table.open("a") as out:
            out.write(row + "\n")
        print(row, flush=True)

    # Later parts of a run see other segments.
    segments = Segments(train_voices, model, seed=1000 * args.seed + trainer.step)
    with noted_interrupt() as stop:
        trainer.run(segments, args.run, stop=stop, on_checkpoint=score)
        if stop():
            print(f"stopped at step {trainer.step}; --resume {args.run / 'last.pt'} goes on")
            return INTERRUPTED
    return DONE


def export(args: argparse.Namespace) -> int:
    from .vocoder_export import export_model
    from .vocoder_network import read_network

    network = read_network(args.checkpoint)
    metadata = {"license": SEE_CARD, "training_data": SEE_CARD}
    if args.metrics:
        metadata["metrics"] = args.metrics
    export_model(network.state_dict(), network.config, args.output, metadata)
    return DONE


def score(args: argparse.Namespace) -> int:
    import soundfile

    import rtaudio

    from .recipe import DEV_VOICES
    from .vocoder_score import HEADER, Clip, DistillMos, griffin_lim, read_clips
    from .vocoder_score import score as score_clips

    limit_threads(args.threads)
    vocoder = rtaudio.Vocoder(args.model)
    preset = vocoder.preset
    names = args.voices or DEV_VOICES
    clips = read_clips([args.speech / name for name in names], args.clips, preset)
    systems = {
        "recording": lambda clip: clip.x,
        "griffin-lim": lambda clip: griffin_lim(clip.mel, preset),
        vocoder.model.name: lambda clip: vocoder(clip.mel),
    }
    mos = DistillMos()
    print(HEADER, flush=True)
    for name, system in systems.items():

        def heard(clip: Clip, name: str = name, system: Any = system) -> Any:
            y = system(clip)
            if args.keep is not None:
                args.keep.mkdir(parents=True, exist_ok=True)
                path = args.keep / f"{clip.name.replace('/', '-')}.{name}.wav"
                soundfile.write(path, y, preset.sample_rate)
            return y

        values = score_clips(clips, preset, heard, mos)
        print(",".join([name, *(f"{value:.3f}" for value in values.values())]), flush=True)
    return DONE
