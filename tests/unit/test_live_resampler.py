"""The live resampler against a float64 reference, and what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtaudio import _native
from rtaudio.runtime.model import load

RATES = [(48_000, 16_000), (16_000, 48_000), (44_100, 48_000), (48_000, 44_100), (44_100, 16_000)]
HALF_WIDTH, BETA, CUTOFF = 23, 8.0, 0.986


def reference(x: np.ndarray, rates: tuple[int, int], delay: float, count: int) -> np.ndarray:
    """The sum over the windowed sinc, in float64, normalised to a gain of 1 at 0 Hz."""
    low = rates[0] / min(rates)
    y = np.zeros(count)
    for j in range(count):
        time = j * rates[0] / rates[1] - delay  # in samples of the input
        reach = HALF_WIDTH * low
        taps = np.arange(math.ceil(time - reach), math.floor(time + reach) + 1)
        t = (taps - time) / low
        taps, t = (each[np.abs(t) < HALF_WIDTH * (1.0 - 1e-9)] for each in (taps, t))
        window = np.i0(BETA * np.sqrt(np.maximum(0.0, 1.0 - (t / HALF_WIDTH) ** 2)))
        weights = np.sinc(CUTOFF * t) * window
        inside = (taps >= 0) & (taps < x.size)
        y[j] = weights[inside] @ x[taps[inside]] / weights.sum()
    return y


def run(x: np.ndarray, rates: tuple[int, int], split: int) -> tuple[np.ndarray, float]:
    resampler = _native.LiveResampler(*rates, 1, split)
    return resampler.push(x.astype(np.float32)[:, None])[:, 0], resampler.delay


@pytest.mark.parametrize("rates", RATES)
def test_it_is_the_reference(rates):
    x = np.random.default_rng(1).standard_normal(600).astype(np.float32)
    y, delay = run(x, rates, 128)
    assert y.size == math.ceil(600 * rates[1] / rates[0])
    expected = reference(x.astype(np.float64), rates, delay, y.size)
    assert np.abs(y - expected).max() < 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("split", [1, 7, 160])
def test_any_split_gives_the_same_bits(rates, split):
    x = np.random.default_rng(2).standard_normal(1000)
    assert np.array_equal(run(x, rates, split)[0], run(x, rates, 480)[0])


def test_lanes_do_not_touch_each_other_and_reset_forgets():
    x = np.random.default_rng(3).standard_normal((500, 2)).astype(np.float32)
    both = _native.LiveResampler(48_000, 44_100, 2, 64)
    y = both.push(x)
    for lane in (0, 1):
        assert np.array_equal(y[:, lane], run(x[:, lane], (48_000, 44_100), 500)[0])
    both.reset()
    assert np.array_equal(both.push(x), y)


def level_db(frequency: float, rates: tuple[int, int], heard_at: float) -> float:
    """Level of what a sine of amplitude 1 gives at another frequency."""
    x = np.sin(2 * np.pi * frequency / rates[0] * np.arange(rates[0]))
    y, _ = run(x, rates, 4096)
    middle = y[y.size // 4 : y.size // 4 + rates[1] // 2]  # whole periods of whole hertz
    phase = np.exp(-2j * np.pi * heard_at / rates[1] * np.arange(middle.size))
    return 20 * math.log10(abs(phase @ middle.astype(np.float64)) * 2 / middle.size + 1e-12)


@pytest.mark.parametrize("rates", [(48_000, 16_000), (16_000, 48_000)])
def test_delay_passband_and_images(rates):
    delay_ms = 1e3 * _native.LiveResampler(*rates, 1, 1).delay / rates[0]
    print(f"{rates}: {delay_ms:.3f} ms")
    assert delay_ms <= 1.5
    levels = [level_db(f, rates, f) for f in (100, 1000, 3000, 5000, 6500, 7000, 7100, 7200)]
    print("passband", min(levels), max(levels))
    assert max(map(abs, levels)) <= 0.1
    images = [level_db(f, rates, 16_000 - f) for f in (1000, 4000, 6000, 7000, 7200)]
    if rates == (48_000, 16_000):
        images = [level_db(16_000 - f, rates, f) for f in (1000, 4000, 6000, 7000, 7200)]
    print("images", max(images))
    assert max(images) <= -80.0


def test_rates_that_need_too_large_a_table_are_refused():
    with pytest.raises(ValueError, match="44101 Hz needs too large a filter; use 44100 or 48000"):
        _native.LiveResampler(767_999, 44_101, 1, 480)
    with pytest.raises(ValueError, match="the input rate is 0 Hz"):
        _native.LiveResampler(0, 48_000, 1, 480)


def engine_at(rate: int, block: int, model_rate: int, lanes: int = 1) -> _native.LiveEngine:
    model = load("rt-tcn")
    controls = [port.to_kernel(0.0) for port in model.graph.controls]  # 0 dB: nothing is removed
    return _native.LiveEngine(
        model=(model.native(model_rate), model_rate, controls),
        sample_rate=rate,
        block=block,
        input_channels=lanes,
        output_channels=lanes,
        lanes=lanes,
        placement="inline",
        ramp_seconds=0.005,
        record_seconds=0,
    )


@pytest.mark.parametrize("block", [128, 480, 441])
@pytest.mark.parametrize("rates", [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000)])
def test_a_model_between_two_resamplers_is_late_by_what_is_declared(rates, block):
    """With nothing removed the model is a delay: the output is the input, that much later."""
    rate, model_rate = rates
    engine = engine_at(rate, block, model_rate)
    t = np.arange(40 * block)
    x = (0.5 * np.sin(2 * np.pi * 440.0 / rate * t)).astype(np.float32)[:, None]
    y = engine.process(x)[:, 0]
    late = engine.delay
    settled = slice(late + 1000, None)
    expected = 0.5 * np.sin(2 * np.pi * 440.0 / rate * (t - late))
    assert np.abs(y - expected)[settled].max() < 1e-3


def test_stereo_lanes_are_two_monos():
    rng = np.random.default_rng(4)
    x = (0.1 * rng.standard_normal((4800, 2))).astype(np.float32)
    both = engine_at(48_000, 480, 16_000, lanes=2).process(x)
    for lane in (0, 1):
        alone = engine_at(48_000, 480, 16_000).process(x[:, lane : lane + 1])
        assert np.array_equal(both[:, lane], alone[:, 0])
