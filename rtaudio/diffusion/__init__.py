"""Diffusion in float64 numpy: noise schedules and the steps from noise to sound."""

from rtaudio.diffusion.scheduler import Scheduler, StepCoefficients, StepOutput
from rtaudio.diffusion.schedules import (
    SCHEDULES,
    NoiseSchedule,
    align,
    alphas_bar,
    fibonacci_betas,
    find_schedule,
    linear_betas,
    zero_terminal_snr,
)

__all__ = [
    "SCHEDULES",
    "NoiseSchedule",
    "Scheduler",
    "StepCoefficients",
    "StepOutput",
    "align",
    "alphas_bar",
    "fibonacci_betas",
    "find_schedule",
    "linear_betas",
    "zero_terminal_snr",
]
