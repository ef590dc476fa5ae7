"""The demo: four files, a page that needs nothing else, and pictures that are right."""

from __future__ import annotations

import json
import os
import re
import signal
import zlib

import numpy as np
import pytest
import soundfile

import rtaudio.demo.run
from rtaudio.cli.main import main
from rtaudio.demo.page import Figure, Page, render, speech_gain
from rtaudio.demo.png import spectrogram_png
from rtaudio.demo.spectrogram import Spectrogram, from_mel, to_mel

from .audio_files import speechlike, write


def test_demo_of_an_own_recording(tmp_path, capsys, model_path):
    path = write(tmp_path / "talk.wav", rate=16_000, seconds=2)
    out = tmp_path / "out"
    assert main(["demo", str(path), "-o", str(out), "-m", str(model_path)]) == 0
    text = capsys.readouterr().out
    for words in ("RTF", "latency", "20 ms", "time budget", "index.html"):
        assert words in text
    names = {each.name for each in out.iterdir()} - {"spectrograms.png"}
    assert names == {"noisy.wav", "denoised.wav", "index.html"}
    assert soundfile.info(out / "denoised.wav").frames == 32_000
    assert max(map(len, text.splitlines())) <= max(80, len(str(out)) + 60)


def test_speed_and_budget_are_of_one_statistic(tmp_path, capsys, model_path):
    path = write(tmp_path / "talk.wav", seconds=1)
    assert main(["demo", str(path), "-o", str(tmp_path), "-m", str(model_path)]) == 0
    text = capsys.readouterr().out
    speed, rtf = re.search(r"([\d,]+)x faster .*RTF ([\d.]+) median, [\d.]+ mean", text).groups()
    share = re.search(r"([\d.]+) % used: .*\(median; .* mean", text)[1]
    assert float(speed.replace(",", "")) * float(share) == pytest.approx(100, rel=0.08)
    assert 100 * float(rtf) == pytest.approx(float(share), rel=0.08, abs=0.006)
    page = (tmp_path / "index.html").read_text()
    assert f"Real-time factor {rtf} (median; mean" in page
    assert "for the median block" in page


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["measure", "write_page"])
def test_an_interrupted_demo_leaves_nothing(
    tmp_path, capsys, monkeypatch, number, step, model_path
):
    """The signal arrives while a step works; it must not end the process in between."""
    original = getattr(rtaudio.demo.run, step)

    def interrupted(*arguments, **options):
        made = list((tmp_path / "a" / "out").glob(".*.part/*"))
        assert bool(made) == (step == "write_page")
        os.kill(os.getpid(), number)
        return original(*arguments, **options)

    monkeypatch.setattr(rtaudio.demo.run, step, interrupted)
    path = write(tmp_path / "talk.wav", seconds=1)
    arguments = ["demo", path, "-o", tmp_path / "a" / "out", "-m", model_path]
    assert main([str(each) for each in arguments]) == 130
    assert "interrupted; no unfinished output was left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_demo_keeps_what_was_there(tmp_path, monkeypatch, model_path):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rtaudio.demo.run, "write_page", fail)
    path = write(tmp_path / "talk.wav", seconds=1)
    (tmp_path / "noisy.wav").write_bytes(b"precious")
    assert main(["demo", str(path), "-o", str(tmp_path), "-m", str(model_path)]) == 1
    assert (tmp_path / "noisy.wav").read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 2


def test_page_is_self_contained_and_safe():
    audio = speechlike(16_000, 1.0)
    evil = '</script><script>alert("x")</script>'
    text = render(
        Page(
            headline=evil,
            lead=evil,
            sample_rate=16_000,
            before=audio,
            after=audio / 2,
            figures=(Figure(name=evil, value="1", parts=((evil, 1.0),), share=0.5),),
            footer=(evil,),
            files=(evil,),
        )
    )
    assert "alert(" not in re.sub(r"&lt;script&gt;alert\(|\\u003cscript>alert\(", "", text)
    assert "{{" not in text
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", text)
    data = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text)[1])
    assert set(data["audio"]) == {"a", "b"}
    assert data["match_gain"] == pytest.approx(2.0, rel=1e-3)


def test_speech_gain_ignores_noise_between_words_and_silence():
    rng = np.random.default_rng(0)
    words = (np.arange(32_000) // 4000 % 2)[:, None] * 0.1 * rng.standard_normal((32_000, 1))
    noisy = words + 0.03 * rng.standard_normal((32_000, 1))
    gain = speech_gain(noisy.astype(np.float32), words.astype(np.float32), 16_000)
    assert 1.0 < gain < 1.1
    silence = np.zeros((16_000, 1), np.float32)
    assert speech_gain(silence, silence, 16_000) == 1.0


def test_spectrogram_finds_a_tone_at_its_level():
    rate = 48_000
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)[:, None]
    spectrogram = Spectrogram(rate)
    for start in range(0, rate, 1000):
        spectrogram.push(tone[start : start + 1000])
    picture = spectrogram.decibels(256)
    row = int(np.argmax(picture[:, picture.shape[1] // 2]))
    hertz = float(from_mel(np.asarray(row / 255 * to_mel(rate / 2))))
    assert abs(hertz - 1000) < 60
    assert picture.max() == pytest.approx(0, abs=3)  # between two bins


def test_spectrogram_memory_is_bounded_and_splits_do_not_matter():
    audio = speechlike(16_000, 40)
    pictures = []
    for size in (640_000, 1234):
        spectrogram = Spectrogram(16_000)
        for start in range(0, len(audio), size):
            spectrogram.push(audio[start : start + size])
        pictures.append(spectrogram.decibels(64))
    np.testing.assert_allclose(pictures[0], pictures[1], atol=1e-4)
    assert 1024 <= pictures[0].shape[1] <= 2048


def test_png_holds_the_pixels():
    decibels = np.linspace(-80, 0, 20 * 30, dtype=np.float32).reshape(20, 30)
    data = spectrogram_png(decibels, -80.0, 0.0)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    start = data.index(b"IDAT")
    size = int.from_bytes(data[start - 4 : start], "big")
    rows = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8)
    pixels = rows.reshape(20, 31)[:, 1:]
    assert pixels[0, -1] == 255  # the highest frequency is on top
    assert pixels[-1, 0] == 0
    wide = spectrogram_png(np.zeros((4, 5000), np.float32), -80.0, 0.0, max_width=1400)
    assert int.from_bytes(wide[16:20], "big") == 1400


def test_plot_of_denoise(tmp_path, model_path):
    pytest.importorskip("matplotlib", reason="--plot needs matplotlib (extra [plot])")
    path = write(tmp_path / "in.wav", seconds=1)
    picture = tmp_path / "p.png"
    arguments = ["denoise", path, "--plot", picture, "-m", model_path]
    assert main([str(each) for each in arguments]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_plot_without_matplotlib_says_so_before_working(tmp_path, capsys, monkeypatch, model_path):
    monkeypatch.setattr("rtaudio.demo.plot.has_matplotlib", lambda: False)
    path = write(tmp_path / "in.wav")
    arguments = ["denoise", path, "--plot", tmp_path / "p.png", "-m", model_path]
    assert main([str(each) for each in arguments]) == 1
    assert "pip install 'rtaudio[plot]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
