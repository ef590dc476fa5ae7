"""`rtaudio models` and `rtaudio info NAME`: whole figures, a licence, and where the card is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rtaudio.cli.main import main
from rtaudio.runtime.registry import WEIGHTS


@pytest.mark.parametrize("columns", [30, 60, 79, 100])
def test_no_width_cuts_a_figure(capsys, monkeypatch, columns):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["models"]) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in text
    table = text.split("\n\n")[0]
    scores = json.loads((WEIGHTS / "scores.json").read_text())
    for name in ("rt-tcn", "dtln", "gtcrn"):
        of_model = table[table.index(name) :]
        assert f"{scores[name]['pesq_wb']:.2f}" in of_model
        assert f"{scores[name]['noise_only_attenuation_db']:.1f}" in of_model
    assert max(map(len, table.splitlines())) <= columns
    for column in ("clean: PESQ of clean", "noise: by how"):
        assert column in " ".join(text.split())


def test_noise_has_the_sign_of_the_scores(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("rt-tcn ")).split()
    attenuation = json.loads((WEIGHTS / "scores.json").read_text())["rt-tcn"]
    assert row[-1] == f"{attenuation['noise_only_attenuation_db']:.1f}"


def test_licence_and_card_of_a_shipped_model(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    card = str(WEIGHTS / "rt-tcn.md")
    assert main(["info", "rt-tcn"]) == 0
    text = capsys.readouterr().out
    assert "licence        Apache-2.0" in text
    assert f"model card     {card}\n" in text
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert "Apache-2.0" in next(line for line in text.splitlines() if line.startswith("rt-tcn "))
    assert f"  {card}\n" in text


def test_a_model_of_ones_own_keeps_its_licence(capsys, model_path: Path):
    assert main(["info", str(model_path)]) == 0
    text = capsys.readouterr().out
    assert "CC0-1.0" in text
    assert "model card" not in text
