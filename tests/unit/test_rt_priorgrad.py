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
    fixed_tensors,
    rt_priorgrad,
)
from rtaudio.nn import Net
from rtaudio.training import diffusion_commands, recordings, vocoder_data
from rtaudio.training.__main__ import main
from rtaudio.training.diffusion_loop import (
    LARGEST,
    OF_FRAMES,
    SLOPE,
    Filters,
    Objective,
    flat_mel,
    make_network,
    part,
)
from rtaudio.training.recipe import DEV_VOICES

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
    shape_channels=7,
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


def test_training_filters_as_the_model_does() -> None:
    config, frames = tiny(), 12
    network = Net(rt_priorgrad(config), tiny_model().tensors).double()
    mel = torch.from_numpy(some_mel(frames)).double()[None]
    x = torch.randn(1, frames * 240, dtype=torch.float64)
    filters = run_part(network, "frame.filters", mel)[:, : 2 * config.bins]
    heard = run(network, config.hops, x[:, None])
    product = run(network, DeepFilter(taps=1, bins=config.bins), torch.cat([filters, heard], 1))
    wanted = run(network, HopISTFT(fft_size=config.filter_size, hop=240), product)[:, 0]
    own = Filters(config)
    gains = run_part(network, "frame.filters.gains", mel)[:, : config.preset.num_mels]
    made = own.samples(torch.exp(own.logs(gains)) * own.spectra(x))
    assert torch.abs(made - wanted[:, : made.shape[1]]).max() < 1e-4 * wanted.abs().max()


@pytest.mark.parametrize(("louder", "noisier"), [(1.0, 1.0), (1.0, 0.1), (1.5, 0.5)])
def test_what_the_prior_knows_need_not_be_made(louder: float, noisier: float) -> None:
    """Speech of the prior's own filters is white noise; else what is off stands in it."""
    config, frames = tiny(), 20
    objective = Objective(make_network(config), config, 4)
    mel = torch.from_numpy(np.tile(flat_mel(config)[:, None], frames)).float()[None]
    gains = objective.run("frame.filters.gains", mel).detach()
    mean, spread = gains.chunk(2, 1)
    envelopes = torch.stack([mean + np.log(louder), spread + np.log(noisier)], 1)
    flat = torch.ones(1, frames)
    turns = HERTZ / RATE
    phase = (torch.arange(frames) * 240 * turns % 1)[None]
    noise = torch.randn(1, frames * 240, generator=torch.Generator().manual_seed(1))
    found, pulses = objective.white((mel, flat * HERTZ, phase, flat, envelopes), noise)
    wanted = noisier * objective.columns(noise)
    filters = torch.exp(objective.filters.logs(mean) - objective.filters.logs(spread))
    told = pulses.transpose(1, 2).reshape(1, -1)
    ringing = objective.filters.samples((louder - 1) * filters * objective.filters.spectra(told))
    wanted = (wanted + objective.columns(ringing)).clamp(-LARGEST, LARGEST)
    assert torch.abs(found - wanted).max() < 2e-3
    assert pulses.max() > 5


def test_the_mel_of_white_noise_asks_for_no_filter() -> None:
    config = tiny()
    noise = np.random.default_rng(0).standard_normal(RATE)
    mel = np.log(np.exp(mel_spectrogram(noise, config.preset, dtype=np.float64)).mean(1))
    assert np.abs(mel - flat_mel(config)).max() < 0.15
    network = make_network(config).double()
    above = "frame/filters/gains/0/above/weight"
    with torch.no_grad():
        dict(network.named_parameters())[above].zero_()
    frames = torch.from_numpy(np.tile(flat_mel(config)[:, None], 3))[None]
    unit = run_part(network, "frame.filters", frames)[0, :, -1].numpy().reshape(2, 2, -1)
    assert np.abs(unit[:, 0] - 1).max() < 1e-5
    assert np.abs(unit[:, 1]).max() < 1e-5


def test_the_loss_of_what_finds_nothing_is_the_power_of_v() -> None:
    model, n = tiny(), 12
    objective = Objective(make_network(model), model, 4)
    generator = torch.Generator().manual_seed(3)
    made, noise = torch.randn(2, 1, n * 240, generator=generator)
    mel, pulses = torch.from_numpy(some_mel(n))[None], torch.zeros(1, 8, n * 30)
    with torch.no_grad():
        loss = objective.speech(
            mel, objective.columns(made), pulses, objective.columns(noise), torch.tensor([20])
        )
    level = alphas_bar(TRAINED)[20] ** 0.5
    v = level * noise[0] - (1 - level**2) ** 0.5 * made[0]
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
        patch.setattr(vocoder_data, "check_world", lambda: None)
        patch.setattr(recordings, "harvest", hear_harvest)
        patch.setattr(vocoder_data, "envelopes", hear_envelopes)
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
    assert header == "file,v,pitch,voicing,pulses,noise"
    assert all(0 < float(value) < 50 for value in row.split(",")[1:])
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
        train("--run", tmp_path / "sound", "--init", last, "--part", "sound", "--minutes", 0.01)
        == 0
    )
    after = torch.load(tmp_path / "sound/last.pt", weights_only=True)["model"]
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed and not any(name.startswith(OF_FRAMES) for name in changed)
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
