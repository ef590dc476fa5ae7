"""Two spectrograms or mels under each other as a PNG with axes (matplotlib, the extra [plot])."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.demo.png import palette
from rtaudio.demo.spectrogram import Spectrogram, colour_range, frequency_ticks
from rtaudio.errors import RtaudioError
from rtaudio.io.sink import AtomicFile, write_error


def has_matplotlib() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def check_matplotlib() -> None:
    if not has_matplotlib():
        raise RtaudioError(
            "drawing needs matplotlib, which is not installed; pip install 'rtaudio[plot]'"
        )


def save_plot(path: Path, title: str, before: Spectrogram, after: Spectrogram) -> None:
    """Draw the input above the output, on the same colours. The file appears when complete."""
    check_matplotlib()
    # The Figure itself, without pyplot: no global state and no display.
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    pictures = [("input", before.decibels()), ("output", after.decibels())]
    low, high = colour_range(pictures[0][1])
    colours = ListedColormap([tuple(row) for row in palette() / 255.0])
    figure = Figure(figsize=(10, 6), dpi=150, layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    image: Any = None
    for axis, (name, picture) in zip(axes, pictures, strict=True):
        image = axis.imshow(
            picture,
            origin="lower",
            aspect="auto",
            cmap=colours,
            vmin=low,
            vmax=high,
            extent=(0, max(before.seconds, 1e-3), 0, 1),
            interpolation="antialiased",
        )
        ticks = frequency_ticks(before.sample_rate)
        axis.set_yticks([height for _, height in ticks], [label for label, _ in ticks])
        axis.set_ylabel(f"{name}, Hz")
    axes[0].set_title(title, fontsize=10, loc="left")
    axes[1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, label="dB", shrink=0.6, pad=0.01)
    _write(figure, path)


def save_mel_plot(
    path: Path,
    title: str,
    given: NDArray[np.float32],
    made: NDArray[np.float32],
    hop_seconds: float,
) -> None:
    """Draw the mel [mel, frame] that speech was made of above the mel of that speech."""
    check_matplotlib()
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    colours = ListedColormap([tuple(row) for row in palette() / 255.0])
    figure = Figure(figsize=(10, 6), dpi=150, layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    image: Any = None
    for axis, (name, mel) in zip(axes, (("given", given), ("made", made)), strict=True):
        image = axis.imshow(
            mel,
            origin="lower",
            aspect="auto",
            cmap=colours,
            vmin=float(given.min()),
            vmax=float(given.max()),
            extent=(0, hop_seconds * mel.shape[1], 0, mel.shape[0]),
            interpolation="antialiased",
        )
        axis.set_ylabel(f"mel {name}")
    axes[0].set_title(title, fontsize=10, loc="left")
    axes[1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01)
    _write(figure, path)


def _write(figure: Any, path: Path) -> None:
    file = AtomicFile(path)
    try:
        figure.savefig(file.temporary, format="png")
    except OSError as error:
        raise write_error(path, error) from None
    else:
        file.commit()
    finally:
        file.abort()
