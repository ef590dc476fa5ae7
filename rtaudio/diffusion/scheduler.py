"""Reverse steps of diffusion in float64: DDPM and DDIM, after any kind of prediction.

Used as the schedulers of other libraries are (set_timesteps, step, add_noise), with two things
added: `set_betas` takes a chain of its own, whose steps fall between those of training, and noise
is an argument, so that a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtaudio.diffusion.schedules import DoubleArray, align, alphas_bar, checked_betas
from rtaudio.errors import ScheduleError

Prediction = Literal["epsilon", "sample", "v_prediction"]
Clip = Literal["none", "sample", "x0"]
Spacing = Literal["leading", "trailing", "linspace"]
Variance = Literal["fixed_small", "fixed_large"]


@dataclass(frozen=True)
class StepCoefficients:
    """x' = clip(c1 (x - c2 output) + sigma z) of each step, cleanest first, [steps].

    `noise_levels` are the roots of alpha bar, `timesteps` the steps of training they stand for.
    """

    c1: DoubleArray
    c2: DoubleArray
    sigma: DoubleArray
    noise_levels: DoubleArray
    timesteps: DoubleArray


@dataclass(frozen=True)
class StepOutput:
    """The sample one step cleaner, and the clean sample that the prediction stands for."""

    prev_sample: DoubleArray
    pred_original_sample: DoubleArray


class Scheduler:
    """Steps from noise to sound. `eta` is 1 for DDPM (2006.11239), 0 for DDIM (2010.02502).

    training_betas: [training steps]. prediction_type: what the network gives. clip: limits to
    -1..1 the new sample ("sample", as DiffWave's code has it), the predicted clean one ("x0"), or
    nothing. variance_type: the variance of a step's noise, right for data of one value
    ("fixed_small") or for white noise of variance 1 ("fixed_large": beta; section 3.2 of DDPM).
    Raises ScheduleError for what no schedule can be.
    """

    def __init__(
        self,
        training_betas: Sequence[float] | DoubleArray,
        *,
        prediction_type: Prediction = "epsilon",
        clip: Clip = "none",
        eta: float = 1.0,
        variance_type: Variance = "fixed_small",
    ) -> None:
        for name, value, known in (
            ("prediction_type", prediction_type, ("epsilon", "sample", "v_prediction")),
            ("clip", clip, ("none", "sample", "x0")),
            ("variance_type", variance_type, ("fixed_small", "fixed_large")),
        ):
            if value not in known:
                raise ScheduleError(f"{name} is {value!r:.60}; it is one of {', '.join(known)}.")
        if not 0.0 <= eta <= 1.0:
            raise ScheduleError(f"eta is {eta}; it is 0 (DDIM) to 1 (DDPM).")
        if variance_type == "fixed_large" and eta != 1.0:
            raise ScheduleError(f"eta is {eta}; with a fixed_large variance it is 1.")
        self.prediction_type = prediction_type
        self.clip = clip
        self.eta = eta
        self.variance_type = variance_type
        self._training = checked_betas(training_betas)
        self._trained = alphas_bar(self._training)
        self._set(self._trained, np.arange(len(self._trained), dtype=np.float64))

    @property
    def timesteps(self) -> DoubleArray:
        """Steps of training in the order of use, from noise to sound; with set_betas, fractions."""
        return np.array(self._timesteps[::-1], np.float64)

    @property
    def betas(self) -> DoubleArray:
        """Of the chain, cleanest first."""
        return np.array(self._betas, np.float64)

    def set_timesteps(self, steps: int, spacing: Spacing = "leading") -> None:
        """Uses so many steps of training, spread evenly."""
        count = len(self._trained)
        if not 1 <= steps <= count:
            raise ScheduleError(f"{steps} steps of {count} trained are not possible.")
        if spacing == "leading":
            chosen = np.arange(steps) * (count // steps)
        elif spacing == "linspace":
            chosen = np.linspace(0, count - 1, steps).round().astype(np.int64)
        elif spacing == "trailing":
            chosen = np.arange(count, 0, -count / steps).round().astype(np.int64)[::-1] - 1
        else:
            raise ScheduleError(f"spacing is {spacing!r:.60}; it is leading, trailing or linspace.")
        self._set(self._trained[chosen], chosen.astype(np.float64))

    def set_betas(self, betas: Sequence[float] | DoubleArray, *, clamp: bool = False) -> None:
        """Uses a chain of its own; see `align` for its timesteps and for `clamp`."""
        self._set(alphas_bar(betas), align(betas, self._training, clamp=clamp))

    def _set(self, levels: DoubleArray, timesteps: DoubleArray) -> None:
        self._timesteps = timesteps
        self._alphas_bar = levels
        self._previous = np.concatenate(([1.0], levels[:-1]))
        self._betas = 1.0 - levels / self._previous

    def coefficients(self) -> StepCoefficients:
        """What a fused update after a prediction of epsilon or v needs, of every step (DDPM)."""
        if self.prediction_type == "sample" or self.eta != 1.0 or self.clip == "x0":
            raise ScheduleError(
                "only DDPM steps after a prediction of epsilon or v, clipped as a sample or not at "
                "all, are one multiply-add; call step() instead."
            )
        if self.prediction_type == "epsilon":
            c1 = 1.0 / np.sqrt(1.0 - self._betas)
            c2 = self._betas / np.sqrt(1.0 - self._alphas_bar)
        else:
            signal, spread = np.sqrt(self._alphas_bar), np.sqrt(1.0 - self._alphas_bar)
            left = self._left()
            c1 = np.sqrt(self._previous) * signal + left * spread
            c2 = (np.sqrt(self._previous) * spread - left * signal) / c1
        return StepCoefficients(
            c1=c1,
            c2=c2,
            sigma=self._sigmas(),
            noise_levels=np.sqrt(self._alphas_bar),
            timesteps=self._timesteps.copy(),
        )

    def _posterior(self) -> DoubleArray:
        """The standard deviation of a sample one step cleaner, were the clean one known."""
        share = (1.0 - self._previous) / (1.0 - self._alphas_bar)
        return self.eta * np.sqrt(share * self._betas)

    def _sigmas(self) -> DoubleArray:
        """The standard deviation of the noise that a step adds; 0 at the last one."""
        if self.variance_type == "fixed_small":
            return self._posterior()
        return np.sqrt(np.where(self._previous < 1.0, self._betas, 0.0))

    def _left(self) -> DoubleArray:
        """What of the noise in a sample stays there one step on."""
        return np.asarray(np.sqrt(np.maximum(1.0 - self._previous - self._posterior() ** 2, 0.0)))

    def step(
        self,
        model_output: DoubleArray,
        timestep: float,
        sample: DoubleArray,
        noise: DoubleArray | None = None,
    ) -> StepOutput:
        """One step from the network's output at `timestep` of `timesteps`.

        model_output, sample, noise: arrays of one shape; noise is of variance 1, or what a prior
        makes of it, and may be left out where the step adds none. Raises ScheduleError for a step
        the chain does not have, for shapes that differ and for missing noise.
        """
        n = self._index(timestep)
        output, x = np.asarray(model_output, np.float64), np.asarray(sample, np.float64)
        if output.shape != x.shape or (noise is not None and np.shape(noise) != x.shape):
            raise ScheduleError(
                f"the prediction is {output.shape}, the sample {x.shape} and the noise "
                f"{np.shape(noise) if noise is not None else None}; give arrays of one shape."
            )
        signal, spread = np.sqrt(self._alphas_bar[n]), np.sqrt(1.0 - self._alphas_bar[n])
        if self.prediction_type == "epsilon":
            clean = (x - spread * output) / signal
        elif self.prediction_type == "sample":
            clean = output
        else:
            clean = signal * x - spread * output
        if self.clip == "x0":
            clean = np.clip(clean, -1.0, 1.0)
        epsilon = (x - signal * clean) / spread
        sigma = self._sigmas()[n]
        previous = self._previous[n]
        new = np.sqrt(previous) * clean + self._left()[n] * epsilon
        if sigma > 0.0:
            if noise is None:
                raise ScheduleError(f"the step at {timestep:g} adds noise; give it.")
            new = new + sigma * np.asarray(noise, np.float64)
        if self.clip == "sample":
            new = np.clip(new, -1.0, 1.0)
        return StepOutput(new, clean)

    def add_noise(self, original: DoubleArray, noise: DoubleArray, timestep: float) -> DoubleArray:
        """The sample at a timestep of the chain: what training shows the network."""
        level = self._alphas_bar[self._index(timestep)]
        clean, spread = np.asarray(original, np.float64), np.asarray(noise, np.float64)
        return np.asarray(np.sqrt(level) * clean + np.sqrt(1.0 - level) * spread, np.float64)

    def _index(self, timestep: float) -> int:
        found = np.flatnonzero(self._timesteps == timestep)
        if not len(found):
            raise ScheduleError(
                f"timestep {timestep:g} is none of the chain's; take them from `timesteps`."
            )
        return int(found[-1])
