"""`rtaudio bench` measures and writes the keys of the design; README shows what it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rtaudio.bench.layer_cases import CASES
from rtaudio.bench.peers import PEERS, VAD_PEERS, load_peer
from rtaudio.cli.bench_text import result_lines
from rtaudio.cli.main import main
from rtaudio.graph.composite import Fused
from rtaudio.graph.heads import Part
from rtaudio.graph.layer import Composite, Layer

ROOT = Path(__file__).resolve().parents[2]

KEYS = {
    "schema", "kind", "model", "precision", "isa", "device", "lanes", "threads", "block_samples",
    "sample_rate", "us_per_block", "us_per_sample", "samples_per_second", "rtf", "gmacs",
    "floor_us", "error", "peers", "machine",
}  # fmt: skip


def test_denoise(tmp_path, capsys, model_path):
    path = tmp_path / "result.json"
    arguments = ["bench", "denoise", "-m", model_path, "--seconds", 1, "--json", path]
    assert main([str(each) for each in arguments]) == 0
    assert "RTF" in capsys.readouterr().out
    result = json.loads(path.read_text())
    assert set(result) >= KEYS
    times = result["us_per_block"]
    assert 0 < times["p50"] <= times["p99"] <= times["p999"]
    assert result["latency_ms"] == 20
    assert 0 < result["rtf"] < 1
    assert result["floor_us"] > 0


def test_wavenet(tmp_path, capsys):
    path = tmp_path / "result.json"
    arguments = ["bench", "wavenet", "-m", "small", "--seconds", 1, "--peers", "numpy,torch"]
    assert main([str(each) for each in [*arguments, "--json", path]]) == 0
    told = capsys.readouterr()
    assert "us/sample" in told.out
    assert "another network" not in told.err  # peers compute ours
    result = json.loads(path.read_text())
    assert set(result) >= KEYS
    assert result["peers"].keys() <= {"numpy queue", "torch queue"}
    assert "numpy queue" in result["peers"]
    assert result["error"] < 1e-6 and result["block_samples"] == 64


def test_diffusion_of_plain_layers():
    """A chain has no kernel of its own to time: its parts are those of its first step."""
    from rtaudio import Model, Vocoder
    from rtaudio.bench.diffusion import run_diffusion
    from rtaudio.bench.diffusion_nets import wavegrad_state
    from rtaudio.models.importers.wavegrad import convert_wavegrad

    state = wavegrad_state((4, 4, 4, 4, 4), (4, 4, 4, 4, 4), 4)
    made = convert_wavegrad(state, {}, "small")
    vocoder = Vocoder(
        Model.from_graph(made.graph, made.tensors), preset="wavegrad24", steps=2, threads=2
    )
    result, notes = run_diffusion(
        vocoder, None, block_samples=300, seconds=0.1, level="v3", peers=["wavegrad", "torch"]
    )
    assert set(result) >= KEYS
    assert result["steps"] == 2 and result["block_samples"] == 300 and result["threads"] == 2
    assert sum(result["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert min(result["shares"].values()) > 0  # which is longest, a busy machine decides
    assert "wavegrad runs one lane of the published sizes alone" in notes[0]
    assert "torch knows no layers of kind noise" in notes[1]


@pytest.mark.parametrize("name", ["onnxruntime", "torch-naive"])
@pytest.mark.parametrize("model", ["small", "r9y9"])
def test_wavenet_peers_compute_our_network(model, name):
    import numpy as np

    from rtaudio.bench.wavenet_nets import load_network
    from rtaudio.bench.wavenet_peers import NumpyQueue, Weights, make_peer

    network = load_network(model, "fp32", None)
    weights = Weights.of(network.config, dict(network.model.tensors), np.float32)
    peer = make_peer(name, weights)
    if isinstance(peer, str):
        assert "pip install" in peer
        return
    reference = NumpyQueue(weights)
    for value in (3.0, 0.0, 1.0):
        np.testing.assert_allclose(
            peer.parameters(value), reference.parameters(value), rtol=0, atol=1e-5
        )
    peer.step()


def test_wavenet_of_a_file_and_of_blocks(tmp_path, capsys):
    assert main(["bench", "wavenet", "-m", "nam-a2", "--seconds", "1", "--lanes", "2"]) == 0
    assert "2 lane(s)" in capsys.readouterr().out
    assert main(["bench", "wavenet", "-m", str(tmp_path / "none.nam")]) == 1
    assert "none.nam" in capsys.readouterr().err


def test_a_sweep_of_lanes(tmp_path, capsys):
    path = tmp_path / "sweep.json"
    arguments = ["-m", "rt-tcn", "--sample-rate", "16000", "--seconds", "1", "--peers", "torch"]
    sweep = ["bench", "denoise", "--lanes", "2,3", "--json", str(path), *arguments]
    assert main(sweep) == 0
    told = capsys.readouterr().out
    assert "2 streams at 16000 Hz" in told and "in real time at p99.9: " in told
    assert "ours is" in told
    results = json.loads(path.read_text())
    assert [each["lanes"] for each in results] == [2, 3]
    assert all(set(each) >= KEYS and each["peers"]["torch"]["rtf"] > 0 for each in results)


def test_diffusion_on_another_device(capsys):
    """In fp32 a device is near the CPU, and its figures have no parts of the CPU's."""
    arguments = ["-m", "rt-priorgrad-24k", "--steps", "1", "--seconds", "1", "--json", "-"]
    assert main(["bench", "diffusion", "--device", "emulated", *arguments]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["device"] == "emulated" and result["error"] < 1e-5
    assert KEYS - set(result) == {"floor_us"} and "shares" not in result
    lines = result_lines(result)
    assert "ms a block" in lines[3] and lines[-2].startswith("error against the CPU's fp32")


def test_the_suite_of_another_device(monkeypatch, capsys):
    from rtaudio.cli import bench

    kinds = ("startup", "wavenet")
    monkeypatch.setattr(bench, "SUITE", [e for e in bench.SUITE if e[0] in kinds][-2:])
    assert main(["bench", "--device", "emulated"]) == 0
    told = capsys.readouterr().out
    assert "streams on it" in told or "left out: " in told
    assert "until loaded" not in told


def test_what_queues_move():
    """Layers x channels x taps x 4 bytes a sample, and steps of them."""
    import rtaudio
    from rtaudio.bench.diffusion_nets import random_diffwave
    from rtaudio.bench.traffic import queue_bytes
    from rtaudio.bench.wavenet_nets import load_network

    network = load_network("nv", "fp32", 64)
    assert queue_bytes(network.model.graph.plan) == 64 * 20 * 64 * 2 * 4
    assert queue_bytes(random_diffwave("diffwave-base")[0].graph.plan) == 256 * 6 * 30 * 64 * 3 * 4
    plan = rtaudio.load("rt-tcn").graph_at(16_000).plan
    assert queue_bytes(plan) * 160 == pytest.approx(4 * (8 * 64 * 3 + 2 * 2 * 96))


def test_layers_on_another_device(monkeypatch, capsys):
    """Whatever runs the kernels: each layer has its floor and its peer, or is left out."""
    from rtaudio.bench import hardware, layers_device

    monkeypatch.setattr(layers_device, "_SECONDS", 0.001)
    monkeypatch.setattr(layers_device, "device_peak", lambda *_: hardware.Peak(1e12, 1e11))
    for name in set(CASES) - {"conv1d", "linear", "bidirectional_rnn"}:
        monkeypatch.delitem(CASES, name)
    assert main(["bench", "layers", "--device", "emulated", "--lanes", "1,3", "--json", "-"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    rows = result["layers"]
    assert {(row["layer"], row["lanes"]) for row in rows} >= {("conv1d", 1), ("linear", 3)}
    assert all(row["floor_us"] > 0 and row["us_per_block"]["p50"] > 0 for row in rows)
    assert all("torch" in row["peers"] for row in rows if row["layer"] != "bidirectional_rnn")
    assert "left out: " in told.err
    lines = result_lines(result)
    assert lines[-1].startswith("on emulated") and "conv1d" in lines[1]


def test_the_suite_ends_in_one_line(monkeypatch, tmp_path, capsys):
    from rtaudio.cli import bench

    few = [each for each in bench.SUITE if each[1].get("model") in ("small", "nam-standard")]
    monkeypatch.setattr(bench, "SUITE", [(kind, c | {"seconds": 1}) for kind, c in few])
    path = tmp_path / "suite.json"
    assert main(["bench", "--json", str(path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "carries, in real time" in last and "wavenet small" in last
    assert main(["bench", "--compare", str(path), str(path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 4 and all(line.endswith("1.00") for line in told[1:3])
    for name in ("none.json", "README.md"):
        other = ROOT / name if name == "README.md" else tmp_path / name
        assert main(["bench", "--compare", str(path), str(other)]) == 2
        assert name in capsys.readouterr().err


def test_wrong_calls(capsys, model_path):
    for arguments, words in (
        (["denoise", "--threads", "2"], "only diffusion of one stream on a CPU is shared"),
        (["denoise", "--peers", "nobody"], "known peers"),
        (["denoise", "--sample-rate", "11025", "-m", str(model_path)], "11025"),
        (["vocode"], "vocode"),
        (["wavenet", "--lanes", "8,x"], "'x' is not a whole number"),
        (["vad", "--lanes", "2"], "name denoise, wavenet, diffusion or layers"),
        (["layers", "--lanes", "2"], "numbers of lanes of their own"),
        (["denoise", "--lanes", "2", "--block-samples", "480"], "the model's own blocks"),
        (["denoise", "--lanes", "2", "--peers", "dtln"], "known peers are torch"),
        (["startup", "--device", "cuda"], "startup is of the processor alone"),
    ):
        assert main(["bench", *arguments]) == 2
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        assert words in err


@pytest.mark.parametrize("name", [*PEERS, *VAD_PEERS])
def test_absent_peers_are_told(name):
    peer = load_peer(name)
    if isinstance(peer, str):
        assert "pip install" in peer
        return
    import numpy as np

    out = peer.step(np.zeros(peer.hop, np.float32))
    assert out.shape == (peer.hop if peer.kind == "denoise" else 1,)
    assert np.isfinite(out).all()


def test_readme_shows_the_results():
    script = ROOT / "benchmarks" / "readme_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_layers(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert main(["bench", "layers", "--layer", "gru", "--json", str(path)]) == 0
    assert "floor" in capsys.readouterr().out
    result = json.loads(path.read_text())
    rows = result["layers"]
    assert set(result) | set(rows[0]) >= KEYS - {"sample_rate", "rtf"}
    assert [(row["lanes"], row["block_samples"]) for row in rows] == [(1, 1), (1, 8), (8, 1)]
    for row in rows:
        assert 0 < row["us_per_block"]["p50"] <= row["us_per_block"]["p99"]
        # 256 inputs and 256 units: so many multiply-adds a frame.
        macs = 3 * 256 * (256 + 256) * row["lanes"] * row["block_samples"]
        assert row["gmacs"] * row["us_per_block"]["p50"] * 1e3 == pytest.approx(macs, rel=0.01)
    # A lane reads the weights of its state once a frame, lanes share them.
    assert rows[1]["floor_us"] > rows[2]["floor_us"] > rows[0]["floor_us"]


def test_every_kind_of_layer_is_benched():
    kinds = {
        kind
        for kind, layer in Layer.registry.items()
        if issubclass(layer, Fused) or not issubclass(layer, Composite | Part)
    }
    assert set(CASES) == kinds


def test_an_unknown_layer_is_told(capsys):
    assert main(["bench", "layers", "--layer", "nothing"]) == 2
    assert "gated_stack" in capsys.readouterr().err
