"""What an odd shell, an odd name or a hostile file can do to the command line: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from rtaudio.cli.main import main

from .audio_files import write
from .test_cli_bad_model import with_metadata

RUN = f"{sys.executable} -m rtaudio"


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        # Buffered output fails as late as at exit.
        env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
        capture_output=True,
        text=True,
        errors="surrogateescape",
    )


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("denoise - -o out.wav <&-", 1, "stdin is empty"),
        ("denoise in.wav -o - >&-", 2, "stdout is closed"),
        ("info in.wav >&-", 2, "stdout is closed"),
        ("info in.wav >/dev/full", 1, "no space left"),
        ("info in.wav 2>&-", 0, ""),
        ("info none.wav 2>&-", 1, ""),
        ("denoise in.wav -o out.wav <&- 2>&-", 0, ""),
    ],
)
def test_closed_and_full_standard_streams(
    tmp_path: Path, model_path: Path, line: str, code: int, words: str
) -> None:
    write(tmp_path / "in.wav")
    model = f" -m {model_path}" if line.startswith("denoise") else ""
    done = shell(f"{RUN} {line.split()[0]}{model} {line.split(' ', 1)[1]}", tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == bool(words)
    made = [each.name for each in tmp_path.iterdir() if each.name != "in.wav"]
    assert made == (["out.wav"] if code == 0 and "out.wav" in line else [])


def test_a_name_that_is_no_text_in_any_locale(tmp_path: Path, model_path: Path) -> None:
    good = write(tmp_path / "in.wav")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe \xc3\xbc.wav"))
    good.rename(odd)
    done = shell(f"{RUN} denoise -m {model_path} *.wav -d clean", tmp_path)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(os.fsencode(tmp_path / "clean" / odd.name)).frames == 4800
    for encoding in ("ascii", "utf-8"):
        for option in ("", "--json"):
            done = shell(f"{RUN} info {option} *.wav", tmp_path, PYTHONIOENCODING=encoding)
            assert done.returncode == 0, done.stderr


def test_names_and_texts_do_not_command_the_terminal(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / "\x1b[2Jevil\n.wav"
    evil.write_bytes(b"text")
    write(tmp_path / "b\x07.wav")
    assert main(["denoise", str(tmp_path), "-d", str(tmp_path / "o"), "-m", str(model_path)]) == 1
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_metadata(model_path.read_bytes(), license="\x1b]0;owned\x07 free"))
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr()
    assert "free" in said.out
    assert not set(said.out + said.err) & {"\x1b", "\x07", "\r"}


@pytest.mark.parametrize("rate", ["0", "-1", "abc", "999", "99999999999", "4e4", "١٢"])
def test_rates_of_info(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "rt-tcn", "--sample-rate", rate]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
