"""Noise as a function of where it is used, and of nothing else: Philox4x32-10 (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011), in the very bits of csrc/core/noise.h.

key = (seed, stream), counter = (position low, position high, step, site << 16 | draw): position is
signal time with delays removed, site the node that draws, draw a block of four 32-bit words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]
WordArray = NDArray[np.uint32]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)


def philox(counter: ArrayLike, key: tuple[int, int], rounds: int = 10) -> WordArray:
    """Four words for each counter [..., 4]."""
    words = np.asarray(counter, np.uint64)
    a, b, c, d = (words[..., i] for i in range(4))
    for i in range(rounds):
        k0, k1 = ((k + i * w) & 0xFFFFFFFF for k, w in zip(key, _WEYL, strict=True))
        first, second = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        high_first, high_second = first >> np.uint64(32), second >> np.uint64(32)
        a, b = high_second ^ b ^ np.uint64(k0), second & _LOW
        c, d = high_first ^ d ^ np.uint64(k1), first & _LOW
    return np.stack([a, b, c, d], axis=-1).astype(np.uint32)


def uniforms(
    positions: ArrayLike,
    count: int,
    *,
    seed: int = 0,
    stream: int = 0,
    site: int = 0,
    step: int = 0,
) -> FloatArray:
    """[..., count] numbers for each position, on a grid of 2^-23 inside (0, 1)."""
    at = np.asarray(positions, np.uint64)[..., None]
    draws = np.arange(-(-count // 4), dtype=np.uint64)
    last = np.uint64(site << 16) | draws
    counter = np.stack(
        np.broadcast_arrays(at & _LOW, at >> np.uint64(32), np.uint64(step), last), axis=-1
    )
    words = philox(counter, (seed, stream))
    words = words.reshape(*words.shape[:-2], -1)[..., :count]
    grid = (words >> np.uint32(9)).astype(np.float32) + np.float32(0.5)
    return np.asarray(grid * np.float32(2.0**-23))


def normals(
    positions: ArrayLike,
    count: int,
    *,
    seed: int = 0,
    stream: int = 0,
    site: int = 0,
    step: int = 0,
) -> FloatArray:
    """[..., count] Gaussian numbers for each position: uniforms 2i and 2i + 1 make 2i and 2i + 1
    (Box and Muller, 1958)."""
    even = count + count % 2
    u = uniforms(positions, even, seed=seed, stream=stream, site=site, step=step)
    return np.asarray(box_muller(u)[..., :count])


def box_muller(u: FloatArray) -> FloatArray:
    """Gaussian numbers from an even number of uniform ones, pair by pair."""
    radius = np.sqrt(np.float32(-2.0) * log(u[..., 0::2]))
    cosine, sine = _cos_sin_turns(u[..., 1::2])
    return np.stack([radius * cosine, radius * sine], axis=-1).reshape(u.shape)


def log(x: FloatArray) -> FloatArray:
    """ln of normal positive float32 numbers, from + - * alone: Cephes logf without fma."""
    bits = np.asarray(x, np.float32).view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float32)
    m = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    low = m < np.float32(0.707106781186547524)
    exponent = np.where(low, exponent - np.float32(1.0), exponent)
    m = np.where(low, m + m, m) - np.float32(1.0)
    square = m * m
    p = _polynomial(
        m,
        (
            *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1),
            *(1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1),
            3.3333331174e-1,
        ),
    )
    y = m * (square * p)
    y = y + np.float32(-2.12194440e-4) * exponent
    y = y - np.float32(0.5) * square
    return np.asarray((m + y) + np.float32(0.693359375) * exponent)


def _cos_sin_turns(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of 2 pi u, u in (0, 1): Cephes cosf and sinf around the nearest quarter."""
    quarters = np.floor(u * np.float32(4.0) + np.float32(0.5))
    a = (u * np.float32(4.0) - quarters) * np.float32(1.57079632679489662)
    z = a * a
    s = _polynomial(z, (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)) * z * a + a
    c = _polynomial(z, (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))
    c = (c * z * z - np.float32(0.5) * z) + np.float32(1.0)
    quadrant = quarters.astype(np.int32) & 3
    cosine = np.select([quadrant == 0, quadrant == 1, quadrant == 2], [c, -s, -c], s)
    sine = np.select([quadrant == 0, quadrant == 1, quadrant == 2], [s, c, -s], -c)
    return cosine, sine


def _polynomial(x: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    y = np.full_like(x, np.float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        y = y * x + np.float32(coefficient)
    return y
