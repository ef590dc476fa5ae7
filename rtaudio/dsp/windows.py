"""Windows for analysis and synthesis by weighted overlap-add."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError

WINDOWS = ("sqrt_hann", "hann", "vorbis", "rectangular")


def analysis_window(kind: str, window: int, hop: int) -> NDArray[np.float64]:
    """Periodic window of `window` samples. Raises GraphError for an unknown kind."""
    phase = np.arange(window) / window
    if kind == "sqrt_hann":
        return np.sin(np.pi * phase)
    if kind == "hann":
        return 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    if kind == "vorbis":  # squares of overlapping halves sum to one, as those of sqrt_hann
        return np.sin(0.5 * np.pi * np.sin(np.pi * (phase + 0.5 / window)) ** 2)
    if kind == "rectangular":
        return np.ones(window)
    raise GraphError(f"window is {kind!r}; it must be one of {', '.join(WINDOWS)}.")


def synthesis_window(kind: str, window: int, hop: int) -> NDArray[np.float64]:
    """The least-squares inverse of the analysis window (Griffin and Lim, 1984): overlapped
    products sum to one. Raises GraphError where window and hop leave a sample without weight."""
    w = analysis_window(kind, window, hop)
    padded = np.zeros(-(-window // hop) * hop)
    padded[:window] = w * w
    weight = padded.reshape(-1, hop).sum(axis=0)
    if weight.min() < 1e-6:
        raise GraphError(
            f"window {kind!r} of {window} with hop {hop} cannot be inverted; take a smaller hop."
        )
    return np.asarray(w / np.tile(weight, len(padded) // hop)[:window])
