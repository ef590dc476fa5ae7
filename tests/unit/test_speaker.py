"""The queue in front of a loudspeaker, without one."""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio import _native

RATE = 1000  # a fade lasts 5 samples


def queue(prebuffer: int = 10, capacity: int = 100, channels: int = 1) -> _native.SpeakerQueue:
    return _native.SpeakerQueue(
        sample_rate=RATE, channels=channels, prebuffer=prebuffer, capacity=capacity
    )


def ones(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def test_waits_for_the_pre_buffer_then_fades_in():
    p = queue(channels=2)
    assert p.write(ones(9)) == 9
    assert not p.process(20).any()
    p.write(ones(21))
    y = p.process(20)
    assert np.array_equal(y[:, 0], y[:, 1])
    assert y[:, 0] == pytest.approx([0.2, 0.4, 0.6, 0.8, *[1.0] * 16])
    assert (p.queued, p.played, p.underflows) == (10, 20, 0)


def test_samples_pass_unchanged():
    x = np.random.default_rng(0).uniform(-1, 1, 340).astype(np.float32)
    p, heard, at = queue(), [], 0
    while len(heard) < 50:
        at += p.write(x[at:])
        heard.append(p.process(7))
    y = np.concatenate(heard)[:, 0]
    assert np.array_equal(y[5 : len(x)], x[5:])


def test_running_dry_is_counted_fades_out_and_waits_again():
    p = queue()
    p.write(ones(12))
    y = p.process(20)[:, 0]
    assert y[12:] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert p.underflows == 1
    p.write(ones(5))
    assert not p.process(5).any()
    p.write(ones(5))
    assert p.process(1)[0, 0] == pytest.approx(0.2)
    assert p.underflows == 1


def test_a_finished_speech_is_short_and_no_underflow():
    p = queue()
    p.write(ones(6))
    p.finish()
    assert p.process(6).all()
    assert p.process(10)[-1] == 0
    assert (p.underflows, p.queued) == (0, 0)
    p.write(ones(6))  # the next speech has a pre-buffer again
    assert not p.process(6).any()


def test_cancel_fades_out_and_drops_what_was_written_before_it():
    p = queue()
    p.write(ones(50))
    p.process(20)
    p.cancel()
    p.write(-ones(20))  # the next speech
    y = p.process(12)[:, 0]
    assert y[:6] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0, 0.0], abs=1e-6)
    assert (y[6:] <= 0).all()
    rest = p.process(14)[:, 0]
    assert (rest <= 0).all()
    assert p.played == 20 + 5 + 20
    assert p.underflows == 0 or p.queued == 0


def test_a_full_queue_takes_no_more_and_limits_what_it_takes():
    p = queue(prebuffer=0, capacity=8)
    assert p.write(np.full(20, np.nan, np.float32)) == 8
    assert p.write(ones(1)) == 0
    assert not p.process(8).any()
    p.write(3 * ones(8))
    assert p.process(8).max() == 1.0


@pytest.mark.parametrize("numbers", [(0, 10), (10, 10), (-1, 5)])
def test_impossible_numbers_are_refused(numbers):
    prebuffer, capacity = numbers
    with pytest.raises(ValueError, match="pre-buffer"):
        _native.SpeakerQueue(
            sample_rate=RATE if prebuffer else 0, channels=1, prebuffer=prebuffer, capacity=capacity
        )
