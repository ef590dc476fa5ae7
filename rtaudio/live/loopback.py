"""The round trip from an output device back to an input device, measured by what is heard.

A known noise is played; where it is found in what was heard, to the sample, is the round trip. The
engine's recorder keeps both sides of every block, so nothing but the device lies in between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.errors import DeviceError
from rtaudio.live.config import LiveConfig
from rtaudio.live.devices import Device, check_rate
from rtaudio.live.stats import counts_of, decibels, glitches_of
from rtaudio.live.stream import DeviceStream

Signal = NDArray[np.float64]

LEAD_SECONDS, TEST_SECONDS, LONGEST_SECONDS = 0.3, 5.0, 1.0  # the last: of a round trip
AMPLITUDE = 0.1  # peaks at -20 dB of full scale
BLOCK_SECONDS = 0.010
SEGMENT_SECONDS = 0.05
SEARCH_SECONDS = 0.005  # how far a segment may have moved and still be found
FOUND = 8.0  # a peak of the correlation this far above its rms is no accident
FAINT = 0.7  # of the usual correlation: a segment below it came back altered
JUMP_SAMPLES = 0.75
SILENCE_SECONDS = 3.0  # without a block: the device does not run
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Echo:
    """What was found of the signal. `glitches`: places where it came back shifted or altered;
    `drift_ppm`: how much faster the input's clock is than the output's."""

    round_trip: int
    gain_db: float
    glitches: int
    drift_ppm: float


@dataclass(frozen=True, kw_only=True)
class Loopback:
    """A measurement. `echo` None: nothing of the signal came back."""

    sample_rate: int
    block: int
    seconds: float
    echo: Echo | None
    heard_peak_db: float
    driver_seconds: float | None  # the round trip as the driver states it
    counted_glitches: int  # by the engine: over- and underflows, late blocks
    counts: dict[str, int]


def probe_signal(sample_rate: int, seconds: float = TEST_SECONDS) -> Signal:
    """Silence, white noise, and silence in which the last of it can come back."""
    noise = np.random.default_rng(1).uniform(-AMPLITUDE, AMPLITUDE, round(seconds * sample_rate))
    lead, tail = (np.zeros(round(each * sample_rate)) for each in (LEAD_SECONDS, LONGEST_SECONDS))
    return np.concatenate([lead, noise, tail])


def measure(
    devices: tuple[Device, Device],
    config: LiveConfig | None = None,
    seconds: float = TEST_SECONDS,
) -> Loopback:
    """Plays on the second device and listens to the first, a second longer than `seconds`.

    Raises DeviceError where they cannot be opened or stand still.
    """
    config = config or LiveConfig()
    rate = config.sample_rate or devices[0].sample_rate
    check_rate(*devices, rate)
    block = config.block_samples or round(BLOCK_SECONDS * rate)
    signal = probe_signal(rate, seconds)
    channels = (min(2, devices[0].input_channels), min(2, devices[1].output_channels))
    engine = _native.LiveEngine(
        model=None,
        sample_rate=rate,
        block=block,
        input_channels=channels[0],
        output_channels=channels[1],
        lanes=1,
        placement="inline",
        ramp_seconds=0.0,
        record_seconds=10,
        signal=signal.tolist(),
    )
    stream = DeviceStream(
        engine, devices, sample_rate=rate, block=block, channels=channels, latency=config.latency
    )
    try:
        stream.start()
        heard, sent = _record(engine, signal.size)
        driver = stream.latency_seconds
    finally:
        stream.close(CLOSE_SECONDS)
    snapshot = engine.snapshot()
    return Loopback(
        sample_rate=rate,
        block=block,
        seconds=seconds,
        echo=find_echo(sent, heard, rate),
        heard_peak_db=decibels(float(np.abs(heard).max())),
        driver_seconds=None if driver is None else sum(driver),
        counted_glitches=glitches_of(snapshot),
        counts=counts_of(snapshot),
    )


def _record(engine: _native.LiveEngine, frames: int) -> tuple[Signal, Signal]:
    """What was heard and what was sent, block beside block."""
    taken: list[NDArray[np.float32]] = []
    count, last = 0, time.monotonic()
    while count < frames:
        blocks = engine.take_recording(1000)
        if blocks is not None:
            taken.append(blocks)
            count, last = count + len(blocks), time.monotonic()
        elif time.monotonic() - last > SILENCE_SECONDS:
            raise DeviceError(
                f"the devices open but no sound flows for {SILENCE_SECONDS:g} s; another program "
                "may hold them, or the sound server hangs."
            )
        time.sleep(0.05)
    both = np.concatenate(taken)[:frames].astype(np.float64)
    return both[:, 0], both[:, 1]


def find_echo(sent: Signal, heard: Signal, sample_rate: int) -> Echo | None:
    """Where and how `sent` came back; None where it did not. Both begin at the same frame."""
    begin = int(np.argmax(sent != 0.0))
    end = sent.size - int(np.argmax(sent[::-1] != 0.0))
    most = round(LONGEST_SECONDS * sample_rate)
    first = sent[begin : min(end, begin + sample_rate)]
    found = _correlation(first, heard[begin : begin + first.size + most])
    lag = _clear_peak(found)
    if lag is None:
        return None
    segment = round(SEGMENT_SECONDS * sample_rate)
    reach = round(SEARCH_SECONDS * sample_rate)
    lags, likeness = _follow(sent[begin:end], heard[begin:], lag, segment, reach, most)
    steps = np.diff(lags)
    jumps = np.abs(steps - np.median(steps)) > JUMP_SAMPLES
    drift = float(np.mean(steps[~jumps]))
    altered = likeness < FAINT * np.median(likeness)
    altered[1:] |= jumps
    # Segments beside each other are one glitch.
    glitches = int(altered[0]) + int(np.count_nonzero(altered[1:] & ~altered[:-1]))
    return Echo(
        round_trip=lag,
        gain_db=decibels(abs(float(found[lag])) / float(first @ first)),
        glitches=glitches,
        drift_ppm=1e6 * drift / segment,
    )


def _clear_peak(found: Signal) -> int | None:
    """Where the correlation is highest, of either sign; None where that may be an accident."""
    size = np.abs(found)
    best = int(np.argmax(size))
    return best if size[best] > FOUND * float(np.sqrt(np.mean(found**2))) else None


def _correlation(part: Signal, whole: Signal) -> Signal:
    """sum_t part[t] whole[t + lag] for the lags at which all of `part` lies within `whole`."""
    size = 1 << (part.size + whole.size - 1).bit_length()
    product = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    lags = whole.size - part.size + 1
    return np.asarray(np.fft.irfft(product, size)[:lags], np.float64)


def _follow(
    sent: Signal, heard: Signal, lag: int, segment: int, reach: int, most: int
) -> tuple[Signal, Signal]:
    """Each segment's own lag, to a fraction of a sample, and how like it is to what was sent."""
    lags, likeness = [], []
    padded = np.concatenate([np.zeros(reach), heard, np.zeros(segment + reach)])
    for begin in range(0, sent.size - segment + 1, segment):
        part = sent[begin : begin + segment]
        # Near the last one; where it is not there, anywhere. `start` is an index of padded.
        for start, room in ((max(0, begin + lag), 2 * reach), (begin, reach + most)):
            found = _correlation(part, padded[start : start + segment + room])
            best = _clear_peak(found)
            if best is not None:
                break
        if best is None:
            lags.append(float(lag))
            likeness.append(0.0)
            continue
        lag = start + best - reach - begin
        back = padded[start + best : start + best + segment]
        lags.append(lag + _vertex(np.abs(found), best))
        likeness.append(abs(float(found[best])) / np.sqrt(float(part @ part) * float(back @ back)))
    return np.array(lags), np.array(likeness)


def _vertex(values: Signal, best: int) -> float:
    """Of the parabola through the highest value and its neighbours, beside the highest."""
    if not 0 < best < values.size - 1:
        return 0.0
    left, middle, right = values[best - 1 : best + 2]
    curve = left - 2.0 * middle + right
    return float(0.5 * (left - right) / curve) if curve < 0.0 else 0.0
