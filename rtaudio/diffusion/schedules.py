"""Noise schedules of diffusion vocoders, by name and by rule.

A schedule is the betas of a chain, from the cleanest step to the noisiest. Inference chains are
shorter than the chain of training; `align` says which (fractional) step of training each of their
steps is, so that a network that was told the step can be told it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import ScheduleError

DoubleArray = NDArray[np.float64]
MAX_STEPS = 100_000


@dataclass(frozen=True)
class NoiseSchedule:
    """Betas for inference and those of training, where the network counts its steps."""

    betas: tuple[float, ...]
    training_betas: tuple[float, ...]
    source: str


def checked_betas(betas: Sequence[float] | DoubleArray) -> DoubleArray:
    """The betas as float64 [steps]. Raises ScheduleError unless each lies between 0 and 1."""
    values = np.asarray(betas, np.float64)
    if values.ndim != 1 or not 1 <= len(values) <= MAX_STEPS:
        raise ScheduleError(
            f"a schedule of shape {values.shape} is not possible; give 1 to {MAX_STEPS} betas."
        )
    wrong = np.flatnonzero(~((values > 0) & (values < 1)))
    if len(wrong):
        raise ScheduleError(
            f"beta {wrong[0]} of the schedule is {values[wrong[0]]:g}; betas lie between 0 and 1."
        )
    return values


def alphas_bar(betas: Sequence[float] | DoubleArray) -> DoubleArray:
    """The cumulative products of 1 - beta, [steps]."""
    return np.asarray(np.cumprod(1.0 - checked_betas(betas)), np.float64)


def linear_betas(begin: float, end: float, steps: int) -> DoubleArray:
    """`steps` betas at equal distances (DDPM, 2006.11239)."""
    if not 1 <= steps <= MAX_STEPS:
        raise ScheduleError(f"{steps} steps are not possible; ask for 1 to {MAX_STEPS}.")
    return checked_betas(np.linspace(begin, end, steps))


def fibonacci_betas(steps: int, first: float = 1e-6, second: float = 2e-6) -> DoubleArray:
    """Each beta is the sum of the two before it (WaveGrad, 2009.00713, section 4)."""
    betas = [first, second]
    while len(betas) < steps:
        betas.append(betas[-2] + betas[-1])
    return checked_betas(betas[:steps])


def zero_terminal_snr(betas: Sequence[float] | DoubleArray, last: float = 1e-4) -> DoubleArray:
    """Betas whose chain ends in noise alone: the roots of alpha bar are moved down by what the last
    lies above `last`, then stretched so that the first stays (2305.08891, algorithm 1)."""
    roots = np.sqrt(alphas_bar(betas))
    first = roots[0]
    moved = roots - (roots[-1] - last)
    squares = (moved * (first / moved[0])) ** 2
    return checked_betas(1.0 - squares / np.concatenate(([1.0], squares[:-1])))


def align(
    betas: Sequence[float] | DoubleArray,
    training: Sequence[float] | DoubleArray,
    *,
    clamp: bool = False,
) -> DoubleArray:
    """The step of training, with a fraction, at which each step of inference has its noise.

    Linear in the root of alpha bar between two steps of training (DiffWave, 2009.09761, appendix
    B). A step beyond what was trained is its first or last with `clamp` (as FastDiff has it), and
    raises ScheduleError without.
    """
    wanted = np.sqrt(alphas_bar(betas))
    known = np.sqrt(alphas_bar(training))
    slack = 1e-12  # products in another order
    outside = wanted[0] > known[0] * (1 + slack) or wanted[-1] < known[-1] * (1 - slack) - slack
    if outside and not clamp:
        raise ScheduleError(
            f"the schedule's noise (alpha bar {wanted[0] ** 2:.6g} to {wanted[-1] ** 2:.6g}) goes "
            f"beyond what was trained ({known[0] ** 2:.6g} to {known[-1] ** 2:.6g}); choose betas "
            "whose products stay inside, or clamp=True."
        )
    return np.interp(-wanted, -known, np.arange(len(known), dtype=np.float64))


_DIFFWAVE = tuple(np.linspace(1e-4, 0.05, 50).tolist())
_WAVEGRAD = tuple(np.linspace(1e-6, 0.01, 1000).tolist())
_FAST = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)
_TWELVE = (0.0001, 0.0005, 0.0008, 0.001, 0.005, 0.008, 0.01, 0.05, 0.08, 0.1, 0.2, 0.5)
_CDIFFUSE = tuple(np.linspace(1e-4, 0.035, 50).tolist())

SCHEDULES: dict[str, NoiseSchedule] = {
    "ddpm": NoiseSchedule(
        (ddpm := tuple(np.linspace(1e-4, 0.02, 1000).tolist())), ddpm, "DDPM, 2006.11239"
    ),
    "diffwave-50": NoiseSchedule(_DIFFWAVE, _DIFFWAVE, "DiffWave base, 2009.09761"),
    "diffwave-200": NoiseSchedule(
        (large := tuple(np.linspace(1e-4, 0.02, 200).tolist())), large, "DiffWave large"
    ),
    "diffwave-6": NoiseSchedule(_FAST, _DIFFWAVE, "DiffWave fast sampling; PriorGrad, 2106.06406"),
    "priorgrad-12": NoiseSchedule(_TWELVE, _DIFFWAVE, "PriorGrad, 2106.06406"),
    "wavegrad-1000": NoiseSchedule(_WAVEGRAD, _WAVEGRAD, "WaveGrad as trained in public code"),
    "wavegrad-25": NoiseSchedule(
        tuple(fibonacci_betas(25).tolist()), _WAVEGRAD, "WaveGrad, 2009.00713, Fibonacci"
    ),
    "wavegrad-6": NoiseSchedule(
        (1e-6, 1.89287e-5, 1.19432e-4, 0.00100475, 0.0110943, 0.06), _WAVEGRAD, "searched"
    ),
    "fastdiff-3": NoiseSchedule((9e-5, 9e-3, 0.6), _WAVEGRAD, "FastDiff, 2204.09934"),
    "fastdiff-4": NoiseSchedule(
        (3.2176e-4, 2.5743e-3, 2.5376e-2, 7.0414e-1), _WAVEGRAD, "FastDiff, 2204.09934"
    ),
    "fastdiff-6": NoiseSchedule(
        (1.7838e-6, 2.7984e-5, 4.3231e-4, 6.6343e-3, 9.3570e-2, 0.6), _WAVEGRAD, "FastDiff"
    ),
    "fastdiff-8": NoiseSchedule(
        (6.689e-7, 1.0034e-5, 1.5497e-4, 2.3872e-3, 3.5598e-2, 0.36812, 0.47354, 0.5),
        _WAVEGRAD,
        "FastDiff",
    ),
    "cdiffuse-50": NoiseSchedule(_CDIFFUSE, _CDIFFUSE, "CDiffuSE, 2202.05256"),
    "cdiffuse-6": NoiseSchedule((*_FAST[:-1], 0.35), _CDIFFUSE, "CDiffuSE, 2202.05256"),
    "fregrad-50": NoiseSchedule(
        (fregrad := tuple(zero_terminal_snr(_DIFFWAVE).tolist())), fregrad, "FreGrad, 2401.10032"
    ),
}


def find_schedule(name: str) -> NoiseSchedule:
    """A named schedule. Raises ScheduleError with the names there are."""
    if name not in SCHEDULES:
        raise ScheduleError(f"there is no schedule {name!r:.60}; there are {', '.join(SCHEDULES)}.")
    return SCHEDULES[name]
