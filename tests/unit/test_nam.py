"""Models of guitar amplifiers in .nam files: equal to their equations, and safe to open."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import rtaudio
from rtaudio import verify_streaming
from rtaudio.cli.main import main
from rtaudio.errors import ModelFileError

pytest.importorskip("torch", reason="the reference is written in torch")

from .nam_files import CONFIGS, deep, flat, head_of, make_nam

X = (0.3 * np.random.default_rng(5).standard_normal(3000)).astype(np.float32)


def save(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_plays_as_its_network_after_silence(name: str, tmp_path: Path) -> None:
    content, wanted = make_nam(CONFIGS[name], X)
    assert np.ptp(wanted) > 0.05
    model = rtaudio.load(save(tmp_path / "amp.nam", content))
    assert (model.sample_rate, model.metadata["name"]) == (48_000, "Test amp")
    assert model.latency().signal_delay == 0
    # From the first sample on: as if silence had gone before.
    assert np.abs(model(X, 48_000) - wanted).max() < 2e-6 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_keeps_the_laws(name: str, tmp_path: Path) -> None:
    model = rtaudio.load(save(tmp_path / "amp.nam", make_nam(CONFIGS[name], X)[0]))
    failed = [law for law in verify_streaming(model).laws if law.passed is False]
    assert not failed


def test_it_works_in_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, wanted = make_nam(CONFIGS["a1"], X)
    amp = save(tmp_path / "my amp.nam", content)
    audio = tmp_path / "guitar.wav"
    soundfile.write(audio, X, 48_000)
    assert main(["info", str(amp)]) == 0
    assert "Test amp" in capsys.readouterr().out
    played = tmp_path / "out.wav"
    assert main(["process", str(amp), "-o", str(played), str(audio)]) == 0
    x, y = (soundfile.read(path, dtype="float32")[0] for path in (audio, played))
    np.testing.assert_allclose(y, rtaudio.load(amp)(x), atol=2**-15)
    assert main(["process", str(amp), str(audio)]) == 0
    assert (tmp_path / "guitar.my amp.wav").exists()
    assert main(["process", str(amp)]) == 2
    assert "name a recording" in capsys.readouterr().err
    assert main(["import", str(amp), "-o", str(tmp_path / "amp.safetensors")]) == 0
    copy = rtaudio.load(tmp_path / "amp.safetensors")
    np.testing.assert_array_equal(copy(X), rtaudio.load(amp)(X))
    assert np.abs(copy(X) - wanted).max() < 2e-6


def test_an_import_that_cannot_be_written_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    amp = save(tmp_path / "amp.nam", make_nam(CONFIGS["a1"], X[:1])[0])
    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    for output, words in (
        (tmp_path / "none" / "out.safetensors", "not an existing directory"),
        (folder, "is a directory"),
        (amp / "out.safetensors", "not an existing directory"),
    ):
        assert main(["import", str(amp), "-o", str(output)]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"rtaudio import: {output} cannot be written")
        assert words in line
    assert sorted(each.name for each in tmp_path.iterdir()) == ["amp.nam", "folder.safetensors"]


def test_a_rate_that_is_not_stated_is_48_khz(tmp_path: Path) -> None:
    content = make_nam(CONFIGS["a1"], X)[0]
    del content["sample_rate"]
    assert rtaudio.load(save(tmp_path / "amp.nam", content)).sample_rate == 48_000


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets content["config"]["layers"][0][path] or, with dots, any part of the content."""

    def apply(content: dict[str, Any]) -> None:
        *parents, last = path.split(".") if "." in path else ("config", "layers", "0", path)
        inside: Any = content
        for key in parents:
            inside = inside[int(key) if key.isdigit() else key]
        inside[last] = value

    return apply


BAD: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("architecture is 'LSTM'", lambda c: c.update(architecture="LSTM")),
    ("architecture is 'SlimmableContainer'", lambda c: c.update(architecture="SlimmableContainer")),
    ("architecture is None", lambda c: c.pop("architecture")),
    ("config is None", lambda c: c.update(config=None)),
    ("layers is 'many'", change("config.layers", "many")),
    ("layers is \\[\\]", change("config.layers", [])),
    ("condition_dsp", change("config.condition_dsp", {"architecture": "WaveNet"})),
    ("layer array 0 is 7", change("config.layers", [7])),
    ("dilation is -1", change("dilations", [1, -1])),
    ("dilation is 0", change("dilations", [0])),
    ("dilation is 1.5", change("dilations", [1.5])),
    ("dilation is True", change("dilations", [True])),
    ("dilation is 10000000000", change("dilations", [10**10])),
    ("dilations is \\[\\]", change("dilations", [])),
    ("not a list of 1 to 1024", change("dilations", [1] * 100_000)),
    (
        "more than 1024 layers",
        lambda c: [each.update(dilations=[1] * 600) for each in c["config"]["layers"]],
    ),
    ("channels is 1000000000", change("channels", 10**9)),
    ("channels is -16", change("channels", -16)),
    ("channels is '16'", change("channels", "16")),
    ("kernel_size is 0", change("kernel_size", 0)),
    ("kernel_size is 100000", change("kernel_size", 100_000)),
    ("input_size is 2", change("input_size", 2)),
    ("condition_size is 3", change("condition_size", 3)),
    ("activation 'Softsign' is unknown", change("activation", "Softsign")),
    ("activation None is unknown", change("activation", None)),
    ("activation .* has a parameter", change("activation", {"type": "Tanh", "slope": 2})),
    (
        "activation: a is inf|out of range|must be",
        change("activation", {"type": "LeakyReLU", "negative_slope": 1e300}),
    ),
    ("activations", change("activation", ["Tanh", "ReLU", "Tanh", "Tanh", "Tanh"])),
    ("activation has 2 values for 5 layers", change("activation", ["Tanh", "Tanh"])),
    ("gated is 1, not true or false", change("gated", 1)),
    ("gating_mode is 'blended'", change("gating_mode", "blended")),
    ("conv_pre_film", change("conv_pre_film", {"active": True})),
    ("unknown field 'twist'", change("twist", 1)),
    ("groups_input is 5", change("groups_input", 5)),
    ("sums 9 channels|sums 8 channels", change("head_size", 9)),
    (
        "without layer1x1",
        lambda c: c["config"]["layers"][0].update(layer1x1={"active": False}, bottleneck=4),
    ),
    ("only mono", lambda c: c["config"]["layers"][-1].update(head_size=2)),
    (
        "head: out_channels is 2",
        change(
            "config.head",
            {"channels": 4, "activation": "Tanh", "out_channels": 2, "kernel_sizes": [1]},
        ),
    ),
    ("weights is not a list", lambda c: c.update(weights="all")),
    ("weights is not a list", lambda c: c.update(weights=[[1.0]] * 4)),
    ("fewer than the config's sizes need", lambda c: c["weights"].pop()),
    ("sizes need", lambda c: c["weights"].append(1.0)),
    ("not finite", lambda c: c["weights"].__setitem__(7, 10**400)),
    ("not finite", lambda c: c["weights"].__setitem__(7, 1e39)),
    ("not finite", lambda c: c.update(weights=[1e38] * len(c["weights"]))),
    ("sample_rate is -1", lambda c: c.update(sample_rate=-1)),
    ("sample_rate is 44100.5", lambda c: c.update(sample_rate=44100.5)),
    ("sample_rate is 'fast'", lambda c: c.update(sample_rate="fast")),
]


@pytest.mark.parametrize(("reason", "spoil"), BAD, ids=[reason for reason, _ in BAD])
def test_a_bad_file_gets_one_sentence(
    reason: str, spoil: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    content = json.loads(json.dumps(make_nam(CONFIGS["a1"], X[:1])[0]))
    spoil(content)
    with pytest.raises(ModelFileError, match=reason) as caught:
        rtaudio.load(save(tmp_path / "amp.nam", content))
    assert str(caught.value).count("\n") == 0
    assert str(caught.value).startswith(str(tmp_path / "amp.nam"))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 100_000, '{"weights": [NaN]}', '{"a": 1, "a": 2}', "\xff\x00"],
)
def test_what_is_no_nam_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "amp.nam"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFileError, match=r"amp\.nam"):
        rtaudio.load(path)
    with pytest.raises(ModelFileError, match="there is no model file"):
        rtaudio.load(tmp_path / "other.nam")


def test_a_truncated_file_is_refused_at_any_length(tmp_path: Path) -> None:
    data = json.dumps(make_nam(CONFIGS["everything"], X[:1])[0]).encode()
    path = tmp_path / "amp.nam"
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match="truncated"):
            rtaudio.load(path)


def test_no_size_in_a_file_makes_a_huge_array(tmp_path: Path) -> None:
    """The largest sizes that pass every range, with too few weights."""
    wide = flat(1, 1024, 1, True, kernel_size=4096, dilations=[256] * 1000)
    groups = deep(
        1, 1024, head_of(1), kernel_sizes=[16] * 5, groups_input=1024, layer1x1={"active": False}
    )
    many = [0.0] * 400_000
    for layers in ([wide], [groups]):
        content = make_nam(CONFIGS["a1"], X[:1])[0]
        content["config"]["layers"], content["weights"] = layers, many
        path = save(tmp_path / "amp.nam", content)
        tracemalloc.start()
        with pytest.raises(ModelFileError, match=r"weights|more than|over"):
            rtaudio.load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 300 << 20
