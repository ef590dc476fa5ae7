"""What the commands of `python -m rtaudio.training vocoder ...` do, given their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rtaudio.models.rt_wavenet import RtWaveNet

from .commands import (
    DONE,
    SEE_CARD,
    UsageError,
    begin_run,
    check_speech,
    limit_threads,
    on_device,
    resume,
    run,
)


def voices(args: argparse.Namespace) -> int:
    from .voices import synthesise

    if not args.packs.is_dir():
        raise UsageError(f"--packs {args.packs}: no such folder; give one of voice packs (*.bin)")
    synthesise(args.packs, args.output, args.minutes)
    return DONE


def data(args: argparse.Namespace) -> int:
    from .vocoder_data import build
    from .vocoder_network import band_centres

    check_speech(args.speech)
    model = RtWaveNet()
    build(args.cache, args.speech, model, band_centres(model), args.recordings)
    return DONE


def train(args: argparse.Namespace) -> int:
    from .recordings import SegmentConfig
    from .vocoder_data import Segments, load_voices
    from .vocoder_loop import LOSSES, VocoderTrainConfig, VocoderTrainer, dev_batch
    from .vocoder_network import read_network

    begin_run(args)
    model, sound = RtWaveNet(), args.part == "sound"
    train_voices, dev = (load_voices(args.cache, model, split) for split in ("train", "dev"))
    config = VocoderTrainConfig(
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        checkpoint_minutes=args.checkpoint_minutes,
        bfloat16=args.bfloat16,
    )
    trainer = on_device(
        args, lambda: VocoderTrainer(model, config, args.device, args.seed, sound=sound)
    )
    if args.resume is not None:
        read_network(args.resume)  # says what is wrong with it
        resume(args, trainer)
    elif args.init is not None:
        trainer.start_from(read_network(args.init))
    elif sound:
        raise UsageError("sound needs --init with a checkpoint of frames, or --resume")
    else:
        trainer.begin(train_voices)
    batch = tuple(each.to(args.device) for each in dev_batch(dev, model))

    def score(path: Path) -> str:
        losses = trainer.dev_losses(read_network(path).to(args.device), batch)
        return ",".join([path.name, *(f"{value:.4f}" for value in losses)])

    # Later parts of a run see other segments.
    segments = Segments(
        train_voices,
        model,
        seed=1000 * args.seed + trainer.step,
        config=SegmentConfig(batch_size=3 if sound else 8),
    )
    return run(args, trainer, segments, f"file,{','.join(LOSSES[sound])}", score)


def export(args: argparse.Namespace) -> int:
    from .vocoder_export import export_model
    from .vocoder_network import read_network

    network = read_network(args.checkpoint)
    metadata = {"license": SEE_CARD, "training_data": SEE_CARD}
    if args.metrics:
        metadata["metrics"] = args.metrics
    export_model(network, args.output, metadata)
    return DONE


def score(args: argparse.Namespace) -> int:
    import soundfile

    import rtaudio

    from .recipe import DEV_VOICES
    from .vocoder_score import HEADER, Clip, FloatArray, Judges, griffin_lim, read_clips, world
    from .vocoder_score import score as score_clips

    limit_threads(args.threads)
    vocoders = [rtaudio.Vocoder(args.model, steps=n) for n in args.steps or [None]]
    preset = vocoders[0].preset
    names = args.voices or DEV_VOICES
    clips = read_clips([args.speech / name for name in names], args.clips, preset)
    systems: dict[str, Callable[[Clip], FloatArray]] = {
        "recording": lambda clip: clip.x,
        "griffin-lim": lambda clip: griffin_lim(clip.mel, preset),
        "world": lambda clip: world(clip.x, preset.sample_rate),
    }
    for vocoder, steps in zip(vocoders, args.steps or [""], strict=True):
        name = f"{vocoder.model.name} {steps}".rstrip()
        systems[name] = partial(lambda vocoder, clip: vocoder(clip.mel), vocoder)
    judges = Judges()
    print(HEADER, flush=True)
    for name, system in systems.items():

        def heard(clip: Clip, name: str = name, system: Any = system) -> Any:
            y = system(clip)
            if args.keep is not None:
                args.keep.mkdir(parents=True, exist_ok=True)
                path = args.keep / f"{clip.name.replace('/', '-')}.{name}.wav"
                soundfile.write(path, y, preset.sample_rate)
            return y

        values = score_clips(clips, preset, heard, judges)
        print(",".join([name, *(f"{value:.3f}" for value in values.values())]), flush=True)
    return DONE
