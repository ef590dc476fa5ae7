"""rt-priorgrad: the graph, and the commands that train it, on a few seconds of two voices."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal

from rtaudio import Model, Vocoder, verify_streaming
from rtaudio.bench.denoise import test_signal as speech_like
from rtaudio.diffusion import alphas_bar
from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.graph import DeepFilter, HopISTFT, Layer
from rtaudio.models.rt_priorgrad import (
    TRAINED,
    RtPriorGrad,
    envelope_lines,
    fixed_tensors,
    rt_priorgrad,
)
from rtaudio.nn import Net
from rtaudio.training import diffusion_commands, diffusion_data, excitation, recordings
from rtaudio.training.__main__ import main
from rtaudio.training.diffusion_loop import SLOPE, Objective, make_network, part
from rtaudio.training.excitation import mel_responses, synthesised
from rtaudio.training.recipe import DEV_VOICES
from rtaudio.training.vocoder_loss import source

from .vocoders import HERTZ, hear_envelopes, hear_harvest

RATE = 24_000
tiny = partial(
    RtPriorGrad,
    channels=6,
    dilations=(1, 2, 4),
    condition_hidden=8,
    condition=5,
    pitch_channels=7,
    pitches=12,
    embedding_hidden=9,
)


def tiny_model(steps: int = 4) -> Model:
    graph = rt_priorgrad(tiny(steps=steps))
    return Model.from_graph(graph, {**graph.initial_tensors(1), **fixed_tensors(tiny())}, "tiny")


def some_mel(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(-5, 3, (80, frames)), -11.5, 1).astype(np.float32)


def test_laws_hold_and_nothing_waits() -> None:
    model = tiny_model()
    report = verify_streaming(model, num_ticks=8)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]
    vocoder = Vocoder(model, preset="rt24")
    assert vocoder.latency_samples == 0
    assert vocoder.push(some_mel(1)).shape == (240,)
    assert Vocoder(model, preset="rt24").live_model().makes_audio


@pytest.mark.parametrize("steps", [1, 2, 4, 6])
def test_one_network_serves_any_number_of_steps(steps: int) -> None:
    mel = some_mel(5)
    chosen = Vocoder(tiny_model(), preset="rt24", steps=steps)
    made = chosen(mel)
    assert made.tobytes() == Vocoder(tiny_model(steps), preset="rt24")(mel).tobytes()
    with torch.no_grad():
        wanted = Net(chosen.model.graph, chosen.model.tensors).double()(
            torch.from_numpy(mel)[None].double()
        )
    # The phase of the pulses is a long sum.
    assert np.abs(made - wanted[0, 0].numpy()).max() < 5e-4 * np.abs(made).max()


def test_speech_is_its_excitation_behind_the_mels_filters() -> None:
    config = tiny()
    x = 0.3 * speech_like(RATE, 1.0)
    mel = mel_spectrogram(x, config.preset, dtype=np.float32)[:, : len(x) // 240]
    made = excitation.excitation(x.astype(np.float64), mel, config)
    loud = made.reshape(-1, 240)[mel.mean(0) > -7]
    assert 0.3 < np.median(loud.std(axis=1)) < 3
    graph = rt_priorgrad(config)
    network = Net(graph, {**graph.initial_tensors(), **fixed_tensors(config)}).double()
    filters = run_part(network, "frame.envelope", torch.from_numpy(mel).double()[None])
    heard = run(network, config.hops, torch.from_numpy(made)[None, None])
    product = run(network, DeepFilter(taps=1, bins=config.bins), torch.cat([filters, heard], 1))
    again = run(network, HopISTFT(fft_size=config.filter_size, hop=240), product)[0, 0].numpy()
    assert np.abs(again - x[: len(again)]).max() < 1e-4 * np.abs(x).max()


def test_what_is_learned_holds_the_pulses_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    config, frames = tiny(), 100
    hop, mel = config.preset.hop, np.full((80, 100), 0.0, np.float32)
    mel += envelope_lines(config)[1][:, None].astype(np.float32)  # whose filters are 1
    f0 = np.full(frames, HERTZ, np.float32)
    f0[50:] = 0

    def even(x: np.ndarray, f0: np.ndarray, rate: int, hop: int, hertz: np.ndarray) -> np.ndarray:
        return np.log(np.array([1.0, 0.1]))[:, None, None] * np.ones((2, len(hertz), len(f0)))

    monkeypatch.setattr(excitation, "envelopes", even)
    rng = np.random.default_rng(0)
    made, phase = synthesised(np.zeros(frames * hop, np.float32), f0, mel, config, rng)
    turns = torch.full((1, frames), HERTZ / RATE)
    pulses = source(turns, torch.from_numpy(phase)[None], hop)[0].numpy()
    off = made.astype(np.float64) - np.where(np.repeat(f0 > 0, hop), pulses, 0)
    assert np.abs(made).max() > 5
    assert np.std(off) == pytest.approx(0.1, rel=0.05)


def test_the_mel_of_white_noise_asks_for_no_filter() -> None:
    config = tiny()
    noise = np.random.default_rng(0).standard_normal(RATE)
    mel = mel_spectrogram(noise, config.preset, dtype=np.float64).mean(1, keepdims=True)
    response, undone = mel_responses(mel, config)
    unit = np.zeros((1, config.filter_size))
    unit[0, 0] = 1
    for each in (response, undone):
        assert np.abs(each - unit).max() < 0.2


def test_the_loss_of_what_finds_nothing_is_the_power_of_v() -> None:
    network, model = make_network(tiny()), tiny()
    n, steps = 12, model.steps_per_frame
    objective = Objective(network, model, 4)
    generator = torch.Generator().manual_seed(3)
    made = torch.randn(1, n * 240, generator=generator)
    noise = torch.randn(1, 8, n * steps, generator=generator)
    mel, flat = torch.from_numpy(some_mel(n))[None], torch.zeros(1, n)
    with torch.no_grad():
        loss = objective.speech(mel, made, flat + 100, flat, flat, noise, torch.tensor([20]))
    level = alphas_bar(TRAINED)[20] ** 0.5
    v = level * noise[0].T.reshape(-1) - (1 - level**2) ** 0.5 * made[0]
    # Low bands count more; white noise would count as much as without that.
    heard = signal.lfilter([(1 - SLOPE**2) ** 0.5], [1.0, -SLOPE], v.numpy())
    assert float(loss) == pytest.approx(float((heard[4 * 240 :] ** 2).mean()), rel=1e-3)


def run(network: Net, layer: Layer, x: torch.Tensor, path: str = "") -> torch.Tensor:
    with torch.no_grad():
        return network.run(layer, x, path)


def run_part(network: Net, path: str, x: torch.Tensor) -> torch.Tensor:
    return run(network, part(network.graph.body, path), x, path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for voice in ("af_ada", DEV_VOICES[0]):
        (folder / "voices" / voice).mkdir(parents=True)
        soundfile.write(folder / "voices" / voice / "0000.wav", 0.3 * speech_like(RATE, 1.5), RATE)
    call = ["diffusion-data", "--speech", folder / "voices", "--cache", folder]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusion_data, "check_world", lambda: None)
        patch.setattr(recordings, "harvest", hear_harvest)
        patch.setattr(excitation, "envelopes", hear_envelopes)
        assert main([str(each) for each in call]) == 0
    return folder


def test_train_resume_and_export(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(diffusion_commands, "RtPriorGrad", tiny)

    def train(*more: object) -> int:
        run = tmp_path / "run"
        call = ["diffusion-train", "--cache", cache, "--run", run, "--threads", 1, *more]
        return main([str(each) for each in call])

    assert train("--minutes", 0.01) == 0
    header, row = (tmp_path / "run" / "dev.csv").read_text().splitlines()
    assert header == "file,v,pitch,voicing"
    assert 0 < float(row.split(",")[1]) < 5
    assert train("--minutes", 0.01) == 2  # the folder holds a run
    last = tmp_path / "run" / "last.pt"
    behind = torch.load(last, weights_only=True)["seconds"] / 60
    assert train("--minutes", behind + 0.005, "--resume", last) == 0
    capsys.readouterr()
    average = next(last.parent.glob("average_*.pt"))
    assert train("--minutes", 9, "--resume", average) == 2
    assert "give last.pt, or --init" in capsys.readouterr().err
    out = tmp_path / "own.safetensors"
    assert main(["diffusion-export", str(last), "-o", str(out)]) == 0
    before = torch.load(last, weights_only=True)["average"]
    assert (
        train("--run", tmp_path / "pitch", "--init", last, "--part", "pitch", "--minutes", 0.01)
        == 0
    )
    after = torch.load(tmp_path / "pitch/last.pt", weights_only=True)["model"]
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("frame/pitch/") for name in changed)
    for steps, code in ((4, 0), (5, 1)):  # a model file is as good as a checkpoint
        monkeypatch.setattr(diffusion_commands, "RtPriorGrad", partial(tiny, steps=steps))
        again = ["--run", tmp_path / f"on{steps}", "--init", out, "--minutes", 0.001]
        assert train(*again) == code
    assert "train it anew" in capsys.readouterr().err
    vocoder = Vocoder(out, steps=2)
    assert np.isfinite(vocoder(some_mel(3))).all()
    last.write_bytes(b"nothing")
    assert main(["diffusion-export", str(last), "-o", str(out)]) == 1
    assert "is no checkpoint" in capsys.readouterr().err
