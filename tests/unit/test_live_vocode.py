"""`rtaudio live vocode`: steps, seed and precision reach the sound, and the seed is all of its
chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rtaudio.live
from rtaudio import Model, Vocoder, _native
from rtaudio.bench.diffusion_nets import random_priorgrad
from rtaudio.cli.main import main
from rtaudio.errors import RtaudioError
from rtaudio.graph import save_model
from rtaudio.live import LiveConfig
from rtaudio.models.steps import num_steps

from .vocoders import tiny_model

RATE, BLOCK = 22_050, 256


def live_engine(model: Model, **options: Any) -> _native.LiveEngine:
    return _native.LiveEngine(
        model=(model.native(RATE), RATE, []),
        sample_rate=RATE,
        block=BLOCK,
        input_channels=1,
        output_channels=1,
        lanes=1,
        placement="inline",
        ramp_seconds=0.005,
        record_seconds=0,
        **options,
    )


def test_the_engine_gives_the_bits_of_a_stream_with_its_seed() -> None:
    model = Vocoder(tiny_model(), preset="hifigan22").live_model()
    x = 0.3 * np.random.default_rng(0).standard_normal((40 * BLOCK, 1)).astype(np.float32)
    heard = {}
    for seed in (0, 7):
        stream = model.stream(seed=seed, block_samples=BLOCK)
        expected = np.clip(stream.process(x), -1.0, 1.0)
        engine = live_engine(model, seed=seed)
        heard[seed] = engine.process(x)
        assert heard[seed].tobytes() == expected.tobytes()
        engine.reset()  # begins anew, with the seed that it had
    assert (heard[0] != heard[7]).any()
    assert live_engine(model).process(x).tobytes() == heard[0].tobytes()


def test_the_command_s_options_reach_the_engine(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = random_priorgrad()
    path = tmp_path / "own.safetensors"
    save_model(path, made.graph, made.tensors, made.metadata)

    asked: list[tuple[int, int, str]] = []

    def note(model: Model, config: LiveConfig, **_: Any) -> None:
        asked.append((num_steps(model.graph), config.seed, model.precision))
        raise RtaudioError("no sound in this test.")

    monkeypatch.setattr(rtaudio.live, "Live", note)
    assert main(["live", str(path), "--steps", "2", "--seed", "5", "--precision", "bf16"]) == 1
    assert main(["live", str(path)]) == 1
    assert asked == [(2, 5, "bf16"), (4, 0, "fp32")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["denoise", "--seed", "1"], "--seed is for vocoders"),
        (["denoise", "--steps", "2"], "--steps is for vocoders"),
        (["vocode", "--seed", "4294967296"], "whole number of 0 to 4294967295"),
        (["vocode", "--seed", "x"], "whole number of 0 to"),
    ],
)
def test_seeds_that_mean_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["live", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_seed_is_of_32_bits() -> None:
    with pytest.raises(RtaudioError, match="the seed is 4294967296"):
        LiveConfig(seed=1 << 32).check()
