"""The differentiable loudness disturbance of training."""

import torch

from rtaudio.training.perceptual import Disturbance, threshold_db


def speech_like(generator: torch.Generator) -> torch.Tensor:
    """[lane, frame, bin] power that falls with frequency and pulses in time."""
    frames, bins = torch.arange(200.0), torch.arange(161.0)
    envelope = torch.exp(-bins / 25) * (0.05 + torch.sin(frames / 9)[:, None] ** 2)
    return (envelope * torch.rand(200, 161, generator=generator))[None]


def test_no_difference_is_no_disturbance_at_any_level() -> None:
    power = speech_like(torch.Generator().manual_seed(0))
    assert float(Disturbance()(power * 7.3, power)) < 0.12  # only the floors under the roots


def test_more_noise_disturbs_more() -> None:
    generator = torch.Generator().manual_seed(1)
    power = speech_like(generator)
    noise = torch.rand(power.shape, generator=generator) * power.mean()
    measure = Disturbance()
    values = [float(measure(power + noise * 10 ** (-snr / 10), power)) for snr in (20, 10, 0, -10)]
    assert values == sorted(values) and values[0] < 0.5 * values[-1]


def test_added_sound_disturbs_more_than_lost_sound() -> None:
    power = speech_like(torch.Generator().manual_seed(2))
    hole = power.clone()
    hole[:, 80:100] *= 0.01
    measure = Disturbance()
    assert float(measure(power, hole)) > 1.2 * float(measure(hole, power))


def test_gradient_is_finite_in_digital_silence() -> None:
    power = torch.zeros(1, 64, 161, requires_grad=True)
    Disturbance()(power, torch.zeros(1, 64, 161)).sum().backward()
    assert power.grad is not None and bool(torch.isfinite(power.grad).all())


def test_threshold_in_quiet_is_lowest_where_ears_are_best() -> None:
    hz = torch.tensor([100.0, 1000.0, 3300.0, 8000.0])
    quiet = threshold_db(hz).tolist()  # Terhardt 1979: about 23, 3.4, -5, 5 dB SPL
    assert min(quiet) == quiet[2]
    assert abs(quiet[0] - 23.0) < 0.5 and abs(quiet[1] - 3.4) < 0.2
