"""Diffusion in the engine against closed forms, and at the ends of what it can be given."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtaudio import Model, Vocoder, verify_streaming
from rtaudio.bench.diffusion_nets import diffwave_state, wavegrad_state
from rtaudio.diffusion import SCHEDULES, Scheduler, align, alphas_bar
from rtaudio.dsp.noise import normals
from rtaudio.errors import GraphError, MelError
from rtaudio.graph import (
    Activation,
    Chain,
    Channels,
    DiffWave,
    Layer,
    Linear,
    Merge,
    Noise,
    NoiseLevel,
    Refine,
    Serial,
)
from rtaudio.models.importers.diffwave import convert_diffwave
from rtaudio.models.importers.wavegrad import convert_wavegrad
from rtaudio.runtime.laws import graph_of

from .chains import sample

SIX = SCHEDULES["diffwave-6"]


def chain_of(network: Layer, steps: int, **sizes: Any) -> Serial:
    """Noise beside a condition of one channel, and a network's chain over both."""
    noise = Merge(op="cat", branches=(Serial(), Noise(name="noise", steps=steps)))
    return Serial(layers=(noise, Chain(name="refine", network=network, condition=1, **sizes)))


def fast_coefficients() -> dict[str, tuple[float, ...]]:
    scheduler = Scheduler(SIX.training_betas)
    scheduler.set_betas(SIX.betas)
    c = scheduler.coefficients()
    return {
        "scales": tuple(c.c1[::-1].tolist()),
        "weights": tuple(c.c2[::-1].tolist()),
        "deviations": tuple(c.sigma[::-1].tolist()),
        "levels": tuple(c.noise_levels[::-1].tolist()),
    }


@pytest.mark.parametrize(
    ("spread", "published"),
    [(0.1, 0.06490724363202852), (0.3, 0.21250083314864826), (1.0, 0.762408491697809)],
)
def test_the_engine_s_chain_leaves_gaussian_data_as_wide_as_it_must(
    spread: float, published: float
) -> None:
    """epsilon* = sqrt(1 - a) x / (a s^2 + 1 - a) is the exact prediction for data of a normal law.
    It is put in the weights, since it differs from step to step and the network is one."""
    given = fast_coefficients()
    a = alphas_bar(SIX.betas)[::-1]
    slopes = np.sqrt(1 - a) / (a * spread**2 + 1 - a)
    given["weights"] = tuple((np.array(given["weights"]) * slopes).tolist())
    model = Model.from_graph(graph_of(chain_of(Channels(begin=1, end=2), 6, **given), 1), {})
    y = model(np.zeros((200_000, 1), np.float32))
    assert y.std() == pytest.approx(published, rel=4 / np.sqrt(2 * len(y)))
    assert abs(y.mean()) < 5 * published / np.sqrt(len(y))
    # Each of its samples is what the recursion makes of the very noise that was drawn.
    site = next(n.output.buffer for n in model.graph.plan.nodes if n.path.endswith("noise"))
    z = [normals(np.arange(64), 1, site=site, step=6 - i)[:, 0].astype(float) for i in range(6)]
    x = z[0]
    for i in range(6):
        x = given["scales"][i] * (1 - given["weights"][i]) * x
        if i < 5:
            x = x + given["deviations"][i] * z[i + 1]
    np.testing.assert_allclose(y[:64, 0], x, atol=1e-5)


def test_a_level_reaches_its_step_and_no_other() -> None:
    """A network that gives the encoding of its level alone: the chain is a sum of known numbers."""
    zero = Activation(function="affine", a=0.0)
    network = Serial(
        layers=(Channels(begin=0, end=2), zero, NoiseLevel(), Channels(begin=0, end=1))
    )
    sizes = {"scales": (1.0, 1.0), "weights": (0.5, 0.25), "deviations": (0.0, 0.0)}
    layer = chain_of(network, 2, **sizes, levels=(0.9, 0.3))
    model = Model.from_graph(graph_of(layer, 1), {})
    site = next(n.output.buffer for n in model.graph.plan.nodes if n.path.endswith("noise"))
    z = normals(np.arange(10), 1, site=site, step=2)[:, 0]
    wanted = z - 0.5 * np.sin(0.9) - 0.25 * np.sin(0.3)
    np.testing.assert_allclose(model(np.zeros((10, 1), np.float32))[:, 0], wanted, atol=1e-6)


def test_steps_share_the_tensors_of_their_network() -> None:
    sizes = {"scales": (1.0,) * 3, "weights": (0.1,) * 3, "deviations": (0.0,) * 3}
    layer = chain_of(Linear(outputs=1), 3, **sizes, levels=(0.5,) * 3)
    graph = graph_of(layer, 1)
    assert set(graph.tensor_specs) == {
        f"refine.step.x.found.network.{part}" for part in ("weight", "bias")
    }
    twice = Serial(layers=(Linear(name="a", outputs=1), Linear(name="a", outputs=1)))
    with pytest.raises(GraphError, match="two layers own tensor"):
        _ = graph_of(twice, 1).tensor_specs


def test_a_wavegrad_that_finds_no_noise_leaves_the_chain_of_noise() -> None:
    state = wavegrad_state((2,) * 5, (2,) * 5, 2)
    state |= {n: np.zeros_like(state[n]) for n in ("last_conv.weight", "last_conv.bias")}
    made = convert_wavegrad(state, {}, "zero")
    vocoder = Vocoder(Model.from_graph(made.graph, made.tensors), preset="wavegrad24")
    found = vocoder(np.full((128, 2), 0.5, np.float32))
    x = sample(made.graph, SCHEDULES["wavegrad-6"], 600, lambda x, t: 0.0).numpy()
    np.testing.assert_allclose(found, x, atol=2e-6)


def test_published_steps_of_a_searched_schedule() -> None:
    """BDDM's seven betas for LJ Speech and the steps of 200 that its code prints for them; both are
    rounded (2203.13508)."""
    betas = (1.3559395e-4, 1.0096e-3, 8.7783756e-3, 0.13596368, 0.27755702, 0.28930983, 0.3)
    steps = (0.178188, 3.29096, 12.6131, 54.324, 96.4441, 126.502, 151.692)
    found = align(betas, SCHEDULES["diffwave-200"].betas)
    np.testing.assert_allclose(found, steps, rtol=1e-5, atol=2.5e-4)


def test_two_forms_of_a_step_are_one() -> None:
    """k0 x0 + k1 x, the posterior's mean (DDPM, equation 7), is c1 (x - c2 epsilon)."""
    scheduler = Scheduler(SIX.training_betas)
    scheduler.set_betas(SIX.betas)
    c, a = scheduler.coefficients(), alphas_bar(SIX.betas)
    before = np.concatenate(([1.0], a[:-1]))
    betas = np.array(SIX.betas)
    k0 = np.sqrt(before) * betas / (1 - a)
    k1 = np.sqrt(1 - betas) * (1 - before) / (1 - a)
    np.testing.assert_allclose(k0 / np.sqrt(a) + k1, c.c1, rtol=1e-12)
    np.testing.assert_allclose(k0 * np.sqrt(1 - a) / np.sqrt(a), c.c1 * c.c2, rtol=1e-12)


def test_the_table_of_steps_is_that_of_float32() -> None:
    """Made in float64 it is another one: entries of the package's differ by up to 0.023."""
    network = DiffWave(condition=1, channels=1, dilations=(1,))
    steps = np.arange(50)
    angles = steps[:, None] * 10.0 ** (np.arange(64) * 4 / 63)
    double = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    assert np.abs(network.embed(tuple(map(float, steps))) - double).max() == pytest.approx(
        0.023, abs=0.0015
    )


def small_vocoder(kind: str, **options: Any) -> Vocoder:
    """Of the published receptive field: 3,069 samples to each side a step, or a thousand."""
    if kind == "diffwave":
        made = convert_diffwave(diffwave_state(30, 3), {}, kind)
    else:
        made = convert_wavegrad(wavegrad_state((4,) * 5, (4,) * 5, 4), {}, kind)
    model = Model.from_graph(made.graph, made.tensors, kind)
    return Vocoder(model, preset=made.metadata["mel_preset"], **options)


@pytest.mark.parametrize("kind", ["diffwave", "wavegrad"])
def test_a_mel_shorter_than_the_receptive_field(kind: str) -> None:
    """Both ends of the signal lie in every sample's field; a frame alone is vocoded too."""
    torch = pytest.importorskip("torch")
    from rtaudio.nn import Net

    vocoder = small_vocoder(kind, steps=2)
    graph = vocoder.model.graph
    net = Net(graph, vocoder.model.tensors).double()
    for frames in (1, 5):
        mel = np.random.default_rng(frames).random((vocoder.num_mels, frames), np.float32)
        assert frames * vocoder.hop < graph.plan.output.delay
        with torch.no_grad():
            wanted = net(torch.from_numpy(mel).double()[None])[0, 0].numpy()
        whole = vocoder(mel)
        assert whole.shape == wanted.shape == (frames * vocoder.hop,)
        # Two steps from pure noise magnify rounding; an end gone wrong is off by far more.
        assert np.abs(whole - wanted).max() < 1e-4
        again = np.concatenate(list(vocoder.stream(mel, block_frames=1)))
        assert again.tobytes() == whole.tobytes()
    empty = np.zeros((vocoder.num_mels, 0), np.float32)
    assert vocoder(empty).shape == (0,)
    assert list(vocoder.stream(empty)) == []


@pytest.mark.parametrize("kind", ["diffwave", "wavegrad"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda mel: np.where(mel > 0.9, np.nan, mel), "NaN"),
        (lambda mel: mel[1:], "takes a mel of"),
        (lambda mel: mel.T, "transposed"),
        (lambda mel: 100 * mel - 100, "are no mel of"),  # decibels, not scaled
        (lambda mel: np.log(mel + 1e-5), "are no mel of"),
        (lambda mel: 20 * mel, "are no mel of"),  # magnitudes
        (lambda mel: mel.astype(complex), "holds numbers"),
    ],
)
def test_what_is_no_mel_of_the_preset_is_told(kind: str, change: Any, sentence: str) -> None:
    vocoder = small_vocoder(kind, steps=1)
    mel = np.random.default_rng(0).random((vocoder.num_mels, 40), np.float32)
    with pytest.raises(MelError, match=sentence):
        vocoder.push(change(mel))
    # Nothing of it has been heard: what follows is as it would have been.
    fresh = small_vocoder(kind, steps=1)
    assert vocoder.push(mel).tobytes() == fresh.push(mel).tobytes()


def test_memory_does_not_grow_with_the_signal() -> None:
    """Some blocks, then many more: the high-water mark stays."""
    vocoder = small_vocoder("diffwave", steps=2)
    mel = np.full((80, 20), 0.5, np.float32)

    def high_water(blocks: int) -> int:
        for _ in range(blocks):
            vocoder.push(mel)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = high_water(4)
    assert high_water(30) - first < 256  # KiB; the samples alone would be 600


def test_a_causal_chain_looks_at_nothing_to_come() -> None:
    """And DiffWave's no further than it declares: the law that a later change of the input moves no
    earlier bit, for the networks of their published depth."""
    causal = DiffWave(condition=2, channels=3, dilations=tuple(2**i for i in range(7)), causal=True)
    both = DiffWave(condition=2, channels=3, dilations=tuple(2**i for i in range(7)))
    sizes: dict[str, Any] = {
        "scales": (1.1, 1.0),
        "weights": (0.5, 0.2),
        "deviations": (0.3, 0.0),
        "timesteps": (3.0, 0.0),
    }
    for network, ahead in ((causal, 0), (both, 2 * 127)):
        layer = Refine(network=network, **sizes)
        graph = graph_of(layer, 2)
        assert graph.plan.output.delay == ahead
        tensors = graph.initial_tensors(0)
        model = Model.from_graph(graph, tensors)
        x = np.random.default_rng(0).standard_normal((900, 2)).astype(np.float32)
        changed = x.copy()
        changed[600:] += 1.0
        a, b = (np.asarray(model(each)) for each in (x, changed))
        first = np.flatnonzero((a != b).any(1))[0]
        assert a[: 600 - ahead].tobytes() == b[: 600 - ahead].tobytes()
        assert first - (600 - ahead) < 300  # it does reach that far, or nearly
    assert all(law.passed is not False for law in verify_streaming(layer, channels=2).laws)


def test_steps_share_the_memory_of_their_network() -> None:
    status = Path("/proc/self/statm")
    if not status.is_file():
        pytest.skip("needs /proc")

    def resident() -> int:
        return int(status.read_text().split()[1]) * resource.getpagesize()

    network = Serial(layers=tuple(Linear(name=n, outputs=c) for n, c in (("a", 1000), ("b", 1000))))
    network = Serial(layers=(network, Linear(name="c", outputs=1)))
    sizes = {"scales": (1.0,) * 40, "weights": (0.1,) * 40, "deviations": (0.0,) * 40}
    graph = graph_of(chain_of(network, 40, **sizes, levels=(0.5,) * 40), 1)
    tensors = graph.initial_tensors(0)
    before = resident()
    model = Model.from_graph(graph, tensors)
    assert resident() - before < 60 << 20  # a matrix of 4 MB; forty of them would be 160
    assert np.isfinite(model(np.zeros((10, 1), np.float32))).all()
