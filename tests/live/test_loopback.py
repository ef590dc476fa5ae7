"""The round trip, measured: on arrays with known faults, and through a real audio server."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest

from rtaudio.live.loopback import find_echo, probe_signal

from .playing import python

RATE = 48_000
MEASURE = """
import json, sys
from rtaudio.live.config import LiveConfig
from rtaudio.live.devices import find_device
from rtaudio.live.loopback import measure
devices = find_device("rig", "input"), find_device("rig", "output")
found = measure(devices, LiveConfig(block_samples=int(sys.argv[1])), seconds=1.0)
echo = found.echo
print(json.dumps([echo.round_trip, echo.gain_db, echo.glitches, echo.drift_ppm]))
"""


def delayed(x: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([np.zeros(frames), x])[: x.size]


@pytest.fixture(scope="module")
def sent() -> np.ndarray:
    return probe_signal(RATE, 2.0)


def first_sound(x: np.ndarray) -> int:
    return int(np.argmax(x != 0.0))


@pytest.mark.parametrize("frames", [0, 1, 777, 30_000])
@pytest.mark.parametrize("gain", [1.0, -0.25, 0.001])
def test_a_delay_is_found_to_the_sample(sent, frames, gain):
    echo = find_echo(sent, gain * delayed(sent, frames), RATE)
    assert echo is not None
    assert echo.round_trip == frames
    assert echo.gain_db == pytest.approx(20 * np.log10(abs(gain)), abs=0.01)
    assert echo.glitches == 0
    assert abs(echo.drift_ppm) < 1.0


def test_a_room_and_noise_are_no_glitches(sent):
    """A microphone at a speaker: a decaying echo, and noise as loud as what is heard."""
    rng = np.random.default_rng(2)
    room = rng.standard_normal(2_000) * np.exp(-np.arange(2_000) / 200.0)
    room[0] = 8.0
    heard = np.convolve(delayed(sent, 1_234), room)[: sent.size]
    heard += np.std(heard) * rng.standard_normal(heard.size)
    echo = find_echo(sent, heard, RATE)
    assert echo is not None
    assert echo.round_trip == 1_234
    assert echo.glitches == 0


def test_silence_and_other_sounds_are_no_echo(sent):
    assert find_echo(sent, np.zeros_like(sent), RATE) is None
    other = np.random.default_rng(3).standard_normal(sent.size)
    assert find_echo(sent, other, RATE) is None


def lose_a_sample(x: np.ndarray, at: int) -> np.ndarray:
    return np.append(np.delete(x, at), 0.0)


def repeat_a_block(x: np.ndarray, at: int) -> np.ndarray:
    return np.insert(x, at, x[at - 480 : at])[: x.size]


def silence_a_block(x: np.ndarray, at: int) -> np.ndarray:
    y = x.copy()
    y[at : at + 2_400] = 0.0
    return y


@pytest.mark.parametrize("damage", [lose_a_sample, repeat_a_block, silence_a_block])
def test_every_damage_is_a_glitch(sent, damage):
    heard = damage(damage(delayed(sent, 500), 40_000), 80_123)
    echo = find_echo(sent, heard, RATE)
    assert echo is not None
    assert echo.round_trip == 500
    assert echo.glitches == 2


@pytest.mark.parametrize("ppm", [-200, 100])
def test_clocks_that_drift_are_told_and_are_no_glitches(sent, ppm):
    size = 1 << 17
    times = np.arange(sent.size) * (1 - 1e-6 * ppm)
    # Sinc interpolation through a spectrum eight times as wide, then linearly.
    spectrum = np.fft.rfft(sent, 2 * size)
    fine = 8 * np.fft.irfft(np.pad(spectrum, (0, 7 * size)), 16 * size)
    heard = np.interp(8 * times, np.arange(fine.size), fine)
    echo = find_echo(sent, delayed(heard, 300), RATE)
    assert echo is not None
    assert echo.glitches == 0
    assert echo.drift_ppm == pytest.approx(ppm, abs=10)


def measured(server, delay: int, block: int) -> list[float]:
    rig = server.start_rig("cable", delay)
    try:
        program = python(server.environment, "-c", MEASURE, block, stdout=subprocess.PIPE)
        out, _ = program.communicate(timeout=60)
        return json.loads(out)
    finally:
        rig.stop()


def test_the_round_trip_of_a_cable(serve):
    server = serve(period=128)
    plain, longer = measured(server, 0, 128), measured(server, 1_000, 128)
    # The server's own graph delays by whole periods; the cable by what it was told.
    assert plain[0] % 128 == 0
    assert longer[0] - plain[0] == 1_000
    assert plain[1] == pytest.approx(0.0, abs=1e-6)


def test_doctor_measures_and_finds_a_lost_sample(serve):
    server = serve(period=128)
    rig = server.start_rig("cable", 500, 100_000)
    try:
        doctor = python(server.environment, "-m", "rtaudio", "doctor", "--loopback", "rig", "rig",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        out, err = doctor.communicate(timeout=60)
    finally:
        rig.stop()
    assert doctor.returncode == 0, err
    found = re.search(r"round trip +rig > rig: ([0-9.]+) ms, ([0-9]+) samples at 48000 Hz", out)
    assert found, out
    assert (int(found[2]) - 500) % 32 == 0  # blocks of 480 in periods of 128
    assert float(found[1]) == pytest.approx(int(found[2]) / 48, abs=0.06)
    assert re.search(r"glitch test +[1-9][0-9]* glitches in 5 s \(gain -?[01]\.[0-9] dB", out), out
    assert "Sound was lost" in out
    assert err.count("\n") == 1


def test_doctor_refuses_devices_that_are_not_there(serve):
    server = serve(period=128)
    rig = server.start_rig("counter", 10**9)
    try:
        doctor = python(server.environment, "-m", "rtaudio", "doctor", "--loopback", "rig",
                        "no such", stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        _, err = doctor.communicate(timeout=60)
    finally:
        rig.stop()
    assert doctor.returncode == 3
    assert err.startswith("rtaudio doctor: no output device is called 'no such'; there are: ")
