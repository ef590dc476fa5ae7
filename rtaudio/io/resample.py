"""Resampling block by block with soxr, aligned, with an exact length at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soxr

FloatArray = NDArray[np.float32]


class BlockResampler:
    """Converts a stream of (frames, channels) blocks from one rate to another.

    Any split of the input gives the same bits; soxr's own delay is removed, so frame t of the
    output is at the same time as frame t of the input.
    """

    def __init__(self, input_rate: int, output_rate: int, channels: int) -> None:
        import soxr

        self.input_rate = input_rate
        self.output_rate = output_rate
        self._channels = channels
        self._stream: soxr.ResampleStream = soxr.ResampleStream(
            input_rate, output_rate, channels, dtype="float32", quality="VHQ"
        )

    def push(self, block: FloatArray) -> FloatArray:
        if len(block) == 0:
            return np.zeros((0, self._channels), np.float32)
        return self._call(block, last=False)

    def flush(self) -> FloatArray:
        return self._call(np.zeros((0, self._channels), np.float32), last=True)

    def _call(self, block: FloatArray, *, last: bool) -> FloatArray:
        # soxr takes (frames,) or C-contiguous (frames, channels) and answers in kind.
        out = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return np.asarray(out, np.float32).reshape(-1, self._channels)
