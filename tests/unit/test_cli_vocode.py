"""`rtaudio vocode`: mels and recordings to speech, or one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaudio.cli import vocode_input
from rtaudio.cli.main import main
from rtaudio.graph import save_model
from rtaudio.models.rt_wavenet import rt_wavenet
from rtaudio.runtime.vocoder import Vocoder

from .vocoders import speech_like_mel, tiny_config, tiny_tensors


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    metadata = {"name": "tiny", "mel_preset": "hifigan22"}
    save_model(path, rt_wavenet(tiny_config()), tiny_tensors(), metadata)
    return path


def vocode(model: Path, *arguments: object) -> int:
    return main(["vocode", *map(str, arguments), "-m", str(model)])


def test_a_mel_becomes_speech(model, tmp_path, capsys):
    mel = speech_like_mel(12)
    np.save(tmp_path / "mel.npy", mel)
    out = tmp_path / "out.wav"
    for block in (1, 5):
        assert (
            vocode(model, tmp_path / "mel.npy", "-o", out, "--seed", 3, "--block-frames", block)
            == 0
        )
        x, rate = soundfile.read(out, dtype="float32")
        assert rate == 22_050
        expected = Vocoder(model)(mel, seed=3)
        assert np.abs(x - expected).max() <= 0.5 / 32768 + 1e-7
    assert "RTF" in capsys.readouterr().err
    assert vocode(model, tmp_path / "mel.npy", "-p", "tacotron22", "-q", "-o", out) == 0
    assert capsys.readouterr().err == ""


def test_a_recording_is_made_again(model, tmp_path):
    t = np.arange(24_000) / 48_000
    stereo = np.stack([0.2 * np.sin(700 * t), 0.1 * np.sin(900 * t)], 1)
    soundfile.write(tmp_path / "talk.wav", stereo, 48_000)
    picture = tmp_path / "mels.png"
    assert (
        vocode(model, tmp_path / "talk.wav", "-o", tmp_path / "again.flac", "--plot", picture) == 0
    )
    x, rate = soundfile.read(tmp_path / "again.flac")
    assert (rate, len(x)) == (22_050, 11_025 // 256 * 256)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_read_in_pieces_is_the_whole(model, tmp_path, monkeypatch):
    monkeypatch.setattr(vocode_input, "FRAMES_AT_ONCE", 5)
    monkeypatch.setattr(vocode_input, "SAMPLES_AT_ONCE", 777)
    out, vocoder = tmp_path / "out.wav", Vocoder(model)
    mel = speech_like_mel(12)
    np.save(tmp_path / "mel.npy", mel)
    np.save(tmp_path / "other.npy", np.asfortranarray(mel))
    np.save(tmp_path / "late.npy", np.where(np.arange(12) == 11, np.nan, mel))
    talk = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    soundfile.write(tmp_path / "talk.wav", talk, 22_050, subtype="FLOAT")
    made = vocoder(mel)
    again = vocoder.resynthesise(talk)
    for name, expected in (("mel.npy", made), ("other.npy", made), ("talk.wav", again)):
        assert vocode(model, tmp_path / name, "-o", out) == 0
        written = soundfile.read(out)[0]
        assert np.abs(written - np.clip(expected, -1, 1)).max() <= 1.5 / 32768 + 1e-7
    out.unlink()
    assert vocode(model, tmp_path / "late.npy", "-o", out) == 1
    assert not list(tmp_path.glob("*out.wav*"))


def write(path: Path, content: object) -> Path:
    if content is None:
        return path
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".npy":
        np.save(path, content)
    elif path.suffix == ".wav":
        soundfile.write(path, content, 22_050, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("name", "content", "more", "code", "sentence"),
    [
        ("a.npy", np.zeros((100, 4)), (), 1, "takes a mel of hifigan22, [80, frames]"),
        ("a.npy", np.zeros((4, 80)), (), 1, "transposed"),
        ("a.npy", np.zeros((80, 0)), (), 1, "no frame"),
        ("a.npy", np.full((80, 4), np.nan), (), 1, "NaN"),
        ("a.npy", np.full((80, 4), -40.0), (), 1, "no mel of hifigan22"),
        ("a.npy", np.zeros((100, 4)), ("-p", "vocos24"), 1, "their filters differ"),
        ("a.npy", np.zeros((80, 4)), ("-p", "nonsense"), 1, "no mel preset"),
        ("a.npy", np.array([{}]), (), 1, "no NumPy file of numbers"),
        ("a.npy", b"no array at all", (), 1, "no NumPy file of numbers"),
        ("missing.npy", None, (), 1, "no such file"),
        ("missing.wav", None, (), 1, "missing.wav"),
        ("a.wav", np.zeros(200), (), 1, "too short: it has 200 samples"),
        ("a.wav", np.full(9000, np.nan), (), 1, "NaN"),
        ("a.wav", np.zeros(9000), ("-p", "tacotron22"), 2, "analysed anew"),
        ("a.npy", np.zeros((80, 4)), ("--plot", "x.pdf"), 2, ".png"),
        ("a.npy", np.zeros((80, 4)), ("--output-device", "x"), 2, "--play"),
        ("a.npy", np.zeros((80, 4)), ("--seed", "-1"), 2, "whole number"),
        ("a.npy", np.zeros((80, 4)), ("--block-frames", "0"), 2, "whole number"),
        ("a.npy", np.zeros((80, 4)), ("--threads", "0"), 2, "'0' is not a whole number of 1 to 64"),
        ("a.npy", np.zeros((80, 4)), ("--threads", "65"), 2, "'65' is not a whole number"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    model, tmp_path, capsys, name, content, more, code, sentence
):
    path = write(tmp_path / name, content)
    out = tmp_path / "out.wav"
    assert vocode(model, path, "-o", out, *more) == code
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("*out.wav*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["a.npy", "a.wav"])
def test_what_is_no_file_is_not_waited_for(model, tmp_path, capsys, name):
    path, loop, out = tmp_path / name, tmp_path / f"loop-{name}", tmp_path / "out.wav"
    os.mkfifo(path)
    loop.symlink_to(loop)
    assert vocode(model, path, "-o", out) == 1
    assert "is a pipe or a device" in capsys.readouterr().err
    assert vocode(model, loop, "-o", out) == 1
    err = capsys.readouterr().err
    assert str(loop) in err and "unexpected" not in err
    assert err.count("\n") == 1


def test_calls_without_an_output_or_a_vocoder(model, tmp_path, capsys):
    path = write(tmp_path / "mel.npy", speech_like_mel(3))
    assert vocode(model, path) == 2
    assert vocode(model, path, "-o", path) == 2
    assert main(["vocode", str(path), "-o", str(tmp_path / "x.wav"), "-m", "rt-tcn"]) == 1
    assert "no vocoder" in capsys.readouterr().err
