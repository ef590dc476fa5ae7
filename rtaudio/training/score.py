"""Scores of the development set: one per clip, and their means as rows of a table."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp import metrics

from .dev_set import KINDS, Clip

Signal = NDArray[np.float32]
LOWEST_PESQ = 1.04
CSV_HEADER = ",".join(
    ["file", "pesq", "sisdr", "clean_pesq", "clean_sisdr", "attn", *(f"pesq_{k}" for k in KINDS)]
)


@dataclass(frozen=True, kw_only=True)
class Score:
    """One clip's figures; nan where a measure says nothing about such a clip."""

    kind: str
    snr_db: float
    pesq_wb: float = np.nan
    si_sdr_db: float = np.nan
    estoi: float = np.nan
    attenuation_db: float = np.nan


def score_clip(clip: Clip, noisy: Signal, clean: Signal, output: Signal) -> Score:
    """`output` is aligned with `noisy`. ESTOI is left out where pystoi is not installed."""
    if clip.kind == "noise-only":
        attenuation = metrics.attenuation_db(output, noisy)
        return Score(kind=clip.kind, snr_db=clip.snr_db, attenuation_db=attenuation)
    # PESQ raises on silence; a network that has gone wrong must not end the run that would show it.
    sounds = bool(np.isfinite(output).all() and output.any())
    has_estoi = importlib.util.find_spec("pystoi") is not None
    return Score(
        kind=clip.kind,
        snr_db=clip.snr_db,
        pesq_wb=metrics.pesq_wb(output, clean) if sounds else LOWEST_PESQ,
        si_sdr_db=metrics.si_sdr(output, clean),
        estoi=metrics.estoi(output, clean) if has_estoi else np.nan,
    )


def score_set(
    clips: Iterable[tuple[Clip, Signal, Signal]], enhance: Callable[[Signal], Signal]
) -> list[Score]:
    return [score_clip(clip, noisy, clean, enhance(noisy)) for clip, noisy, clean in clips]


def is_noisy(score: Score) -> bool:
    return score.kind in KINDS


def of_kind(kind: str) -> Callable[[Score], bool]:
    return lambda score: score.kind == kind


def mean(scores: Sequence[Score], metric: str, keep: Callable[[Score], bool]) -> float:
    """nan where no clip is kept."""
    values = [getattr(score, metric) for score in scores if keep(score)]
    return float(np.mean(values)) if values else float("nan")


def csv_row(name: str, scores: Sequence[Score]) -> str:
    """One line under CSV_HEADER."""

    values = [
        mean(scores, "pesq_wb", is_noisy),
        mean(scores, "si_sdr_db", is_noisy),
        mean(scores, "pesq_wb", of_kind("clean")),
        mean(scores, "si_sdr_db", of_kind("clean")),
        mean(scores, "attenuation_db", of_kind("noise-only")),
        *(mean(scores, "pesq_wb", of_kind(kind)) for kind in KINDS),
    ]
    return ",".join([name, *(f"{value:.3f}" for value in values)])
