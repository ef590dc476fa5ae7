"""A vocoder fed with mels of another scaling is found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtaudio import load
from rtaudio.bench.diffusion_nets import diffwave_state
from rtaudio.cli.main import main
from rtaudio.dsp.presets import MEL_PRESETS
from rtaudio.runtime.mel_check import (
    MelCheck,
    candidates,
    check_mel_scaling,
    distance,
    shipped_speech,
)


def test_the_right_scaling_is_found_and_a_wrong_one_told() -> None:
    recording = shipped_speech()
    model = load("rt-wavenet")  # trained on mels of hifigan22
    right = check_mel_scaling(model, "hifigan22", *recording)
    assert right.best == "hifigan22"
    assert right.distances["hifigan22"] < 6
    assert right.trusted and "no other mel preset comes nearer" in right.sentence
    wrong = check_mel_scaling(model, "diffwave22", *recording)
    assert wrong.best == "hifigan22"
    assert not wrong.trusted
    assert "dB from those of hifigan22" in wrong.sentence


def test_a_network_that_knows_no_mel_is_told() -> None:
    check = MelCheck("diffwave22", {"diffwave22": 30.0, "hifigan22": 29.0})
    assert check.best == "diffwave22"
    assert not check.trusted
    assert "not trained, or on other mels" in check.sentence


def test_an_import_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    weights = {n: torch.from_numpy(v) for n, v in diffwave_state(2, 3).items()}
    torch.save({"model": weights, "params": {}}, tmp_path / "small.pt")
    out = ["-o", str(tmp_path / "small.safetensors")]
    assert main(["import", str(tmp_path / "small.pt"), *out]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[1].startswith("mels of diffwave22: warning: its speech is ")
    assert main(["import", str(tmp_path / "small.pt"), *out, "--no-check"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_each_scaling_is_tried_once() -> None:
    names = [preset.name for preset in candidates(MEL_PRESETS["diffwave22"])]
    assert names[0] == "diffwave22"
    assert "hifigan22" in names and "wavenet22" in names
    assert "tacotron22" not in names  # hifigan22's logarithms
    rates = {preset.sample_rate for preset in candidates(MEL_PRESETS["wavegrad22"])}
    assert rates == {22_050, 24_000}


def test_the_distance_is_in_decibels() -> None:
    x = 0.1 * np.random.default_rng(0).standard_normal(22_050).astype(np.float32)
    assert distance(x, x, 22_050) == 0.0
    assert distance(x, x / 2, 22_050) == pytest.approx(20 * np.log10(2), rel=1e-6)
    assert distance(x, 0 * x, 22_050) > 40
