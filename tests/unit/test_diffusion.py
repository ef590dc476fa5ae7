"""Noise schedules and reverse steps against published float64 values and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio.diffusion import (
    SCHEDULES,
    Scheduler,
    align,
    alphas_bar,
    fibonacci_betas,
    find_schedule,
    linear_betas,
)
from rtaudio.diffusion.schedules import zero_terminal_snr
from rtaudio.errors import ScheduleError

FAST = SCHEDULES["diffwave-6"]
# alpha bar, c1, c2, sigma and the step of training of the six fast steps (DiffWave, PriorGrad).
FAST_TABLE = np.array(
    [
        (0.9999, 1.0000500037503126, 0.010000000000000552, 0.0, 0.0),
        (0.9989001, 1.0005003753127737, 0.030152505057338175, 0.009535059314092934,
         0.8941341034416549),
        (0.988911099, 1.005037815259212, 0.09496328881624193, 0.03149432812818013,
         4.086654023014474),
        (0.9394655440499999, 1.0259783520851542, 0.20322104607422042, 0.09570352483471553,
         10.451816523911088),
        (0.75157243524, 1.118033988749895, 0.40126391359378516, 0.2207579886646215,
         22.992493307367457),
        (0.37578621762, 1.414213562373095, 0.6328537058811556, 0.4460856127527266,
         42.9186430599322),
    ]
)  # fmt: skip
TWELVE_STEPS = (
    0, .4470111403809366, 1.0848710041123006, 1.552699241674152, 3.214269731668088,
    4.9117327343892745, 6.463695818431231, 11.654596032248918, 17.08696506823552,
    22.150632273137273, 30.219052030349403, 47.185097647233334,
)  # fmt: skip


def fast_scheduler(**options: object) -> Scheduler:
    scheduler = Scheduler(FAST.training_betas, **options)  # type: ignore[arg-type]
    scheduler.set_betas(FAST.betas)
    return scheduler


def test_coefficients_of_the_fast_steps() -> None:
    c = fast_scheduler().coefficients()
    found = np.stack([c.noise_levels**2, c.c1, c.c2, c.sigma, c.timesteps], axis=1)
    np.testing.assert_allclose(found, FAST_TABLE, rtol=2e-14, atol=1e-15)


def test_steps_after_v_are_one_multiply_add() -> None:
    rng = np.random.default_rng(1)
    scheduler = Scheduler(zero_terminal_snr(FAST.training_betas), prediction_type="v_prediction")
    scheduler.set_timesteps(4, "trailing")
    c = scheduler.coefficients()
    for n, timestep in enumerate(scheduler.timesteps[::-1]):
        x, v, z = rng.standard_normal((3, 9))
        made = c.c1[n] * (x - c.c2[n] * v) + c.sigma[n] * z
        np.testing.assert_allclose(made, scheduler.step(v, timestep, x, z).prev_sample, atol=1e-12)


def test_a_large_variance_keeps_white_noise_as_loud_as_it_is() -> None:
    """Where v is 0 the sample is noise of variance 1, and stays that (DDPM, section 3.2)."""
    scheduler = Scheduler(
        FAST.training_betas, prediction_type="v_prediction", variance_type="fixed_large"
    )
    c = scheduler.coefficients()
    np.testing.assert_allclose((c.c1**2 + c.sigma**2)[1:], 1.0, rtol=1e-12)
    assert c.sigma[0] == 0.0
    one = np.ones(1)
    step = scheduler.step(0 * one, scheduler.timesteps[3], one, one)
    assert step.prev_sample[0] == pytest.approx(c.c1[-4] + c.sigma[-4], rel=1e-12)
    small = Scheduler(FAST.training_betas, prediction_type="v_prediction").coefficients()
    np.testing.assert_array_equal(small.c1, c.c1)
    assert (small.sigma[1:] < c.sigma[1:]).all()
    with pytest.raises(ScheduleError, match="eta is 0; with a fixed_large variance it is 1"):
        Scheduler(FAST.training_betas, eta=0, variance_type="fixed_large")


def test_a_chain_to_noise_alone_can_be_set_again() -> None:
    betas = zero_terminal_snr(FAST.training_betas)
    scheduler = Scheduler(betas)
    scheduler.set_timesteps(4, "trailing")
    again = Scheduler(betas)
    again.set_betas(scheduler.betas)
    np.testing.assert_allclose(again.timesteps, scheduler.timesteps, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("diffwave-50", 0.27967250019288403),
        ("diffwave-200", 0.13218275425061793),
        ("wavegrad-1000", 0.00662264393544405),
        ("ddpm", 4.035829765375676e-05),
        ("cdiffuse-50", 0.4114663979618455),
        ("fregrad-50", 4.503279356904221e-08),
    ],
)
def test_where_known_chains_end(name: str, last: float) -> None:
    assert alphas_bar(find_schedule(name).betas)[-1] == pytest.approx(last, rel=1e-12)


def test_published_parts_of_other_schedules() -> None:
    assert alphas_bar(linear_betas(1e-4, 0.005, 1000))[-1] == pytest.approx(
        0.07774940808486067, rel=1e-12
    )
    assert fibonacci_betas(25)[-1] == pytest.approx(0.121393, rel=1e-12)
    twelve = SCHEDULES["priorgrad-12"]
    np.testing.assert_allclose(
        align(twelve.betas, twelve.training_betas), TWELVE_STEPS, rtol=1e-12, atol=1e-12
    )
    zero_snr = SCHEDULES["fregrad-50"].betas
    published = (0.0023725347, 0.066136398, 0.99994778)
    np.testing.assert_allclose([zero_snr[i] for i in (1, 25, 49)], published, rtol=1e-7)
    four = Scheduler(SCHEDULES["fastdiff-4"].training_betas)
    four.set_betas(SCHEDULES["fastdiff-4"].betas)
    np.testing.assert_allclose(
        four.coefficients().sigma,
        (0, 0.016914296638439828, 0.05104414366881848, 0.1669358843939776),
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("spread", "published"),
    [(0.1, 0.06490724363202852), (0.3, 0.21250083314864826), (1.0, 0.762408491697809)],
)
def test_the_spread_of_gaussian_data(spread: float, published: float) -> None:
    """With the exact prediction for data of a normal law, each step maps a spread to another."""
    scheduler = fast_scheduler()
    deviation = 1.0
    for t, level in zip(scheduler.timesteps, alphas_bar(FAST.betas)[::-1], strict=True):
        slope = np.sqrt(1 - level) / (level * spread**2 + 1 - level)
        one, zero = np.ones(1), np.zeros(1)
        kept = scheduler.step(slope * one, t, one, zero).prev_sample[0]
        added = scheduler.step(zero, t, zero, one).prev_sample[0]
        deviation = np.hypot(kept * deviation, added)
    assert deviation == pytest.approx(published, rel=1e-12)


def test_a_step_is_the_published_multiply_add() -> None:
    rng = np.random.default_rng(1)
    x, epsilon, z = rng.standard_normal((3, 100))
    scheduler = fast_scheduler(clip="sample")
    for n, t in enumerate(scheduler.timesteps[::-1]):
        _, c1, c2, sigma, _ = FAST_TABLE[n]
        expected = np.clip(c1 * (x - c2 * epsilon) + sigma * z, -1, 1)
        found = scheduler.step(epsilon, t, x, z).prev_sample
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_predictions_of_three_kinds_agree() -> None:
    rng = np.random.default_rng(2)
    clean, noise, z = 0.3 * rng.standard_normal((3, 50))
    level = alphas_bar(FAST.betas)[3]
    outputs = {
        "epsilon": noise,
        "sample": clean,
        "v_prediction": np.sqrt(level) * noise - np.sqrt(1 - level) * clean,  # 2202.00512
    }
    results = []
    for kind, output in outputs.items():
        scheduler = fast_scheduler(prediction_type=kind)
        t = scheduler.timesteps[2]
        x = scheduler.add_noise(clean, noise, t)
        step = scheduler.step(output, t, x, z)
        np.testing.assert_allclose(step.pred_original_sample, clean, atol=1e-14)
        results.append(step.prev_sample)
    np.testing.assert_allclose(results[1:], [results[0]] * 2, atol=1e-14)


def test_ddim_with_the_true_noise_gives_the_clean_sample() -> None:
    rng = np.random.default_rng(3)
    clean, noise = rng.standard_normal((2, 50))
    scheduler = Scheduler(linear_betas(1e-4, 0.02, 1000), eta=0.0)
    for spacing in ("leading", "trailing", "linspace"):
        scheduler.set_timesteps(7, spacing)  # type: ignore[arg-type]
        x = scheduler.add_noise(clean, noise, scheduler.timesteps[0])
        for t in scheduler.timesteps:
            x = scheduler.step(noise, t, x).prev_sample
        np.testing.assert_allclose(x, clean, atol=1e-12)


def test_a_clean_sample_beyond_full_scale_is_clipped() -> None:
    scheduler = fast_scheduler(clip="x0", prediction_type="sample")
    step = scheduler.step(np.array([3.0]), scheduler.timesteps[-1], np.array([0.5]))
    assert step.pred_original_sample[0] == 1.0
    assert step.prev_sample[0] == pytest.approx(1.0)  # the last step gives the clean sample


@pytest.mark.parametrize(
    ("betas", "what"),
    [
        ([], "shape"),
        ([[0.1]], "shape"),
        ([0.1, -0.2], "beta 1 of the schedule is -0.2"),
        ([0.1, 1.0], "beta 1 of the schedule is 1"),
        ([float("nan")], "beta 0 of the schedule is nan"),
    ],
)
def test_impossible_schedules(betas: list[float], what: str) -> None:
    with pytest.raises(ScheduleError, match=what):
        alphas_bar(betas)


def test_a_chain_noisier_than_training_is_refused() -> None:
    with pytest.raises(ScheduleError, match="beyond what was trained"):
        align([1e-4, 0.9], FAST.training_betas)
    assert align([1e-4, 0.9], FAST.training_betas, clamp=True)[-1] == 49


def test_misuse_of_steps() -> None:
    scheduler = fast_scheduler()
    x = np.zeros(4)
    with pytest.raises(ScheduleError, match="timestep 5 is none of the chain's"):
        scheduler.step(x, 5.0, x, x)
    with pytest.raises(ScheduleError, match="adds noise; give it"):
        scheduler.step(x, scheduler.timesteps[0], x)
    with pytest.raises(ScheduleError, match="one shape"):
        scheduler.step(np.zeros(3), scheduler.timesteps[0], x, x)
    with pytest.raises(ScheduleError, match="51 steps of 50"):
        scheduler.set_timesteps(51)
    with pytest.raises(ScheduleError, match="call step"):
        fast_scheduler(clip="x0").coefficients()
    with pytest.raises(ScheduleError, match="there is no schedule 'x'"):
        find_schedule("x")
    with pytest.raises(ScheduleError, match="eta is 2"):
        Scheduler(FAST.training_betas, eta=2.0)
    with pytest.raises(ScheduleError, match="prediction_type is 'noise'"):
        Scheduler(FAST.training_betas, prediction_type="noise")  # type: ignore[arg-type]
