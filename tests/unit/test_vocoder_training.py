"""The commands that train rt-wavenet, on a few seconds of two voices."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import rtaudio
from rtaudio.bench.denoise import test_signal as speech_like
from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.models.rt_wavenet import rt_wavenet
from rtaudio.nn import Net
from rtaudio.training import vocoder_commands, vocoder_data, vocoder_network
from rtaudio.training.__main__ import main
from rtaudio.training.recipe import DEV_VOICES
from rtaudio.training.vocoder_export import graph_tensors
from rtaudio.training.vocoder_network import VocoderNet, fit_levels
from rtaudio.training.vocoder_score import griffin_lim, mel_distance

from .vocoders import speech_like_mel, tiny_config

RATE = 24_000


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for voice in ("af_ada", DEV_VOICES[0]):
        (folder / "voices" / voice).mkdir(parents=True)
        x = 0.3 * speech_like(RATE, 1.5)
        soundfile.write(folder / "voices" / voice / "0000.wav", x, RATE)
    call = ["vocoder-data", "--speech", folder / "voices", "--cache", folder]
    assert main([str(each) for each in call]) == 0
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocoder_commands, "RtWaveNet", tiny_config)
    monkeypatch.setattr(vocoder_network, "RtWaveNet", tiny_config)


def train(cache: Path, run: Path, *more: object) -> int:
    call = ["vocoder-train", "--cache", cache, "--run", run, "--threads", 1, *more]
    return main([str(each) for each in call])


def test_train_resume_and_export(cache, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(cache, run, "--minutes", 0.01) == 0
    average = next(run.glob("average_*.pt"))
    header, row = (run / "dev.csv").read_text().splitlines()
    assert header == "file,nats_per_sample,band_0,band_1,band_2,band_3"
    values = [float(each) for each in row.split(",")[1:]]
    assert np.mean(values[1:]) == pytest.approx(values[0], abs=1e-3)
    before = torch.load(run / "last.pt", weights_only=True)
    assert train(cache, run, "--minutes", 1) == 2  # a run is not overwritten
    more = ["--resume", run / "last.pt", "--minutes", before["seconds"] / 60 + 0.01]
    assert train(cache, tmp_path / "on", *more) == 0
    on = torch.load(tmp_path / "on/last.pt", weights_only=True)
    assert on["step"] > before["step"]
    assert torch.equal(on["model"]["level_weight"], before["model"]["level_weight"])
    path = tmp_path / "model.safetensors"
    capsys.readouterr()
    assert main(["vocoder-export", str(average), "-o", str(path)]) == 0
    vocoder = rtaudio.Vocoder(path)
    assert vocoder.preset.name == "hifigan22"
    assert np.isfinite(vocoder(speech_like_mel(5))).all()
    assert train(cache, tmp_path / "no", "--resume", path) == 1
    assert "train it anew" in capsys.readouterr().err


def test_ctrl_c_saves(cache, tmp_path, monkeypatch, capsys):
    drawn = []

    def interrupting(self, make=vocoder_data.Segments.batch):
        drawn.append(None)
        if len(drawn) == 1 + 2:  # one batch is the development set; then the second step
            os.kill(os.getpid(), signal.SIGINT)
        return make(self)

    monkeypatch.setattr(vocoder_data.Segments, "batch", interrupting)
    assert train(cache, tmp_path / "run") == 130
    assert torch.load(tmp_path / "run/last.pt", weights_only=True)["step"] == 2
    assert "--resume" in capsys.readouterr().out


def test_voices_for_testing_are_refused(tmp_path, capsys):
    (tmp_path / "voices/am_onyx").mkdir(parents=True)
    call = ["vocoder-data", "--speech", tmp_path / "voices", "--cache", tmp_path]
    assert main([str(each) for each in call]) == 1
    assert "kept for testing" in capsys.readouterr().err


def test_the_exported_graph_is_the_network_that_was_trained():
    torch.manual_seed(0)
    config = tiny_config()
    network = VocoderNet(config)
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.3)
    network.level_weight.fill_(1e-4)
    mel = torch.from_numpy(speech_like_mel(6))[None]
    bands = 0.05 * torch.randn(1, 6 * config.steps_per_frame, config.bands)
    with torch.no_grad():
        mean, log_scale, target = network(mel, bands, torch.zeros_like(bands))
        # The graph also makes the last frame, which has no next one to look ahead to.
        values = torch.cat([target, torch.zeros(1, config.steps_per_frame, config.bands)], 1)
        graph = Net(rt_wavenet(config), graph_tensors(network.state_dict(), config)).double()
        expected = graph.parameters_of(mel.double(), values.transpose(1, 2).double())
    steps = target.shape[1]
    made = torch.cat([mean, log_scale], 2).double()
    expected = expected[:, :, :steps].transpose(1, 2)
    expected[..., config.bands :] = expected[..., config.bands :].clamp(-7, 4)
    assert made.std() > 0.1
    assert (made - expected).abs().max() < 1e-5


def test_griffin_lim_has_the_mel_it_was_given():
    preset = tiny_config().preset
    x = 0.2 * speech_like(preset.sample_rate, 0.6)
    mel = mel_spectrogram(x, preset, dtype=np.float32)
    y = griffin_lim(mel, preset, iterations=30)
    assert len(y) == mel.shape[1] * preset.hop
    assert mel_distance(mel, x, preset) < 1e-3
    assert mel_distance(mel, y, preset) < 2.0 < mel_distance(mel, 0.3 * y, preset)


def test_levels_follow_the_bands_power():
    rng = np.random.default_rng(0)
    power = np.exp(rng.normal(-6, 2, 400))
    power = np.convolve(power, np.ones(9) / 9, "same")
    mel = np.log(np.maximum(np.sqrt(power) * np.ones((3, 1)), 1e-5)).astype(np.float32)
    bands = rng.standard_normal((2, 400 * 8)) * np.sqrt(np.repeat(power, 8))
    weight = fit_levels(mel, bands.astype(np.float32), 8)
    assert (weight >= 0).all()
    made = np.log(weight.numpy() @ np.exp(2 * mel))
    assert np.abs(np.median(made - np.log(power), axis=1)).max() < 0.3
