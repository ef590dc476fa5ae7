"""`rtaudio denoise` on files, folders and pipes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import rtaudio
from rtaudio.cli.main import COMMANDS, main
from rtaudio.cli.progress import Reporter

from .audio_files import speechlike, wav_bytes, write


@pytest.fixture
def denoise(model_path):
    """`rtaudio denoise` in this process, with a small model."""

    def run(*arguments: object) -> int:
        return main(["denoise", *[str(each) for each in arguments], "-m", str(model_path)])

    return run


@pytest.fixture
def program(model_path):
    """The same as a child process with pipes."""

    def start(*arguments: object) -> subprocess.Popen:
        words = [str(each) for each in arguments]
        command = [sys.executable, "-m", "rtaudio", "denoise", *words, "-m", str(model_path)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    return start


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_file_equals_the_model_in_bits(tmp_path, rate, denoise, model_path):
    path = write(tmp_path / "in.wav", rate=rate, seconds=1.3, channels=2, subtype="FLOAT")
    assert denoise(path, "-o", tmp_path / "out.wav") == 0
    audio, _ = soundfile.read(path, dtype="float32")
    result, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    model = rtaudio.load(model_path)
    np.testing.assert_array_equal(result, model(audio, rate))
    assert denoise(path, "-o", tmp_path / "late.wav", "--no-compensate-delay", "-a", 6) == 0
    late, _ = soundfile.read(tmp_path / "late.wav", dtype="float32")
    expected = model(audio, rate, attenuation_limit_db=6.0, compensate_delay=False)
    np.testing.assert_array_equal(late, expected)


def test_no_attenuation_is_the_input(tmp_path, denoise):
    path = write(tmp_path / "in.wav", seconds=0.5, subtype="FLOAT")
    assert denoise(path, "-o", tmp_path / "out.wav", "-a", 0) == 0
    audio, _ = soundfile.read(path, dtype="float32")
    result, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.abs(result - audio).max() < 1e-5


def test_an_infinite_limit_is_none(tmp_path, denoise):
    path = write(tmp_path / "in.wav", subtype="FLOAT")
    assert denoise(path, "-o", tmp_path / "a.wav", "-a", "inf") == 0
    assert denoise(path, "-o", tmp_path / "b.wav") == 0
    a, b = (soundfile.read(tmp_path / name)[0] for name in ("a.wav", "b.wav"))
    np.testing.assert_array_equal(a, b)


def test_default_name_and_skipping(tmp_path, capsys, denoise):
    path = write(tmp_path / "talk.flac")
    assert denoise(path) == 0
    out = tmp_path / "talk.small.flac"  # the name of the model, which is not the default
    first = out.stat()
    assert denoise(path) == 0
    assert "skipped, made earlier, perhaps with other settings" in capsys.readouterr().err
    assert out.stat().st_ino == first.st_ino
    assert denoise(path, "--overwrite") == 0
    assert out.stat().st_ino != first.st_ino


def test_earlier_results_are_not_inputs(tmp_path, denoise):
    for name in ("talk.wav", "talk.denoised.wav", "talk.gtcrn.flac", "alone.denoised.wav"):
        write(tmp_path / "in" / name)
    assert denoise(tmp_path / "in") == 0
    assert denoise(tmp_path / "in", "--overwrite") == 0
    made = {each.name for each in (tmp_path / "in").glob("*.small.*")}
    assert made == {"talk.small.wav", "alone.denoised.small.wav"}
    assert denoise(tmp_path / "in", "-d", tmp_path / "out") == 0
    found = {each.name for each in (tmp_path / "out").iterdir()}
    assert found == {"talk.wav", "alone.denoised.wav"}


def test_the_default_model_names_its_outputs_denoised(tmp_path):
    path = write(tmp_path / "talk.wav")
    assert main(["denoise", str(path)]) == 0
    assert (tmp_path / "talk.denoised.wav").exists()


def test_a_missing_model_is_told_before_anything_is_skipped(tmp_path, capsys):
    path = write(tmp_path / "talk.wav")
    write(tmp_path / "talk.none.wav")
    assert main(["denoise", str(path), "-m", "none"]) == 1
    err = capsys.readouterr().err
    assert "there is no model 'none'" in err
    assert "skipped" not in err


@pytest.mark.parametrize("jobs", [1, 3])
def test_folders(tmp_path, jobs, denoise):
    top = tmp_path / "in"
    for name in ("a.wav", "deep/b.flac", "deep/er/c.ogg", ".hidden/d.wav"):
        write(top / name)
    (top / "notes.txt").write_text("not audio")
    out = top / "clean"
    assert denoise(top, "-d", out, "-j", jobs) == 0
    assert [each.name for each in out.iterdir()] == ["a.wav"]
    assert denoise(top, "-d", out, "-r", "-j", jobs) == 0
    made = sorted(str(each.relative_to(out)) for each in out.rglob("*.*"))
    assert made == ["a.wav", "deep/b.flac", "deep/er/c.ogg"]


def test_jobs_give_the_same_bits(tmp_path, denoise):
    for number in range(5):
        write(tmp_path / "in" / f"{number}.wav", seconds=0.3 + 0.1 * number, subtype="FLOAT")
    assert denoise(tmp_path / "in", "-d", tmp_path / "one") == 0
    assert denoise(tmp_path / "in", "-d", tmp_path / "many", "-j", 4) == 0
    for each in (tmp_path / "one").iterdir():
        one, many = (
            soundfile.read(each.parents[1] / way / each.name)[0] for way in ("one", "many")
        )
        np.testing.assert_array_equal(one, many)


def test_hard_and_soft_links_to_the_input_are_not_overwritten(tmp_path, denoise):
    path = write(tmp_path / "in.wav")
    before = path.read_bytes()
    (tmp_path / "hard.wav").hardlink_to(path)
    (tmp_path / "soft.wav").symlink_to(path)
    assert denoise(path, "-o", tmp_path / "hard.wav") == 2
    assert denoise(path, "-o", tmp_path / "soft.wav") == 2
    assert path.read_bytes() == before


def test_raw_pipe_equals_the_file(tmp_path, denoise, program):
    path = write(tmp_path / "in.wav", seconds=0.7, rate=48_000)
    assert denoise(path, "-o", tmp_path / "out.wav") == 0
    audio, _ = soundfile.read(path, dtype="int16")
    child = program("-", "--raw-rate", 48_000)
    out, err = child.communicate(audio.tobytes())
    assert child.returncode == 0, err
    expected, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    np.testing.assert_array_equal(np.frombuffer(out, "<i2"), expected)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_wav_pipe_equals_the_file(tmp_path, subtype, denoise, program):
    path = write(tmp_path / "in.wav", seconds=0.7, rate=48_000, channels=2, subtype=subtype)
    assert denoise(path, "-o", tmp_path / "out.wav") == 0
    out, err = program("-").communicate(path.read_bytes())
    (tmp_path / "pipe.wav").write_bytes(out)
    expected, _ = soundfile.read(tmp_path / "out.wav", dtype="float64")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "pipe.wav")[0], expected, err)


def test_wav_pipe_of_unknown_length(tmp_path, program):
    audio = speechlike(16_000, 0.5)
    data = (audio * 32767).astype("<i2").tobytes()
    child = program("-")
    out, err = child.communicate(wav_bytes(data=data, promised=0xFFFFFFFF))
    assert child.returncode == 0, err
    (tmp_path / "out.wav").write_bytes(out)
    assert soundfile.info(tmp_path / "out.wav").frames == len(audio)


def test_pipe_has_the_latency_of_a_block(program, model_path):
    rate, block = 16_000, 160
    model = rtaudio.load(model_path)
    child = program("-", "--raw-rate", rate, "--raw-format", "f32le")
    data = speechlike(rate, 1.0).astype("<f4").tobytes()
    sent = 4 * block * 50
    child.stdin.write(data[:sent])
    child.stdin.flush()
    ready = sent // 4 - model.latency(rate).signal_delay
    os.set_blocking(child.stdout.fileno(), False)
    got, end = b"", time.monotonic() + 20
    while len(got) < 4 * (ready - block) and time.monotonic() < end:
        got += child.stdout.read() or b""
        time.sleep(0.01)
    child.stdin.close()
    os.set_blocking(child.stdout.fileno(), True)
    child.stdout.read()
    assert child.wait() == 0
    assert len(got) >= 4 * (ready - block)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt_in_the_middle_leaves_nothing(tmp_path, number, jobs, program):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "in" / name, seconds=600, rate=48_000)
    out = tmp_path / "out"
    child = program(tmp_path / "in", "-d", out, "-j", jobs)
    end = time.monotonic() + 20
    while time.monotonic() < end and not list(out.glob(".*.part")):
        time.sleep(0.01)
    assert list(out.glob(".*.part"))
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130, err
    assert list(out.iterdir()) == []
    assert err.decode().count("\n") == 1
    assert "interrupted" in err.decode()


def test_interrupt_while_a_pipe_is_quiet(tmp_path, program):
    child = program("-", "-o", tmp_path / "out.wav", "--raw-rate", 48_000)
    child.stdin.write(bytes(9600))
    child.stdin.flush()
    end = time.monotonic() + 20
    while time.monotonic() < end and not list(tmp_path.glob(".*.part")):
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130, err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves(tmp_path, program):
    path = write(tmp_path / "in.wav", seconds=60, rate=48_000)
    child = program(path, "-o", "-")
    child.stdout.read(1000)
    child.stdout.close()
    err = child.stderr.read().decode()
    assert child.wait() == 1
    assert err.count("\n") == 1
    assert "closed the pipe" in err


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path, model_path):
    def peak(seconds: int) -> int:
        path = write(tmp_path / f"{seconds}.wav", seconds=seconds)
        code = (
            "import resource, sys; from rtaudio.cli.main import main; code = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
        )
        out = tmp_path / f"{seconds}.denoised.wav"
        arguments = ["denoise", path, "-o", out, "--quiet", "-m", model_path]
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert peak(1200) - peak(30) < 4_000  # KiB; the audio itself is 38 MB


def test_help_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 88, command
    assert main(["--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_help_needs_no_engine():
    code = "import sys; from rtaudio.cli.main import main; main(['--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    for module in ("numpy", "rich", "soundfile", "rtaudio._native"):
        assert module not in out.split()


def test_the_bar_is_calm_and_results_look_the_same_everywhere(tmp_path, monkeypatch, denoise):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    path = write(tmp_path / "in.wav")
    for stderr in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stderr)
        assert denoise(path, "-o", tmp_path / "out.wav") == 0
        assert "in.wav -> " in stderr.getvalue()
    monkeypatch.setattr("sys.stderr", Terminal())
    with Reporter("rtaudio denoise", quiet=False, num_files=1) as report:
        report.begin("half", 100)(50)
    colours = re.findall(r"\x1b\[([0-9;]*)m━", sys.stderr.getvalue())
    assert "36" in colours
    assert not {"31", "91", "38;5;197"} & set(colours)


def test_paths_with_odd_names(tmp_path, denoise):
    path = write(Path(tmp_path / "räksmörgås [1] {x} \U0001f3a4.wav"))
    assert denoise(path) == 0
    assert len(list(tmp_path.glob("*small.wav"))) == 1
