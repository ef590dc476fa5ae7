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
from rtaudio.graph.oscillator import HIGHEST, LOWEST
from rtaudio.models.rt_wavenet import rt_wavenet
from rtaudio.nn import Net
from rtaudio.nn.streams import pulses
from rtaudio.training import recordings, vocoder_commands, vocoder_data, vocoder_network
from rtaudio.training.__main__ import main
from rtaudio.training.recipe import DEV_VOICES
from rtaudio.training.vocoder_export import graph_tensors
from rtaudio.training.vocoder_loss import source
from rtaudio.training.vocoder_network import fit_levels
from rtaudio.training.vocoder_pitch import phases, without_gaps
from rtaudio.training.vocoder_score import griffin_lim, mel_distance

from .vocoders import (
    hear_envelopes,
    hear_harvest,
    speech_like_mel,
    tiny_config,
    tiny_network,
)

RATE = 24_000


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for voice in ("af_ada", DEV_VOICES[0]):
        (folder / "voices" / voice).mkdir(parents=True)
        x = 0.3 * speech_like(RATE, 2.0)
        soundfile.write(folder / "voices" / voice / "0000.wav", x, RATE)
    call = ["vocoder-data", "--speech", folder / "voices", "--cache", folder]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocoder_commands, "RtWaveNet", tiny_config)
        patch.setattr(vocoder_data, "check_world", lambda: None)
        patch.setattr(recordings, "harvest", hear_harvest)
        patch.setattr(vocoder_data, "envelopes", hear_envelopes)
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
    run = tmp_path / "frames"
    assert train(cache, run, "--minutes", 0.01) == 0
    header, row = (run / "dev.csv").read_text().splitlines()
    assert header == "file,pitch,voicing,pulses,noise"
    assert np.isfinite([float(each) for each in row.split(",")[1:]]).all()
    before = torch.load(run / "last.pt", weights_only=True)
    assert train(cache, run, "--minutes", 1) == 2  # a run is not overwritten
    more = ["--resume", run / "last.pt", "--minutes", before["seconds"] / 60 + 0.01]
    assert train(cache, tmp_path / "on", *more) == 0
    on = torch.load(tmp_path / "on/last.pt", weights_only=True)
    assert on["step"] > before["step"]
    assert torch.equal(on["model"]["level_weight"], before["model"]["level_weight"])
    sound = ["--part", "sound", "--minutes", 0.01]
    assert train(cache, tmp_path / "no", *sound) == 2  # frames come first
    assert train(cache, tmp_path / "sound", *sound, "--init", run / "last.pt") == 0
    assert (tmp_path / "sound/dev.csv").read_text().startswith("file,distance,without_the_stack\n")
    learned = torch.load(tmp_path / "sound/last.pt", weights_only=True)
    assert torch.equal(learned["model"]["shape.weight"], before["average"]["shape.weight"])
    assert learned["model"]["out.weight"].abs().max() > 0  # where it was zero
    average = next(run.glob("average_*.pt"))
    capsys.readouterr()
    for path, words in ((average, "give last.pt, or --init"), (run / "last.pt", "other parts")):
        assert train(cache, tmp_path / "no", *sound, "--resume", path) == 2
        assert words in capsys.readouterr().err
    path = tmp_path / "model.safetensors"
    assert main(["vocoder-export", str(tmp_path / "sound/last.pt"), "-o", str(path)]) == 0
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
    network = tiny_network(1).double()
    config, tensors = network.config, graph_tensors(network)
    (loud,) = (name for name in tensors if name.endswith("in_turn.weight"))
    tensors[loud] *= 0  # the noise is another one
    mel = torch.from_numpy(speech_like_mel(12)).double()[None]
    with torch.no_grad():
        logits, voicing = network.hear(mel)
        turns = network.turns(logits.double())
        expected = Net(rt_wavenet(config), tensors).double()(mel)[0, 0]
        # Lines from each frame's pitch to the next, and to zero after the last.
        at = np.arange(12 * config.preset.hop) / config.preset.hop
        line = np.interp(at, np.arange(13), np.append(turns[0].numpy(), 0.0))
        f = torch.from_numpy(line)[None].clamp(LOWEST, HIGHEST)
        source = pulses(f, f.cumsum(1) - f)
        made = network(mel, voicing.double(), source, torch.zeros_like(source))[0]
    assert made.std() > 1e-3
    assert (made - expected).abs().max() < 1e-4 * made.abs().max()


def test_the_source_follows_the_recordings_fundamental():
    """A voice whose pitch WORLD hears a little wrong: its pulses stay in step all the same."""
    rate, hop, seconds = 22_050, 256, 1.5
    t = np.arange(int(rate * seconds)) / rate
    turns = 140 * t + 4 * np.sin(2 * np.pi * 1.3 * t)
    x = (0.3 * np.cos(2 * np.pi * turns) + 0.1 * np.cos(4 * np.pi * turns)).astype(np.float32)
    f0 = np.gradient(turns, t)[::hop].astype(np.float32) * 1.003
    f0[40:50] = 0
    phase = phases(x, f0, rate, hop)
    off = (phase - turns[::hop] + 0.5) % 1 - 0.5
    assert np.abs(off[4:-4]).max() < 0.05
    pitch = torch.from_numpy(without_gaps(f0) / rate)[None]
    made = source(pitch, torch.from_numpy(phase)[None], hop)[0].numpy()[: len(x)]
    peaks = np.flatnonzero(made > 0.5 * made.max())
    assert len(peaks) > 150
    assert np.abs((turns[peaks] + 0.5) % 1 - 0.5).max() < 0.06


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
