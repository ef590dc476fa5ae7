"""Augmentation and procedural noise. Every function takes a generator and float32 mono samples.

The mixtures of training never repeat, but their parts are few; what generalises is bought here:
speed, spectral envelope, rooms, layering, gating and noises that no recording holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

Signal = NDArray[np.float32]
Rng = np.random.Generator

RATE = 16000


def change_speed(x: Signal, ratio: float) -> Signal:
    """Resample so that pitch, formants and tempo rise together by `ratio`."""
    import soxr

    return np.asarray(soxr.resample(x, ratio, 1.0, quality="LQ"), dtype=np.float32)


def low_pass(x: Signal, rate: int) -> Signal:
    """What a narrower channel of sampling rate `rate` leaves of `x`, time aligned."""
    spectrum = np.fft.rfft(x)
    edge = rate / 2 * 0.96
    bins = np.fft.rfftfreq(x.size, 1 / RATE)
    spectrum *= np.clip((rate / 2 - bins) / (rate / 2 - edge), 0, 1)
    return np.fft.irfft(spectrum, x.size).astype(np.float32)


def envelope(rng: Rng, size: int, spread_db: float, points: int) -> NDArray[np.float64]:
    """A smooth random gain over `size` rfft bins, on a nearly logarithmic frequency axis."""
    centre = np.linspace(0, 1, points)
    gain_db = np.cumsum(rng.normal(0, spread_db / np.sqrt(points), points))
    gain_db += rng.normal(0, spread_db / 3, points)
    axis = np.log1p(np.arange(size) / size * 80) / np.log(81)
    return np.asarray(10 ** (np.interp(axis, centre, gain_db - gain_db.mean()) / 20))


def equalise(rng: Rng, x: Signal, spread_db: float = 6.0) -> Signal:
    spectrum = np.fft.rfft(x, x.size + 512)
    spectrum *= envelope(rng, spectrum.size, spread_db, int(rng.integers(3, 9)))
    if rng.random() < 0.3:  # a small microphone or a DC blocker
        spectrum[: int(rng.uniform(30, 200) / RATE * (x.size + 512))] *= 0.1
    return np.fft.irfft(spectrum, x.size + 512)[: x.size].astype(np.float32)


def normalise(x: Signal, level_db: float = -26.0) -> Signal:
    """Scale to `level_db` dBFS over the active frames (those within 30 dB of the loudest)."""
    frames = x[: x.size // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(1)
    active = power > power.max() * 1e-3
    rms = np.sqrt(power[active].mean() + 1e-12) if active.any() else 1.0
    return np.asarray(x * (10 ** (level_db / 20) / rms), dtype=np.float32)


def make_rooms(rng: Rng, count: int) -> list[Signal]:
    """Shoebox responses by the image-source method, cut to start at the direct sound."""
    import pyroomacoustics as pra

    out: list[Signal] = []
    while len(out) < count:
        size = np.array([rng.uniform(2.5, 9), rng.uniform(2.5, 8), rng.uniform(2.3, 3.8)])
        rt60 = rng.uniform(0.12, 0.7)
        try:
            absorption, order = pra.inverse_sabine(rt60, size)
        except ValueError:  # such a room cannot be that dead
            continue
        room = pra.ShoeBox(
            size, fs=RATE, materials=pra.Material(absorption), max_order=min(order, 12)
        )
        room.add_source(size * rng.uniform(0.15, 0.85, 3))
        room.add_microphone(size * rng.uniform(0.15, 0.85, 3))
        room.compute_rir()
        h = np.asarray(room.rir[0][0], dtype=np.float32)
        h = h[max(int(np.abs(h).argmax()) - 8, 0) :][: int(0.8 * RATE)]
        out.append(h / np.abs(h).max())
    return out


def reverberate(x: Signal, h: Signal) -> tuple[Signal, Signal]:
    """The signal in the room, and the part of it that arrives within about 50 ms."""
    early = h[:1200] * np.interp(np.arange(h[:1200].size), [480, 1200], [1, 0])
    return (
        fftconvolve(x, early)[: x.size].astype(np.float32),
        fftconvolve(x, h)[: x.size].astype(np.float32),
    )


def random_curve(rng: Rng, size: int, knots_per_second: float) -> NDArray[np.float64]:
    knots = max(int(size / RATE * knots_per_second), 2) + 1
    return np.interp(np.linspace(0, knots - 1, size), np.arange(knots), rng.normal(size=knots))


def coloured(rng: Rng, size: int) -> Signal:
    """Stationary noise: a power law under a random spectral envelope."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    slope = rng.uniform(-0.3, 1.3)
    spectrum *= np.maximum(np.arange(spectrum.size), 20 * size / RATE) ** -slope
    spectrum *= envelope(rng, spectrum.size, rng.uniform(0, 15), int(rng.integers(3, 24)))
    return np.fft.irfft(spectrum, size).astype(np.float32)


def modulated(rng: Rng, size: int) -> Signal:
    """Coloured noise whose level swells, pulses or is switched."""
    x = coloured(rng, size)
    kind = rng.integers(4)
    if kind == 0:
        gain_db = rng.uniform(3, 10) * random_curve(rng, size, rng.uniform(0.3, 8))
        return np.asarray(x * 10 ** (gain_db / 20), dtype=np.float32)
    if kind == 1:
        rate = 2 ** rng.uniform(0, 6.5)
        phase = 2 * np.pi * np.cumsum(rate * (1 + 0.05 * random_curve(rng, size, 4))) / RATE
        return np.asarray(x * (1 + rng.uniform(0.3, 1) * np.sin(phase)), dtype=np.float32)
    if kind == 2:
        gate = (random_curve(rng, size, rng.uniform(1, 6)) > rng.uniform(-0.5, 1)) + 0.01
        return np.asarray(x * gate, dtype=np.float32)
    fade = np.clip(random_curve(rng, size, 3), 0, 1)  # from one colour to another
    return np.asarray(x * fade + coloured(rng, size) * (1 - fade), dtype=np.float32)


def wind(rng: Rng, size: int) -> Signal:
    """Low rumble in gusts, with the microphone's overload bursts."""
    pole = rng.uniform(0.97, 0.998)
    x = lfilter([1 - pole], [1, -pole], rng.standard_normal(size))
    x = lfilter([1 - 0.9 * pole], [1, -0.9 * pole], x)
    gain = 10 ** (rng.uniform(4, 12) * random_curve(rng, size, rng.uniform(0.5, 4)) / 20)
    x = x / (np.abs(x).std() + 1e-9) * gain
    return np.asarray(np.tanh(x * rng.uniform(0.05, 0.6)), dtype=np.float32)


def hum(rng: Rng, size: int) -> Signal:
    """Mains hum, whine of a motor or fan: harmonics of a slowly moving fundamental."""
    f0 = rng.choice([50, 60, 100, 120]) if rng.random() < 0.4 else 2 ** rng.uniform(5, 10.5)
    drift = rng.choice([0, 0.003, 0.03]) * random_curve(rng, size, rng.uniform(0.3, 3))
    phase = 2 * np.pi * np.cumsum(f0 * (1 + drift)) / RATE
    x = np.zeros(size)
    for k in range(1, min(int(7500 / f0), 40) + 1):
        amplitude = rng.exponential() * k ** -rng.uniform(0.3, 1.5)
        x += amplitude * np.sin(k * phase + rng.uniform(0, 6.28))
    if rng.random() < 0.5:
        x *= 1 + 0.5 * random_curve(rng, size, 2)
    floor = coloured(rng, size)
    floor *= x.std() / (floor.std() + 1e-9) * 10 ** (rng.uniform(-30, 5) / 20)
    return np.asarray(x + floor, dtype=np.float32)


def resonator(rng: Rng) -> Signal:
    """The ring of a struck body: a few decaying modes and a burst of noise."""
    seconds = 10 ** rng.uniform(-2.2, -0.5)
    t = np.arange(int(seconds * 5 * RATE)) / RATE
    x = np.zeros(t.size)
    for _ in range(rng.integers(1, 7)):
        decay = seconds * rng.uniform(0.2, 1)
        x += (
            rng.exponential()
            * np.sin(2 * np.pi * 2 ** rng.uniform(6, 12.8) * t + rng.uniform(0, 6))
            * np.exp(-t / decay)
        )
    burst = rng.standard_normal(t.size) * np.exp(-t / (seconds * rng.uniform(0.05, 0.5)))
    return np.asarray(x + rng.exponential() * burst, dtype=np.float32)


def impacts(rng: Rng, size: int) -> Signal:
    """Keys, clicks, knocks, hammers, machines: strikes at regular or random times."""
    x = np.zeros(size, dtype=np.float32)
    bodies = [resonator(rng) for _ in range(rng.integers(1, 6))]
    period = 10 ** rng.uniform(-1.5, 0.3)
    jitter = rng.choice([0.02, 0.3, 1.0])
    at = rng.uniform(0, period)
    while at < size / RATE:
        start = int(at * RATE)
        h = bodies[rng.integers(len(bodies))][: size - start]
        x[start : start + h.size] += h * 10 ** (rng.normal(0, 4) / 20)
        at += max(period * (1 + jitter * rng.normal()), 0.01)
    floor = coloured(rng, size)
    return np.asarray(
        x + floor * x.std() / (floor.std() + 1e-9) * 10 ** (rng.uniform(-50, -5) / 20),
        dtype=np.float32,
    )


def beeps(rng: Rng, size: int) -> Signal:
    """Alarms, tones, sweeps: pitched sounds with no voice in them."""
    f = 2 ** (rng.uniform(8, 11.5) + rng.uniform(0.1, 1) * random_curve(rng, size, 3))
    if rng.random() < 0.6:
        steps = np.maximum(np.arange(size) // int(RATE * 10 ** rng.uniform(-1.3, 0)), 0)
        f = f[0] * 2 ** (rng.integers(0, 13, steps.max() + 1)[steps] / 12)
    x = np.sin(2 * np.pi * np.cumsum(f) / RATE)
    if rng.random() < 0.5:
        x = np.tanh(x * rng.uniform(1, 10))
    gate = random_curve(rng, size, rng.uniform(1, 8)) > rng.uniform(-1, 0.5)
    smooth = np.convolve(gate, np.ones(80) / 80, mode="same")
    return np.asarray(x * smooth + 1e-4 * rng.standard_normal(size), dtype=np.float32)


SYNTHETIC = (coloured, modulated, modulated, wind, hum, impacts, impacts, beeps)
