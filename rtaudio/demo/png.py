"""A spectrogram as a PNG with a palette: small, and without a drawing package."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# "magma" of matplotlib (CC0) at nine points.
MAGMA = (
    "000004", "1c1044", "4f127b", "812581", "b5367a", "e55064", "fb8761", "fec287", "fcfdbf",
)  # fmt: skip


def palette() -> NDArray[np.uint8]:
    """256 colours, shape (256, 3)."""
    points = np.array([[int(each[i : i + 2], 16) for i in (0, 2, 4)] for each in MAGMA])
    at = np.linspace(0, len(points) - 1, 256)
    channels = [np.interp(at, np.arange(len(points)), points[:, i]) for i in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=1)), np.uint8)


def spectrogram_png(decibels: FloatArray, low: float, high: float, max_width: int = 1400) -> bytes:
    """decibels: (rows, columns), lowest frequency first; one pixel a value, at most max_width."""
    columns = decibels.shape[1]
    if columns > max_width:
        # Averages, so that nothing short is lost between the columns that are kept.
        edges = np.linspace(0, columns, max_width + 1).astype(int)
        sums = np.add.reduceat(decibels, edges[:-1], axis=1)
        decibels = (sums / np.diff(edges)).astype(np.float32)
    scaled = np.clip((decibels[::-1] - low) / (high - low), 0, 1)
    # 64 levels look the same and pack in half the bytes.
    indices = (np.rint(scaled * 63) * 255 / 63).astype(np.uint8)
    return encode_palette_png(indices, palette())


def encode_palette_png(indices: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    height, width = indices.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", colours.tobytes()),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
