"""What an odd shell, an odd name or a hostile file can do to the command line: nothing."""

from __future__ import annotations

import os
import signal
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


def one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    assert main(arguments) == code
    [line] = capsys.readouterr().err.splitlines()
    assert "unexpected" not in line
    return line


def test_links_that_lead_to_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = tmp_path / "loop.wav"
    loop.symlink_to("loop.wav")
    assert "symbolic links" in one_sentence(capsys, ["denoise", str(loop)], 1)
    assert main(["denoise", str(write(tmp_path / "a.wav")), "-o", str(loop), "-q"]) == 0
    assert soundfile.info(loop).frames == 4800


def test_empty_names_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav")
    for names in ([""], ["a.wav", ""], ["a.wav", "-o", ""], ["a.wav", "-d", ""]):
        assert "name is empty" in one_sentence(capsys, ["denoise", *names], 2)
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, model_path: Path) -> None:
    write(tmp_path / "in" / "a.wav")
    os.mkfifo(tmp_path / "in" / "b.wav")
    arguments = ["denoise", str(tmp_path / "in"), "-d", str(tmp_path / "out"), "-m"]
    assert main([*arguments, str(model_path)]) == 0
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.wav"]


def test_a_benchmark_of_less_than_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "denoise", "--seconds", "1", "--block-samples", "48001"]
    assert "longer than the 1 s" in one_sentence(capsys, arguments, 2)


def test_a_startup_benchmark_of_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'nosuch'" in one_sentence(capsys, ["bench", "startup", "-m", "nosuch"], 1)


def test_an_interrupt_that_an_import_swallowed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As numpy's C code does: another error comes out."""

    def swallow(_arguments: list[str]) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("IMPORTANT: PLEASE READ THIS") from None
        return 0

    monkeypatch.setattr("rtaudio.cli.main._run", swallow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert "interrupted" in one_sentence(capsys, ["models"], 130)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
