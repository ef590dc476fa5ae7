"""RNNoise through the library that pyrnnoise carries, called without its int16 rounding."""

from __future__ import annotations

import ctypes
from importlib.metadata import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48000
FRAME = 480


def _library() -> Any:
    # Loaded by path: importing the package would pull matplotlib and an audio toolkit.
    path = next(f for f in files("pyrnnoise") or [] if f.name.startswith("librnnoise"))
    library = ctypes.CDLL(str(path.locate()))
    pointer = ctypes.POINTER(ctypes.c_float)
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library


class RNNoise:
    name = "rnnoise"
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self._library = _library()

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """48 kHz mono in and out, delayed by 20 ms."""
        state = self._library.rnnoise_create(None)
        padded = np.pad(x, (0, -x.size % FRAME)).astype(np.float32) * 32768
        out = np.empty_like(padded)
        pointer = ctypes.POINTER(ctypes.c_float)
        for i in range(0, padded.size, FRAME):
            frame = np.ascontiguousarray(padded[i : i + FRAME])
            p = frame.ctypes.data_as(pointer)
            self._library.rnnoise_process_frame(state, p, p)
            out[i : i + FRAME] = frame
        self._library.rnnoise_destroy(state)
        return out[: x.size] / 32768
