"""Everything that can be wrong with an input: one sentence, an exit code, and nothing left."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaudio.cli.main import main

from .audio_files import speechlike, wav_bytes, write

BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"Dear diary, this is no audio at all.\n", "starts with 'Dear dia')"),
    "bytes": (bytes(range(200, 240)), "starts with c8 c9 ca cb cc cd ce cf)"),
    "cut in the header": (wav_bytes()[:30], "header"),
    "header only": (wav_bytes(promised=3200, data=b""), "is truncated"),
    "0 channels": (wav_bytes(channels=0), "channel count is zero"),
    "65 channels": (wav_bytes(channels=65, data=bytes(13000)), "65 channels"),
    "0 Hz": (wav_bytes(rate=0), "0 Hz"),
    "1 Hz": (wav_bytes(rate=1), "1 Hz"),
    "4 GHz": (wav_bytes(rate=4_000_000_000), "sample rate"),
    "unknown coding": (wav_bytes(tag=0x99), "damaged"),
}


@pytest.fixture
def call(capsys, model_path):
    """Runs a command with a small model; gives its exit code and what it said on stderr."""

    def run(command: str, *arguments: object) -> tuple[int, str]:
        model = ["-m", model_path] if command == "denoise" and "-m" not in arguments else []
        code = main([command, *[str(each) for each in (*arguments, *model)]])
        return code, capsys.readouterr().err

    return run


def check_sentence(text: str, *words: str) -> None:
    """One line, no traceback, and it ends with a way out rather than in the middle."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    assert lines[0].startswith("rtaudio")
    for word in words:
        assert word in lines[0]


def leftovers(folder: Path) -> list[str]:
    return [each.name for each in folder.rglob("*") if each.name.endswith(".part")]


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files(tmp_path, call, kind):
    data, words = BROKEN[kind]
    path = tmp_path / "in.wav"
    path.write_bytes(data)
    code, err = call("denoise", path, "-o", tmp_path / "out.wav")
    assert code == 1
    check_sentence(err, str(path), words)
    assert [each.name for each in tmp_path.iterdir()] == ["in.wav"]
    code, err = call("info", path)
    assert code == 1
    check_sentence(err, str(path), words)


GOOD = {
    "64 channels": {"channels": 64, "seconds": 0.05},
    "8 bit": {"subtype": "PCM_U8"},
    "24 bit": {"subtype": "PCM_24"},
    "32 bit": {"subtype": "PCM_32"},
    "float": {"subtype": "FLOAT"},
    "double": {"subtype": "DOUBLE"},
    "mu-law": {"subtype": "ULAW"},
    "1 sample": {"seconds": 1 / 16_000},
    "no samples": {"seconds": 0},
    "384 kHz": {"rate": 384_000, "seconds": 0.05},
    "odd rate": {"rate": 11_025},
    "odder rate": {"rate": 22_051},
}


@pytest.mark.parametrize("kind", GOOD)
def test_unusual_files_work(tmp_path, call, kind):
    path = write(tmp_path / "in.wav", **GOOD[kind])
    out = tmp_path / "out.wav"
    code, err = call("denoise", path, "-o", out)
    assert code == 0, err
    before, after = soundfile.info(path), soundfile.info(out)
    assert (after.frames, after.samplerate, after.channels) == (
        before.frames,
        before.samplerate,
        before.channels,
    )
    lossless = before.subtype not in ("PCM_U8", "ULAW")
    assert after.subtype == (before.subtype if lossless else "PCM_16")


def test_truncated_audio_is_used_with_a_warning_and_strict_refuses(tmp_path, call):
    path = tmp_path / "in.wav"
    path.write_bytes(wav_bytes(promised=32_000, data=bytes(16_000)))
    out = tmp_path / "out.wav"
    code, err = call("denoise", path, "-o", out, "--quiet")
    assert code == 0
    check_sentence(err, "warning", "50 %")
    assert soundfile.info(out).frames == 8_000
    code, err = call("denoise", path, "-o", tmp_path / "strict.wav", "--strict")
    assert code == 1
    check_sentence(err, "truncated")
    assert not (tmp_path / "strict.wav").exists()


def test_truncated_flac_is_used_up_to_the_break(tmp_path, call):
    whole = write(tmp_path / "whole.flac", seconds=3)
    path = tmp_path / "in.flac"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    code, err = call("denoise", path, "-o", tmp_path / "out.wav", "--quiet")
    assert code == 0
    check_sentence(err, "truncated")
    assert soundfile.info(tmp_path / "out.wav").frames > 16_000


def test_nan_becomes_silence_with_a_count(tmp_path, call):
    audio = speechlike(16_000, 0.3)
    audio[1000:1003] = np.nan
    path = tmp_path / "in.wav"
    soundfile.write(path, audio, 16_000, subtype="FLOAT")
    code, err = call("denoise", path, "-o", tmp_path / "out.wav", "--quiet")
    assert code == 0
    check_sentence(err, "3 NaN or infinite samples")
    assert np.isfinite(soundfile.read(tmp_path / "out.wav")[0]).all()
    code, err = call("denoise", path, "-o", tmp_path / "strict.wav", "--strict")
    assert code == 1
    check_sentence(err, "NaN")
    assert not (tmp_path / "strict.wav").exists()
    assert not leftovers(tmp_path)


def test_missing_input_and_a_directory_as_output(tmp_path, call):
    code, err = call("denoise", tmp_path / "none.wav")
    assert code == 1
    check_sentence(err, "none.wav", "no such file")
    path = write(tmp_path / "in.wav")
    code, err = call("denoise", path, "-o", tmp_path)
    assert code == 2
    check_sentence(err, "folder", "-d")
    code, err = call("denoise", path, "-o", tmp_path / "no" / "out.wav")
    assert code == 1
    check_sentence(err, "not an existing directory")


def test_output_names_that_cannot_hold_it(tmp_path, call):
    path = write(tmp_path / "in.wav", channels=9)
    for name, words in (("o.flac", "8 channels"), ("o.txt", "'.txt'"), ("o", "no extension")):
        code, err = call("denoise", path, "-o", tmp_path / name)
        assert code == 1
        check_sentence(err, words)
    assert len(list(tmp_path.iterdir())) == 1


def test_unreadable_file(tmp_path, call, monkeypatch):
    """root ignores permissions, so the refusal is put into open()."""
    path = write(tmp_path / "in.wav")
    if os.geteuid() != 0:
        path.chmod(0)
    else:
        original = Path.open

        def refuse(self, *arguments, **options):
            if self == path:
                raise PermissionError(13, "Permission denied", str(path))
            return original(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse)
    code, err = call("denoise", path, "-o", tmp_path / "out.wav")
    assert code == 1
    check_sentence(err, "permission denied")


def test_read_only_place(tmp_path, call):
    """/proc is read-only for root too."""
    if not Path("/proc/version").exists():
        pytest.skip("needs Linux's /proc as a place where nobody can write")
    path = write(tmp_path / "in.wav")
    code, err = call("denoise", path, "-o", "/proc/out.wav")
    assert code == 1
    check_sentence(err, "/proc/out.wav", "cannot be written")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full of Linux")
def test_full_device(tmp_path, call):
    path = write(tmp_path / "in.wav")
    code, err = call("denoise", path, "-o", "/dev/full")
    assert code == 1
    check_sentence(err, "is full")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg"])
def test_disk_that_fills_up_in_the_middle(tmp_path, extension, model_path):
    """A limit on the file size fails a write in the same way, and needs no mount."""
    path = write(tmp_path / "in.wav", seconds=8, rate=48_000)
    out = tmp_path / f"out.{extension}"
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "denoise", path, "-o", out, "-q", "-m", model_path],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )
    assert done.returncode == 1, done.stderr
    check_sentence(done.stderr, "cannot be written")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.wav"]


def test_a_bad_file_among_good_ones(tmp_path, call):
    write(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"text")
    write(tmp_path / "c.wav")
    out = tmp_path / "clean"
    code, err = call("denoise", tmp_path, "-d", out)
    assert code == 1
    assert "b.wav is not an audio file" in err
    assert "2 done, 1 failed" in err
    assert sorted(each.name for each in out.iterdir()) == ["a.wav", "c.wav"]
    code, err = call("denoise", tmp_path, "-d", tmp_path / "strict", "--strict")
    assert code == 1
    assert not (tmp_path / "strict" / "c.wav").exists()


@pytest.mark.parametrize("target", ["-", "out.wav"])
@pytest.mark.parametrize("raw", [[], ["--raw-rate", "48000"]])
def test_a_pipe_without_a_byte(tmp_path, model_path, target, raw):
    command = [sys.executable, "-m", "rtaudio", "denoise", "-", "-o", target, *raw]
    done = subprocess.run(
        [*command, "-m", model_path], input="", capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    check_sentence(done.stderr, "stdin is empty (0 bytes); was the program before it started?")
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_frames_is_told(tmp_path, call):
    path = write(tmp_path / "in.wav", seconds=0)
    code, err = call("denoise", path, "-o", tmp_path / "out.wav", "--quiet")
    assert code == 0
    check_sentence(err, "warning", "in.wav holds no audio (0 frames)")
    code, err = call("denoise", path, "-o", tmp_path / "strict.wav", "--strict")
    assert code == 1
    check_sentence(err, "no audio")


def test_an_audio_file_as_the_model(tmp_path, call):
    path = write(tmp_path / "in.wav")
    code, err = call("denoise", path, "-m", path)
    assert code == 1
    check_sentence(err, "in.wav is a WAV file, not a model")


WRONG_CALLS = [
    ([], "name a recording"),
    (["a.wav", "--bogus"], "--bogus"),
    (["a.wav", "-a", "loud"], "'loud'"),
    (["a.wav", "-a", "-3"], "'-3'"),
    (["a.wav", "-a", "nan"], "'nan'"),
    (["a.wav", "-a", "500"], "takes 0 to 120 dB"),
    (["a.wav", "-j", "0"], "'0'"),
    (["a.wav", "-o", "x.wav", "-d", "y"], "one of them"),
    (["a.wav", "b.wav", "-o", "x.wav"], "-d DIRECTORY"),
    (["-", "a.wav"], "mixed"),
    (["-", "-d", "x"], "-o"),
    (["a.wav", "-o", "a.wav"], "never overwritten"),
    (["a.wav", "./a.wav", "-d", "x"], "both become"),
    (["a.wav", "--plot", "a.jpg"], ".png"),
    (["a.wav", "b.wav", "--plot", "a.png"], "one recording"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_CALLS, ids=lambda each: str(each)[:40])
def test_wrong_calls(tmp_path, call, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav")
    code, err = call("denoise", *arguments)
    assert code == 2
    check_sentence(err, words)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_unknown_commands(call):
    for arguments, words in ((["denois"], "did you mean"), (["--bogus"], "no option")):
        code, err = call(*arguments)
        assert code == 2
        check_sentence(err, words)


def test_unknown_model(tmp_path, call):
    path = write(tmp_path / "in.wav")
    code, err = call("denoise", path, "-m", "no-such-model")
    assert code == 1
    check_sentence(err, "no-such-model")


def test_messages_never_hold_a_traceback_unless_asked_for(tmp_path):
    (tmp_path / "in.wav").write_bytes(b"text")
    for debug in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "rtaudio", "info", tmp_path / "in.wav"],
            capture_output=True,
            text=True,
            env={**os.environ, "RTAUDIO_DEBUG": debug},
        )
        assert done.returncode == 1
        assert bool(re.search("Traceback", done.stderr)) == bool(debug)


def test_a_level_that_this_processor_lacks(tmp_path, model_path):
    done = subprocess.run(
        [sys.executable, "-m", "rtaudio", "verify", model_path],
        capture_output=True,
        text=True,
        env={**os.environ, "RTAUDIO_CPU_ISA": "v9"},
    )
    assert done.returncode == 1
    check_sentence(done.stderr, "v9", "unset the variable")
    assert "unexpected" not in done.stderr
