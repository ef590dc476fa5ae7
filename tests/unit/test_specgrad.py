"""SpecGrad's noise against the equations in float64, published values of its filter, and the
spectrum that it must have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtaudio import Model, Vocoder, verify_streaming  # noqa: E402
from rtaudio.bench.diffusion import run_diffusion  # noqa: E402
from rtaudio.dsp.mel import mel_spectrogram  # noqa: E402
from rtaudio.dsp.noise import normals  # noqa: E402
from rtaudio.dsp.presets import MelPreset, find_preset  # noqa: E402
from rtaudio.errors import GraphError  # noqa: E402
from rtaudio.graph import (  # noqa: E402
    Cepstrum,
    FilteredNoise,
    Graph,
    Layer,
    MinimumPhase,
    NoiseSpectrum,
    Serial,
    StreamPort,
)
from rtaudio.models.diffwave import DiffWaveVocoder, diffwave_vocoder  # noqa: E402
from rtaudio.models.specgrad import (  # noqa: E402
    FLOOR,
    ORDER,
    complex_exp,
    specgrad_noise,
    specgrad_tensors,
)
from rtaudio.models.wavegrad import WaveGrad, wavegrad  # noqa: E402
from rtaudio.nn import Net  # noqa: E402
from rtaudio.runtime.laws import graph_of  # noqa: E402
from rtaudio.runtime.mel_check import shipped_speech  # noqa: E402

N, BINS = 2048, 1025


def least_phase(magnitude: np.ndarray, order: int = N // 2) -> np.ndarray:
    """The layers in float64: [bins] of magnitudes to the complex spectrum, [bins]."""
    layers = (Cepstrum(fft_size=N, order=order), MinimumPhase(fft_size=N, order=order))
    graph = graph_of(Serial(layers=(*layers, complex_exp(BINS))), BINS)
    x = torch.from_numpy(np.log(magnitude))[None, :, None]
    with torch.no_grad():
        y = Net(graph, {}).double()(x)[0, :, 0].numpy()
    return y[:BINS] + 1j * y[BINS:]


def transfer(zeros: tuple[float, ...], poles: tuple[float, ...]) -> np.ndarray:
    """Of sum b_k z^-k / sum a_k z^-k."""
    return np.fft.rfft(zeros, N) / np.fft.rfft(poles, N)


@pytest.mark.parametrize(
    ("zeros", "poles", "error"),
    [
        ((1.0,), (1.0, -0.5), 2e-14),
        ((1.0,), (1.0, -0.9), 2e-13),
        ((1.0, 0.4), (1.0, -0.8, 0.3), 2e-13),
        ((1.0,), (1.0, -0.99), 1e-4),  # its cepstrum is longer than the transform
    ],
)
def test_filters_of_least_phase_are_found_from_their_magnitude(zeros, poles, error) -> None:
    wanted = transfer(zeros, poles)
    found = least_phase(np.abs(wanted))
    assert np.abs(found - wanted).max() < error * np.abs(wanted).max()


def test_published_values_of_a_smoothed_filter() -> None:
    """AR(1), a = 0.5, of which 24 cepstral coefficients are kept."""
    found = least_phase(np.abs(transfer((1.0,), (1.0, -0.5))), 24)
    published = {
        0: 1.9999999954027252,
        512: 0.8000000007594663 - 0.3999999994115247j,
        1024: 0.6666666672034522,
    }
    for index, value in published.items():
        assert found[index] == pytest.approx(value, rel=1e-12, abs=1e-12)


def noise_of(graph: Graph, step: int, begin: int, count: int, seed: int = 0) -> np.ndarray:
    """z of a step, from a position on that may lie before the signal."""
    nodes = (n for n in graph.plan.nodes if isinstance(n.layer, NoiseSpectrum))
    site = next(n.output.buffer for n in nodes if n.layer.step == step)
    at = np.arange(begin, begin + count)
    return normals(at, 1, seed=seed, site=site, step=step)[:, 0].astype(np.float64)


def written_noise(mel: np.ndarray, preset: MelPreset, graph: Graph, step: int) -> np.ndarray:
    """y = G+ D G z by its equations, one frame after the other (2203.16749, section 3)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(preset.window) / preset.window)
    frames, half, hop = mel.shape[1], preset.window // 2, preset.hop
    z = noise_of(graph, step, -half, frames * hop + 2 * half)
    magnitudes = np.linalg.pinv(preset.filters) @ np.exp(mel.astype(np.float64))
    sums = np.zeros(frames * hop + 2 * half)
    for i in range(frames):
        level = np.log(np.maximum(magnitudes[:, i] / np.sqrt((window**2).sum()), FLOOR))
        cepstrum = np.fft.irfft(level)
        cepstrum[1 : ORDER + 1] *= 2
        cepstrum[ORDER + 1 :] = 0
        d = np.exp(np.fft.rfft(cepstrum))
        # The window begins the transform here and lies in its middle elsewhere: a shift in time.
        part = z[i * hop : i * hop + preset.window] * window
        y = np.fft.irfft(np.fft.rfft(part, preset.fft_size) * d)[: preset.window]
        sums[i * hop : i * hop + preset.window] += window * y
    weight = (window**2).reshape(-1, hop).sum(0)
    return (sums / np.tile(weight, len(sums) // hop))[half:-half]


def prior_graph(preset: MelPreset, steps: int) -> tuple[Graph, dict[str, np.ndarray]]:
    graph = Graph(
        body=Serial(layers=(specgrad_noise(preset, steps),)),
        sample_rate=preset.sample_rate // preset.hop,
        input=StreamPort(name="mel", channels=preset.num_mels),
        output=StreamPort(name="noise", channels=steps),
    )
    return graph, specgrad_tensors(preset, path="")


def speech_mel(preset: MelPreset) -> np.ndarray:
    import soxr

    x, rate = shipped_speech()
    return mel_spectrogram(soxr.resample(x, rate, preset.sample_rate), preset, dtype=np.float32)


def test_noise_is_that_of_the_equations() -> None:
    preset = find_preset("specgrad24")
    mel = speech_mel(preset)[:, :12]
    graph, tensors = prior_graph(preset, 2)
    found = Model.from_graph(graph, tensors)(np.ascontiguousarray(mel.T))
    assert found.shape == (12 * preset.hop, 2)
    with torch.no_grad():
        net = Net(graph, tensors).double()(torch.from_numpy(mel).double()[None])[0].numpy()
    for channel, step in enumerate((2, 1)):
        wanted = written_noise(mel, preset, graph, step)
        size = np.sqrt((wanted**2).mean())
        # The stored pseudo-inverse has 24 bits.
        assert np.abs(net[channel] - wanted).max() < 1e-5 * size
        assert np.abs(found[:, channel] - wanted).max() < 3e-5 * size


def test_it_waits_for_two_frames() -> None:
    graph, tensors = prior_graph(find_preset("specgrad24"), 1)
    assert graph.plan.output.delay == 600
    assert graph.plan.lookahead_samples == 2
    report = verify_streaming(Model.from_graph(graph, tensors), num_ticks=6)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]


def filtered(shape: Layer, x: np.ndarray, **sizes: int) -> tuple[np.ndarray, Graph]:
    """Noise behind a filter of its own."""
    graph = graph_of(FilteredNoise(filter=shape, **sizes), x.shape[1])
    return Model.from_graph(graph, {})(x)[:, 0], graph


def test_a_filter_that_lets_all_pass_leaves_the_noise() -> None:
    """G+ G is the identity where all windows are there."""
    level = Serial(layers=(Cepstrum(fft_size=N, order=4), MinimumPhase(fft_size=N, order=4)))
    shape = Serial(layers=(level, complex_exp(BINS)))
    y, graph = filtered(shape, np.zeros((20, BINS), np.float32))
    z = noise_of(graph, 1, 0, len(y))
    np.testing.assert_allclose(y[600:-600], z[600:-600], atol=5e-6)


def test_noise_of_an_autoregressive_filter_has_its_correlation() -> None:
    """AR(1), a = 0.5: neighbours are correlated by a, the next ones by a squared."""
    log = np.log(np.abs(transfer((1.0,), (1.0, -0.5)))).astype(np.float32)
    level = Serial(layers=(Cepstrum(fft_size=N, order=24), MinimumPhase(fft_size=N, order=24)))
    y, _ = filtered(Serial(layers=(level, complex_exp(BINS))), np.tile(log, (500, 1)))
    y = y[600:-600].astype(np.float64)
    slack = 5 / np.sqrt(len(y))
    power = (y * y).mean()
    assert power == pytest.approx(1 / (1 - 0.25), rel=3 * slack)
    for lag in (1, 2, 3, 10):
        assert (y[lag:] * y[:-lag]).mean() / power == pytest.approx(0.5**lag, abs=slack)
    # Each octave is as loud as |D|^2 says.
    spectra = np.abs(np.fft.rfft(y[: len(y) // N * N].reshape(-1, N) * np.hanning(N), axis=1)) ** 2
    ratio = spectra.mean(0) / np.exp(2 * log)
    octaves = [ratio[a : 2 * a].mean() for a in (16, 32, 64, 128, 256, 512)]
    assert np.ptp(octaves) / np.mean(octaves) < 0.2


def small_tensors(graph: Graph, preset: MelPreset) -> dict[str, Any]:
    tensors = {**graph.initial_tensors(0), **specgrad_tensors(preset)}
    graph.check_tensors(tensors)
    return tensors


@pytest.mark.parametrize("kind", ["wavegrad", "diffwave"])
def test_networks_take_it_in_place_of_plain_noise(kind: str) -> None:
    """WaveGrad's by a chain, DiffWave's by the kernel that other priors have: exact in a stream, as
    the float64 network has it, in any number of steps."""
    if kind == "wavegrad":
        sizes = {"down": (4,) * 5, "up": (4,) * 5, "first": 4}
        config: Any = WaveGrad(mel="specgrad24", spectral=True, **sizes)
        graph = wavegrad(config)
    else:
        config = DiffWaveVocoder(channels=3, dilations=(1, 2), spectral=True)
        graph = diffwave_vocoder(config)
    preset = config.preset
    model = Model.from_graph(graph, small_tensors(graph, preset), kind)
    mel = speech_mel(preset)[:, :5]
    vocoder = Vocoder(model, preset=preset, steps=3)
    whole = vocoder(mel)
    assert whole.shape == (5 * preset.hop,)
    again = np.concatenate(list(vocoder.stream(mel, block_frames=2)))
    assert again.tobytes() == whole.tobytes()
    new = vocoder.model
    with torch.no_grad():
        net = Net(new.graph, new.tensors).double()(torch.from_numpy(mel).double()[None])[0, 0]
    assert np.abs(whole - net.numpy()).max() < 1e-4
    result, _ = run_diffusion(
        vocoder, None, block_samples=None, seconds=0.02, level="any", peers=[]
    )
    assert sum(result["shares"].values()) == pytest.approx(1.0, abs=1e-3)


def test_presets_and_priors_that_do_not_fit() -> None:
    with pytest.raises(GraphError, match="not centred"):
        specgrad_noise(find_preset("hifigan22"), 2)
    with pytest.raises(GraphError, match="not both"):
        DiffWaveVocoder(spectral=True, energy_min=0.1)
