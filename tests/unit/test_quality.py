"""Scores of denoisers: peers are aligned, differences are paired, the card keeps its prose."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rtaudio.bench import peers
from rtaudio.bench.denoise import test_signal as speech_like
from rtaudio.training.dev_set import Clip
from rtaudio.training.score import LOWEST_PESQ, Score, score_clip

from .test_training import write_dev_set

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))  # the scripts import one another, as when they are run


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


quality, tables = load_script("quality"), load_script("tables")


class Delay:
    """A peer that gives its input back 384 samples later."""

    name, package, hop, latency_samples = "delay", "none", 128, 512

    def __init__(self) -> None:
        self._kept = np.zeros(384, np.float32)

    def step(self, block):
        joined = np.concatenate([self._kept, block])
        self._kept = joined[128:]
        return joined[:128]


@pytest.mark.parametrize(("rate", "tolerance"), [(16_000, 0.0), (48_000, 2e-3)])
def test_a_peer_is_aligned_and_as_long_as_the_clip(monkeypatch, rate, tolerance):
    monkeypatch.setitem(peers.PEERS, "delay", type("Peer", (Delay,), {"sample_rate": rate}))
    t = np.arange(5001) / 16_000
    x = (0.3 * np.sin(2 * np.pi * 440 * t) * np.hanning(t.size)).astype(np.float32)
    y = peers.denoise_clip("delay", x, 16_000)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, x, atol=tolerance)


def test_differences_are_paired_and_of_the_noisy_clips_only():
    def scores(values):
        rows = [Score(kind="slide", snr_db=0.0, pesq_wb=value) for value in values]
        return [*rows, Score(kind="clean", snr_db=99.0, pesq_wb=4.0 * len(values))]

    level = np.linspace(1, 4, 20)
    # Clips differ by far more than the systems; the difference is nearly the same on each.
    difference = 0.5 + 0.01 * np.sin(np.arange(20))
    found = quality.paired_interval(scores(level + difference), scores(level), "pesq_wb")
    assert found["mean"] == pytest.approx(difference.mean(), abs=1e-3)
    assert 0.49 < found["low"] < found["mean"] < found["high"] < 0.51


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_broken_output_gets_the_lowest_pesq(value):
    clean = speech_like(16_000, 1.0)
    clip = Clip(name="0", kind="slide", talker="a", snr_db=0.0)
    score = score_clip(clip, clean, clean, np.full_like(clean, value))
    assert score.pesq_wb == LOWEST_PESQ
    assert score_clip(clip, clean, clean, clean).pesq_wb > 4


@pytest.fixture
def result(tmp_path, model_path, monkeypatch, capsys):
    write_dev_set(tmp_path)
    monkeypatch.setattr(quality, "PEERS", {"gone": None})
    monkeypatch.setattr(quality, "load_peer", lambda name: f"the peer {name} is not installed")
    card = tmp_path / "card.md"
    card.write_text("# small\nprose\n\n## Development set\nold table\n\n## Limits\nmore prose\n")
    arguments = ["--model", model_path, "--cache", tmp_path, "--card", card]
    path = tmp_path / "quality.json"
    assert quality.main([str(each) for each in [*arguments, "--json", path]]) == 0
    assert "the peer gone is not installed" in capsys.readouterr().err
    return json.loads(path.read_text()), card


def test_result_and_card(result):
    found, card = result
    assert found["kind"] == "quality"
    assert found["command"] == "python benchmarks/quality.py --model small.safetensors"
    assert found["systems"]["noisy"]["noise_only_attenuation_db"] == 0
    assert found["systems"]["noisy"]["clean_si_sdr_db"] is None  # unchanged
    assert list(found["by_noise"]["small"]) == ["slide", "vehicle"]
    assert list(found["by_snr"]["noisy"]) == ["5 dB", "10 dB"]
    text = card.read_text()
    assert text.startswith("# small\nprose\n\n## Development set\n" + quality.START)
    assert text.endswith(quality.END + "\n\n## Limits\nmore prose\n")
    assert "old table" not in text
    quality.write_card(card, found)
    assert card.read_text() == text


def test_readme_names_metrics_with_units(result, monkeypatch):
    found, _ = result
    monkeypatch.setattr(tables, "load", lambda kind: [found])
    lines = tables.quality_table()
    assert "PESQ (wideband)" in lines[0]
    assert "_db" not in lines[0]
    noisy = next(line for line in lines if "noisy input" in line)
    assert noisy.endswith("| – | 0.0 dB |")


def test_wrong_calls_are_one_sentence(tmp_path, capsys):
    assert quality.main(["--model", "nobody"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(SystemExit, match="no development set"):
        quality.main(["--cache", str(tmp_path)])
