"""Heads of autoregressive networks: published likelihoods, draws as often as they are likely."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtaudio.errors import GraphError, RtaudioError  # noqa: E402
from rtaudio.graph import Feedback, Linear, Mixture, MuLawSoftmax, Sampler  # noqa: E402
from rtaudio.graph.heads import Head  # noqa: E402
from rtaudio.nn import log_probability  # noqa: E402
from rtaudio.nn.heads import draw  # noqa: E402
from rtaudio.runtime.laws import graph_of  # noqa: E402
from rtaudio.runtime.model import Model  # noqa: E402

MIXTURE = [0.0, 1.0, -1.0, 0.1, -0.2, 0.5, -3.0, -2.0, -4.0]
MASSES = {
    256: [-6.292658689497, -4.774077729095, -4.619842601578, -4.399497987714, -9.245603029461],
    65536: [-6.321443514271, -10.323111668370, -10.169084124145, -9.948248731275, -9.274464713721],
}
DRAWS = 100_000


def parameters(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[None, :, None]


def logistics(**more: float) -> Mixture:
    return Mixture(distribution="logistic", components=3, **more)


@pytest.mark.parametrize("levels", [256, 65536])
def test_a_mixture_of_logistics_has_its_published_masses(levels: int) -> None:
    y = torch.tensor([-1, -0.3, 0, 0.12, 1], dtype=torch.float64)[None, None]
    found = log_probability(logistics(levels=levels), parameters(MIXTURE).expand(1, 9, 5), y)
    np.testing.assert_allclose(found[0, 0], MASSES[levels], atol=2e-10)


def test_masses_of_all_levels_sum_to_one() -> None:
    y = torch.linspace(-1, 1, 256, dtype=torch.float64)[None, None]
    found = log_probability(logistics(levels=256), parameters(MIXTURE).expand(1, 9, 256), y)
    assert abs(float(found.exp().sum()) - 1) < 1e-12


def test_a_mixture_of_gaussians_has_its_published_density() -> None:
    head = Mixture(distribution="gaussian", components=3)
    y = torch.tensor([[[0.12]]], dtype=torch.float64)
    log_density = float(log_probability(head, parameters(MIXTURE), y))
    assert log_density == pytest.approx(0.656891490565, abs=1e-11)


def test_a_draw_from_a_mixture_has_its_published_value() -> None:
    uniforms = torch.tensor([[0.3, 0.6, 0.9, 0.0, 0.25, 0.5]], dtype=torch.float64)
    x = draw(logistics(), Sampler(), parameters(MIXTURE)[:, :, 0], uniforms, torch.zeros(1))
    assert float(x) == pytest.approx(-0.348681005254, abs=1e-11)


def sampled(head: Head, values: list[float], sampler: Sampler, flags: list[float]) -> np.ndarray:
    """DRAWS samples of the engine for each flag, [flag, draw]; the network is a constant."""
    loop = Feedback(body=Linear(outputs=len(values)), head=head, sampler=sampler, hop=10_000)
    graph = graph_of(loop, 1 + int(sampler.needs_voiced))
    tensors = {n: np.zeros(s.shape, np.float32) for n, s in graph.tensor_specs.items()}
    tensors["bias"] = np.array(values, np.float32)
    stream = Model.from_graph(graph, tensors).stream(
        channels=graph.input.channels, max_ticks=1, seed=3
    )
    frames = np.repeat(np.array(flags, np.float32), DRAWS // 10_000)
    x = np.stack([np.zeros_like(frames), frames], axis=1)[:, : graph.input.channels]
    return stream.push(np.ascontiguousarray(x)).reshape(len(flags), -1)


def chi_square(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """Standard deviations above what a chi-square has by chance (Wilson and Hilferty, 1931)."""
    expected = probabilities / probabilities.sum() * counts.sum()
    freedom = len(counts) - 1
    found = ((counts - expected) ** 2 / expected).sum()
    shrink = 2 / (9 * freedom)
    return float(((found / freedom) ** (1 / 3) - (1 - shrink)) / math.sqrt(shrink))


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_codes_come_as_often_as_their_softmax_says(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 1, 256)
    head = MuLawSoftmax()
    y = sampled(head, list(logits), Sampler(temperature=temperature), [0.0])
    counts = np.bincount(head.encode(y[0]).astype(int), minlength=256)
    assert chi_square(counts, np.exp(logits / temperature)) < 4


def test_codes_by_mode() -> None:
    logits = np.random.default_rng(1).normal(0, 1, 32)
    head, flags = MuLawSoftmax(levels=32), [0.0, 1.0]
    codes = {
        mode: head.encode(sampled(head, list(logits), Sampler(mode=mode), flags)).astype(int)
        for mode in ("argmax", "greedy", "mode")
    }
    counts = {m: [np.bincount(row, minlength=32) for row in c] for m, c in codes.items()}
    assert (codes["argmax"] == logits.argmax()).all()
    assert (codes["greedy"][-1] == logits.argmax()).all()
    assert chi_square(counts["greedy"][0], np.exp(logits)) < 4
    assert chi_square(counts["mode"][0], np.exp(logits)) < 4
    assert chi_square(counts["mode"][1], np.exp(logits / 0.7)) < 4


@pytest.mark.parametrize(
    ("distribution", "unit"), [("logistic", math.pi**2 / 3), ("gaussian", 1.0)]
)
def test_draws_from_a_mixture_have_its_moments(distribution: str, unit: float) -> None:
    weights, means = np.array([0.3, 0.6, 0.1]), np.array([0.1, -0.2, 0.4])
    scales = np.array([0.02, 0.05, 0.03])
    head = Mixture(distribution=distribution, components=3)
    values = [*np.log(weights), *means, *np.log(scales)]
    y = sampled(head, values, Sampler(mode="mode", voiced_scale=0.5), [0.0, 1.0]).astype(float)
    mean = float(weights @ means)
    for row, factor in zip(y, (1.0, 0.5), strict=True):
        variance = float(weights @ (unit * (factor * scales) ** 2 + means**2) - mean**2)
        assert abs(row.mean() - mean) < 5 * math.sqrt(variance / DRAWS)
        assert abs(row.var() - variance) < 0.02 * variance
    likeliest = sampled(head, values, Sampler(mode="greedy"), [0.0, 1.0])
    assert (likeliest[1] == np.float32(-0.2)).all()
    np.testing.assert_array_equal(likeliest[0, :100], y[0, :100].astype(np.float32))


def test_rounding_and_companding() -> None:
    coarse = Mixture(distribution="gaussian", levels=11)
    y = sampled(coarse, [0.1, -1.0], Sampler(), [0.0])
    steps = (y + 1) * 5
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)
    assert y.min() == -1 and y.max() == 1  # clipped
    companded = Mixture(distribution="gaussian", mu_law_levels=256)
    plain = sampled(Mixture(distribution="gaussian"), [0.1, -1.0], Sampler(), [0.0])
    np.testing.assert_allclose(
        sampled(companded, [0.1, -1.0], Sampler(), [0.0]), companded.decode(plain), atol=1e-6
    )


def test_parameters_that_are_no_numbers_do_not_live_on() -> None:
    loop = Feedback(body=Linear(outputs=2), head=Mixture(distribution="gaussian", limit=1e6))
    graph = graph_of(loop, 1)
    tensors = {
        "weight": np.array([[3e38, 3e38], [0, 0]], np.float32),
        "bias": np.zeros(2, np.float32),
    }
    y = Model.from_graph(graph, tensors).stream().push(np.full((9, 1), 1e14, np.float32))
    assert np.isfinite(y).all()


def test_what_cannot_be_a_feedback_is_told() -> None:
    head = Mixture(distribution="gaussian")
    with pytest.raises(GraphError, match="makes 3 channels, but its head has 2 parameters"):
        graph_of(Feedback(body=Linear(outputs=3), head=head), 1)
    with pytest.raises(GraphError, match="no condition"):
        graph_of(Feedback(body=Linear(outputs=2), head=head, sampler=Sampler(mode="mode")), 1)
    inner = Feedback(body=Linear(outputs=2), head=head)
    with pytest.raises(GraphError, match="one loop in another"):
        graph_of(Feedback(body=inner, head=head), 1)
    with pytest.raises(GraphError, match="cannot stand among layers"):
        graph_of(head, 2)
    with pytest.raises(GraphError, match="mode is 'best'"):
        Sampler(mode="best")
    with pytest.raises(RtaudioError, match="stream numbers for 1 lanes"):
        Model.from_graph(graph_of(inner, 1), graph_of(inner, 1).initial_tensors()).stream(
            stream_numbers=[1, 2]
        )
