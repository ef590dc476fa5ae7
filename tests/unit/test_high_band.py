"""The head above 8 kHz: what of a recording counts, and that the engine applies it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

import rtaudio
from rtaudio.models.denoiser import RtTcn as GraphConfig
from rtaudio.training import full_band, high_band
from rtaudio.training.__main__ import main
from rtaudio.training.export import export_model
from rtaudio.training.network import NUM_BINS, RtTcn, enhance, istft, stft
from rtaudio.training.recipe import Source

RATE = 48_000


def noise_up_to(limit_hz: float, rate: int, seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    size = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    spectrum[np.fft.rfftfreq(size, 1 / rate) > limit_hz] = 0
    return (0.1 * np.fft.irfft(spectrum, size)).astype(np.float32)


@pytest.mark.parametrize(("limit", "rate"), [(16_000, 44_100), (10_000, 48_000), (12_000, 24_000)])
def test_band_limit_is_where_the_content_ends(limit, rate):
    assert abs(full_band.band_limit(noise_up_to(limit, rate), rate) - limit) <= 250


def test_pools_leave_out_what_ends_at_8_khz(tmp_path):
    sources = []
    for name, limit, rate in (("a", 20_000, 44_100), ("b", 8_000, 44_100), ("c", 11_000, 22_050)):
        soundfile.write(tmp_path / f"{name}.wav", noise_up_to(limit, rate), rate)
        sources.append(Source(path=str(tmp_path / f"{name}.wav"), group=name))
    full_band.build(tmp_path / "pool", sources)
    groups = full_band.load(tmp_path / "pool")
    assert sorted(groups) == ["a", "c"]
    for recordings in groups.values():
        assert recordings[0].samples.size == pytest.approx(2 * RATE, abs=2)
    assert groups["a"][0].limit_hz == pytest.approx(20_000, abs=250)


def test_bins_above_the_limit_do_not_count():
    rng = np.random.default_rng(0)
    power = torch.from_numpy(rng.uniform(0.1, 1, (2, 3, high_band.NUM_HIGH_BINS)))
    target, gains = power / 2, torch.full_like(power, 0.5)
    mask = high_band.in_band([12_000.0, 24_000.0])
    config = high_band.HighBandConfig()
    before = high_band.high_band_loss(gains, power, target, mask, config)
    first = 12_000 // 50 - NUM_BINS
    gains[0, :, first:] = 0.9
    assert high_band.high_band_loss(gains, power, target, mask, config) == before
    gains[0, :, first - 1] = 0.9
    assert high_band.high_band_loss(gains, power, target, mask, config) != before


def test_measures_of_a_known_change():
    clean = noise_up_to(20_000, RATE, 1.0)
    measures = high_band.evaluate(
        [full_band.Mixture(noisy=clean / 10, clean=clean, limit_hz=16_000)], lambda x: x
    )
    assert measures["level_db"] == pytest.approx(-20, abs=0.01)
    assert measures["lsd_db"] == pytest.approx(20, abs=0.3)  # the floor takes a little
    assert measures["si_sdr_db"] > 60
    assert np.abs(high_band.above_8_khz(clean, 16_000)).max() < np.abs(clean).max()


def test_the_engine_applies_the_trained_head(tmp_path):
    torch.manual_seed(0)
    core = RtTcn().eval()
    weight, bias = 0.5 * torch.randn(16, 160), torch.linspace(-2, 2, 16)
    state = {**core.state_dict(), "high.weight": weight, "high.bias": bias}
    export_model(state, GraphConfig(), tmp_path / "high.safetensors", {})
    x = noise_up_to(24_000, RATE, 0.5)
    delayed = np.pad(x, (0, 480))
    with torch.no_grad():
        spectrum = stft(torch.from_numpy(delayed)[None], high_band.WINDOW)
        low = spectrum[:, :, :NUM_BINS]
        real, imag = enhance(low[..., 0], low[..., 1], *core.heads(low))
        gains = high_band.HighHead(weight, bias)(core.core(core.features(low)))
        high = spectrum[:, :, NUM_BINS:] * gains[..., None]
        joined = torch.cat([torch.stack([real, imag], -1), high], 2)
        expected = istft(joined, high_band.WINDOW)[0, 480:].numpy()
    y = rtaudio.load(tmp_path / "high.safetensors")(x, RATE)
    np.testing.assert_allclose(y, expected, atol=2e-5)
    assert np.abs(high_band.above_8_khz(y, 24_000)).max() > 0.01


@pytest.fixture
def cache(tmp_path):
    for split in ("train", "dev"):
        for kind in ("speech", "noise"):
            sources = []
            for i in range(2):
                path = tmp_path / f"{kind}_{split}_{i}.wav"
                soundfile.write(path, noise_up_to(20_000, RATE, 1.0, seed=i), RATE)
                sources.append(Source(path=str(path), group=str(i)))
            full_band.build(tmp_path / f"pools/full_band_{kind}_{split}", sources)
    return tmp_path


def test_training_moves_the_head_towards_the_target(cache, monkeypatch):
    """Speech and noise are alike here, so the loss can fall by the right constant gain alone."""
    torch.manual_seed(0)
    state = RtTcn().state_dict()
    state["gain.bias"][:] = -6.0  # the copied gain closes the band
    config = high_band.HighBandConfig(minutes=0.02, batch_size=2, seconds=1.0)
    mixer = full_band.FullBandMixer(cache, "train", 1)
    head = high_band.train(state, mixer, config)
    assert head["high.weight"].shape == (16, 160)
    assert float(head["high.bias"].mean()) > -6.0
    mixtures = high_band.held_out(cache, 2)
    figures = high_band.compare(state, head, mixtures)
    assert figures["trained head"]["lsd_db"] < figures["copied gain"]["lsd_db"]


def test_command_writes_a_checkpoint_that_export_takes(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(high_band, "held_out", lambda cache: [])
    monkeypatch.setattr(
        high_band, "evaluate", lambda *_: dict.fromkeys(("lsd_db", "si_sdr_db", "level_db"), 1.0)
    )
    torch.save(RtTcn().state_dict(), tmp_path / "average_0000012.pt")
    out, model = tmp_path / "high.pt", tmp_path / "high.safetensors"
    call = ["high-band", str(tmp_path / "average_0000012.pt"), "-o", str(out), "--threads", "1"]
    assert main([*call, "--cache", str(cache), "--minutes", "0.001"]) == 0
    assert "trained head" in capsys.readouterr().out
    assert main(["export", str(out), "-o", str(model)]) == 0
    loaded = rtaudio.load(model)
    assert loaded.metadata["step"] == "12"
    assert loaded.metadata["high_band"].startswith("trained for")
    stored = torch.load(out, weights_only=True)["average"]["high.weight"]
    np.testing.assert_array_equal(
        loaded.tensors["denoiser.core.heads.high.linear.weight"], stored.numpy()
    )
