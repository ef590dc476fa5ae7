"""What `rtaudio doctor` says of what it heard."""

from __future__ import annotations

import pytest

from rtaudio.cli.doctor_sound import describe
from rtaudio.live.loopback import Echo, Loopback


def loopback(echo: Echo | None, **changes) -> Loopback:
    values = {
        "sample_rate": 48_000,
        "block": 480,
        "seconds": 5.0,
        "echo": echo,
        "heard_peak_db": -20.0,
        "driver_seconds": 0.02,
        "counted_glitches": 0,
        "counts": {"late_calls": 0},
    }
    return Loopback(**(values | changes))


def echo(**changes) -> Echo:
    values = {"round_trip": 960, "gain_db": -0.02, "glitches": 0, "drift_ppm": 0.4}
    return Echo(**(values | changes))


def test_a_good_cable_needs_no_advice():
    trip, glitches = describe(loopback(echo()), "out > in")
    assert trip.text == (
        "out > in: 20.0 ms, 960 samples at 48000 Hz in blocks of 480; the driver says 20.0 ms"
    )
    assert glitches.text == "0 glitches in 5 s (gain 0.0 dB)"
    assert not trip.advice
    assert not glitches.advice


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        (loopback(None, heard_peak_db=-120.0), "by a cable"),
        (loopback(echo(round_trip=4_800)), "The round trip is long"),
        (loopback(echo(glitches=2)), "Sound was lost"),
        (loopback(echo(), counted_glitches=1), "Sound was lost"),
        (loopback(echo(), heard_peak_db=-0.1), "The input clips"),
    ],
)
def test_each_trouble_has_its_advice(found, advice):
    assert advice in " ".join(finding.advice for finding in describe(found, "out > in"))


def test_counters_drift_and_silence_are_named():
    found = loopback(
        echo(drift_ppm=-80.0), driver_seconds=None, counts={"late_calls": 3, "stalls": 1}
    )
    trip, glitches = describe(found, "out > in")
    assert "driver" not in trip.text
    assert glitches.text.endswith("drift by -80 ppm): 3 late blocks, 1 stalls")
    (nothing,) = describe(loopback(None, heard_peak_db=-120.0), "out > in")
    assert "nothing of the noise came back (heard: silence)" in nothing.text
