"""mu-law companding of ITU-T G.711's shape, as WaveNet uses it (van den Oord et al., 1609.03499,
section 2.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def mu_law_compress(x: ArrayLike, levels: int = 256) -> NDArray[np.float64]:
    """sign(x) ln(1 + mu |x|) / ln(1 + mu), mu = levels - 1, of samples limited to [-1, 1]."""
    mu = _mu(levels)
    x = np.clip(np.asarray(x, np.float64), -1.0, 1.0)
    return np.asarray(np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu))


def mu_law_expand(y: ArrayLike, levels: int = 256) -> NDArray[np.float64]:
    """The inverse of mu_law_compress."""
    mu = _mu(levels)
    y = np.clip(np.asarray(y, np.float64), -1.0, 1.0)
    return np.asarray(np.sign(y) * np.expm1(np.abs(y) * np.log1p(mu)) / mu)


def mu_law_encode(x: ArrayLike, levels: int = 256) -> NDArray[np.int64]:
    """Samples in [-1, 1] to codes 0 ... levels - 1."""
    return np.floor((mu_law_compress(x, levels) + 1) / 2 * _mu(levels) + 0.5).astype(np.int64)


def mu_law_decode(code: ArrayLike, levels: int = 256) -> NDArray[np.float64]:
    """Codes to samples. No code of an even number of levels is exactly zero."""
    code = np.asarray(code)
    if not np.issubdtype(code.dtype, np.integer) or (
        code.size and not 0 <= code.min() <= code.max() < levels
    ):
        raise ValueError(f"mu-law codes must be whole numbers from 0 to {levels - 1}.")
    return mu_law_expand(2.0 * code / _mu(levels) - 1.0, levels)


def _mu(levels: int) -> int:
    if not 2 <= levels <= 1 << 16:
        raise ValueError(f"mu-law has {levels} levels; it must have 2 to 65536.")
    return levels - 1
