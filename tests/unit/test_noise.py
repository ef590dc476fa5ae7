"""Noise by counters: published vectors, the very bits of the engine, and what it is like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtaudio.dsp.noise import log, normals, philox, uniforms
from rtaudio.graph import Feedback, Linear, Mixture
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model

# kat_vectors of the Random123 library, philox4x32-10.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(counter, key, words) -> None:
    np.testing.assert_array_equal(philox(counter, key), np.array(words, np.uint32))


def drawing(distribution: str, values: int) -> tuple[Model, int]:
    """A model whose samples are the bare noise, and its site."""
    head = Mixture(distribution=distribution, values=values, limit=100.0)
    graph = graph_of(Feedback(body=Linear(outputs=2 * values), head=head, hop=50), 1)
    zeros = {n: np.zeros(s.shape, np.float32) for n, s in graph.tensor_specs.items()}
    return Model.from_graph(graph, zeros), graph.plan.output.buffer


@pytest.mark.parametrize("values", [1, 2, 5])
def test_the_engine_draws_the_same_bits(values: int) -> None:
    model, site = drawing("gaussian", values)
    seed, number = 0xDEADBEEF, 0x12345678
    stream = model.stream(seed=seed, stream_numbers=[number])
    y = stream.push(np.zeros((40, 1), np.float32))
    wanted = normals(np.arange(2000), values, seed=seed, stream=number, site=site)
    np.testing.assert_array_equal(y, wanted)


def test_the_engine_draws_the_same_logistic_bits() -> None:
    model, site = drawing("logistic", 3)
    y = model.stream(channels=1).push(np.zeros((40, 1), np.float32))
    u = uniforms(np.arange(2000), 3, site=site)
    np.testing.assert_array_equal(y, log(u) - log(np.float32(1) - u))


def test_lanes_have_the_noise_of_their_stream_numbers_and_no_other() -> None:
    model, _ = drawing("gaussian", 1)
    x = np.zeros((8, 3), np.float32)
    stream = model.stream(channels=3, seed=7, stream_numbers=[4, 9, 4])
    y = stream.push(x)
    assert (y[:, 0] == y[:, 2]).all() and (y[:, 0] != y[:, 1]).any()
    alone = model.stream(seed=7, stream_numbers=[9]).push(x[:, :1])
    np.testing.assert_array_equal(y[:, 1], alone[:, 0])
    stream.reset(stream_numbers=[9, 4, 4])
    np.testing.assert_array_equal(stream.push(x)[:, 0], y[:, 1])
    stream.reset(seed=8)
    assert (stream.push(x)[:, 0] != y[:, 1]).any()


def test_positions_beyond_32_bits_are_others() -> None:
    assert (uniforms(1 << 32, 4) != uniforms(0, 4)).all()
    assert (uniforms((1 << 32) + 5, 4) == uniforms([(1 << 32) + 5], 4)[0]).all()


def test_numbers_are_distributed_as_they_should() -> None:
    u = uniforms(np.arange(200_000), 3).astype(np.float64)
    assert u.min() > 0 and u.max() < 1
    cells = np.histogram(u, 100, (0, 1))[0]
    expected = u.size / 100
    assert ((cells - expected) ** 2 / expected).sum() < 170  # chi-square of 99, p = 1e-5
    n = normals(np.arange(200_000), 2).astype(np.float64)
    error = 5 / math.sqrt(n.size)
    assert abs(n.mean()) < error and abs(n.var() - 1) < error * math.sqrt(2)
    assert abs((n**4).mean() - 3) < error * math.sqrt(96)
    assert abs((n[:, 0] * n[:, 1]).mean()) < 5 / math.sqrt(len(n))


def test_elementary_functions_are_near_the_true_ones() -> None:
    u = np.concatenate([uniforms(np.arange(5000), 4).ravel(), np.float32([2**-24, 1 - 2**-24])])
    np.testing.assert_allclose(log(u), np.log(u.astype(np.float64)), rtol=3e-7, atol=0)
    pairs = uniforms(np.arange(5000), 2)
    radius = np.sqrt(-2 * np.log(pairs[:, 0].astype(np.float64)))
    angle = 2 * np.pi * pairs[:, 1].astype(np.float64)
    np.testing.assert_allclose(normals(np.arange(5000), 2)[:, 0], radius * np.cos(angle), atol=2e-6)
    np.testing.assert_allclose(normals(np.arange(5000), 2)[:, 1], radius * np.sin(angle), atol=2e-6)
