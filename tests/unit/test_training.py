"""The commands of `python -m rtaudio.training` on a cache of a few seconds."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

import rtaudio
from rtaudio.bench.denoise import test_signal as speech_like
from rtaudio.training import dataset, recipe
from rtaudio.training.__main__ import main
from rtaudio.training.checkpoint import denoiser, make_network, read_checkpoint
from rtaudio.training.dev_set import Clip
from rtaudio.training.score import CSV_HEADER

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000


def write_pool(folder: Path, signals: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True)
    items, start = [], 0
    for group, x in signals.items():
        items.append((group, start, len(x)))
        start += len(x)
    joined = np.concatenate(list(signals.values()))
    np.save(folder / "samples.npy", np.round(joined * 20_000).astype(np.int16))
    (folder / "items.json").write_text(json.dumps(items))


def write_dev_set(cache: Path) -> None:
    rng = np.random.default_rng(3)
    clean = speech_like(RATE, 2.0)
    noise = (0.02 * rng.standard_normal(clean.size)).astype(np.float32)
    clips = [
        (Clip(name="0", kind="slide", talker="a", snr_db=5.0), clean + noise, clean),
        (Clip(name="1", kind="vehicle", talker="b", snr_db=10.0), clean + noise / 2, clean),
        (Clip(name="2", kind="clean", talker="a", snr_db=99.0), clean, clean),
        (Clip(name="3", kind="noise-only", talker="", snr_db=-99.0), noise, 0 * noise),
    ]
    np.savez(
        cache / "dev.npz",
        clips=json.dumps([asdict(clip) for clip, _, _ in clips]),
        noisy=np.stack([noisy for _, noisy, _ in clips]),
        clean=np.stack([clean for _, _, clean in clips]),
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(1)
    voices = {name: speech_like(RATE, 4.0) for name in ("ada", "bob")}
    write_pool(folder / "pools/speech_train", voices)
    write_pool(folder / "pools/noise_train", {"work": 0.1 * rng.standard_normal(3 * RATE)})
    np.savez(folder / "rooms.npz", np.r_[1.0, np.zeros(200), 0.3].astype(np.float32))
    write_dev_set(folder)
    for kind in ("speech", "noise"):
        call = ["render", kind, "--count", 1, "--segments", 2, "--seed", 5, "--cache", folder]
        assert main([str(each) for each in call]) == 0
    return folder


@pytest.fixture(scope="module")
def run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    call = ["train", "--minutes", 0.001, "--cache", cache, "--run", folder, "--threads", 1]
    assert main([str(each) for each in call]) == 0
    return folder


def test_train_leaves_checkpoints_and_scores(run):
    average = next(run.glob("average_*.pt"))
    assert read_checkpoint(average).step == read_checkpoint(run / "last.pt").step > 0
    shipped = ROOT / "rtaudio/training/checkpoints/rt-tcn-dev.csv"
    lines = (run / "dev.csv").read_text().splitlines()
    assert lines[0] == CSV_HEADER == shipped.read_text().splitlines()[0]
    row = next(csv.DictReader(lines))
    assert row["file"] == average.name
    assert float(row["pesq"]) == pytest.approx(
        (float(row["pesq_slide"]) + float(row["pesq_vehicle"])) / 2, abs=1e-3
    )
    assert np.isnan(float(row["pesq_babble"]))  # no such clip in this set


def test_score_repeats_the_row_of_training(run, cache, capsys):
    average = next(run.glob("average_*.pt"))
    assert main(["score", str(average), "--cache", str(cache), "--threads", "1"]) == 0
    assert capsys.readouterr().out == (run / "dev.csv").read_text()


def test_resume_goes_on_and_init_starts_anew(run, cache, tmp_path, capsys):
    last = run / "last.pt"
    before = torch.load(last, weights_only=True)
    common = ["--cache", str(cache), "--threads", "1"]
    again = ["train", "--resume", str(last), "--run", str(tmp_path / "on"), *common]
    assert main([*again, "--minutes", "0.001"]) == 2
    assert "behind it" in capsys.readouterr().err
    minutes = before["seconds"] / 60 + 0.001
    assert main([*again, "--minutes", str(minutes)]) == 0
    on = torch.load(tmp_path / "on/last.pt", weights_only=True)
    assert on["step"] > before["step"]
    assert on["seconds"] > before["seconds"]
    fresh = ["train", "--init", str(last), "--run", str(tmp_path / "new"), *common]
    assert main([*fresh, "--minutes", "0.001"]) == 0
    new = torch.load(tmp_path / "new/last.pt", weights_only=True)
    assert new["step"] == new["optimiser"]["state"][0]["step"] < on["step"]
    # A few steps of a warm-up move the weights by little: they are the ones given.
    name = "gain.weight"
    moved = (new["model"][name] - before["average"][name]).abs().max()
    assert moved < 0.1 * before["average"][name].abs().max()


def test_ctrl_c_saves_and_exits_130(cache, tmp_path, monkeypatch, capsys):
    drawn = []

    def interrupting(self, make=dataset.Mixer.batch):
        drawn.append(None)
        if len(drawn) == 4 + 3:  # four batches fit the features; then the third step
            os.kill(os.getpid(), signal.SIGINT)
        return make(self)

    monkeypatch.setattr(dataset.Mixer, "batch", interrupting)
    call = ["train", "--cache", str(cache), "--run", str(tmp_path / "run"), "--threads", "1"]
    assert main(call) == 130
    assert torch.load(tmp_path / "run/last.pt", weights_only=True)["step"] == 3
    assert "--resume" in capsys.readouterr().out
    assert main(call) == 2  # a folder with a run is not overwritten
    assert "--resume" in capsys.readouterr().err


def test_export_gives_the_network_that_was_trained(run, tmp_path):
    average = next(run.glob("average_*.pt"))
    path = tmp_path / "model.safetensors"
    assert main(["export", str(average), "-o", str(path), "--metrics", "none yet"]) == 0
    model = rtaudio.load(path)
    checkpoint = read_checkpoint(average)
    assert model.metadata["step"] == str(checkpoint.step)
    assert model.metadata["metrics"] == "none yet"
    x = speech_like(RATE, 1.0) + np.float32(0.01)
    expected = denoiser(make_network(checkpoint.core))(x)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(model(x, RATE), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["score", "absent.pt"], 1, "absent.pt"),
        (["score", "text.pt"], 1, "no checkpoint"),
        (["score", "other.pt"], 1, "other.pt"),
        (["export", "absent.pt", "-o", "x.safetensors"], 1, "absent.pt"),
        (["high-band", "absent.pt", "-o", "x.pt"], 1, "absent.pt"),
        (["train", "--init", "absent.pt"], 1, "absent.pt"),
        (["train", "--resume", "text.pt"], 1, "no checkpoint"),
        (["train", "--device", "nowhere"], 2, "nowhere"),
        (["render", "speech", "--cache", "nothing"], 1, "fetch"),
        (["train", "--cache", "nothing"], 1, "fetch"),
        (["fetch", "--speech", "nothing"], 2, "nothing"),
    ],
)
def test_wrong_calls_are_one_sentence(arguments, code, words, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("text.pt").write_text("not a checkpoint")
    torch.save({"weight": torch.zeros(3)}, "other.pt")
    if arguments[0] not in ("export",) and "--cache" not in arguments:
        arguments = [*arguments, "--cache", str(cache)]
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err


def test_fetch_says_which_package_failed(tmp_path, monkeypatch, capsys):
    def refuse(command, **_):
        raise subprocess.CalledProcessError(100, command)

    monkeypatch.setattr(recipe.subprocess, "run", refuse)
    call = ["fetch", "--speech", str(tmp_path), "--cache", str(tmp_path / "cache")]
    assert main(call) == 1
    assert f"apt-get download {recipe.PACKAGES[0]}" in capsys.readouterr().err


def test_shards_are_asked_for(tmp_path, capsys):
    write_dev_set(tmp_path)
    assert main(["train", "--cache", str(tmp_path), "--run", str(tmp_path / "run")]) == 1
    assert "render" in capsys.readouterr().err


def test_help_needs_no_torch():
    code = (
        "import sys\nfrom rtaudio.training.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "False"
    for command in ("fetch", "render", "train", "score", "high-band", "export"):
        assert command in done.stdout
