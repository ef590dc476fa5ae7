"""Many streams in one session: they come, wait and go, and give the bits that they give alone."""

from __future__ import annotations

import random

import numpy as np
import pytest

import rtaudio
from rtaudio.graph import LSTM, Conv1d, GatedStack, Layer, Linear, Serial
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model

from ..laws.catalogue import EXAMPLES

LAYER = Serial(
    layers=(
        Conv1d(outputs=20, kernel_size=6, stride=3, lookahead_frames=2),
        GatedStack(
            channels=20, gate_channels=18, skip_channels=17, kernel_size=3, dilations=(1, 4, 2)
        ),
        LSTM(hidden=19),
        Linear(outputs=1),
    )
)


def model_of(layer: Layer = LAYER, channels: int = 1) -> Model:
    graph = graph_of(layer, channels)
    return Model.from_graph(graph, graph.initial_tensors(3))


def noise(frames: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(frames).astype(np.float32) * 0.3


def test_streams_that_come_and_go_give_the_bits_of_streams_alone() -> None:
    model, rng = model_of(), random.Random(5)
    pool = rtaudio.Pool(model, lanes=21)
    signals = [noise(rng.choice([0, 1, 2, 3, 50, 200, 333]), seed) for seed in range(60)]
    waiting, active, answers = list(enumerate(signals)), {}, {}
    while waiting or active:
        while waiting and pool.num_open < pool.session.lanes and rng.random() < 0.7:
            index, x = waiting.pop()
            active[index] = (pool.open(), x, [])
        for index, (stream, x, got) in list(active.items()):
            if len(x) == 0:
                stream.end()
            elif rng.random() < 0.6:
                size = rng.randint(1, 40)
                stream.push(x[:size])
                active[index] = (stream, x[size:], got)
        pool.run()
        for index, (stream, _, got) in list(active.items()):
            got.append(stream.pull())
            if stream.done:
                stream.close()
                answers[index] = np.concatenate(got)
                del active[index]
    for index, x in enumerate(signals):
        np.testing.assert_array_equal(answers[index], model(x), err_msg=f"stream {index}")
    assert pool.num_open == 0


def test_a_denoisers_lanes_are_held_reset_and_alike() -> None:
    model = rtaudio.load("rt-tcn")
    session = rtaudio.Session(model, 18, 16_000, max_ticks=3)
    block, rounds = session.block_samples, 9
    x = np.stack([noise(rounds * block, seed) for seed in range(18)])
    held = np.zeros(18, bool)
    held[3] = True
    outputs = []
    for i in range(0, rounds, 3):
        session.hold(held if i == 3 else np.zeros(18, bool))
        outputs.append(session.process(x[:, i * block : (i + 3) * block]))
    y = np.concatenate(outputs, axis=1)
    assert not outputs[1][3].any()
    alone = model(x[5], 16_000)[: -session.delay_samples]
    np.testing.assert_array_equal(y[5, session.delay_samples :], alone)
    moved = np.concatenate([x[3, : 3 * block], x[3, 6 * block :]])
    got = np.concatenate([outputs[0][3], outputs[2][3]])
    wanted = model(moved, 16_000)[: -session.delay_samples]
    np.testing.assert_array_equal(got[session.delay_samples :], wanted)
    session.reset(held)
    again = session.process(np.roll(x, 1, axis=0)[:, : 3 * block])
    np.testing.assert_array_equal(again[3], np.float32(y[2, : 3 * block]))


def test_bad_samples_stay_in_their_lane_and_are_counted() -> None:
    model = model_of()
    session = rtaudio.Session(model, 2)
    x = np.stack([noise(30, 1), noise(30, 2)])
    wanted = session.process(x)[1]
    session.reset()
    x[0, ::2] = np.nan
    y = session.process(x)
    np.testing.assert_array_equal(y[1], wanted)
    assert np.isfinite(y).all()
    assert (session.num_bad_samples(0), session.num_bad_samples(1)) == (15, 0)


def test_a_control_is_that_of_all_lanes() -> None:
    model = rtaudio.load("rt-tcn")
    session = rtaudio.Session(model, 2, 16_000, controls={"attenuation_limit_db": 6.0})
    x = np.stack([noise(1600, 1)] * 2)
    y = session.process(x)
    wanted = model(x[0], 16_000, attenuation_limit_db=6.0)
    np.testing.assert_array_equal(y[1, session.delay_samples :], wanted[: -session.delay_samples])
    session.set_control("attenuation_limit_db", 0.0)
    with pytest.raises(rtaudio.RtaudioError, match="no control 'gain'"):
        session.set_control("gain", 1.0)


def test_ports_of_several_channels() -> None:
    model = model_of(Linear(outputs=3), channels=2)
    session = rtaudio.Session(model, 4)
    x = noise(4 * 10 * 2, 1).reshape(4, 10, 2)
    y = session.process(x)
    assert y.shape == (4, 10, 3)
    np.testing.assert_array_equal(y[2], model.stream(channels=2).push(x[2]))


def test_noise_is_that_of_the_lanes_own_number() -> None:
    layer, channels = EXAMPLES["feedback"]
    model = model_of(layer, channels)
    session = rtaudio.Session(model, 3)
    x = np.tile(noise(8 * channels, 1).reshape(1, 8, channels), (3, 1, 1))
    session.reset(seed=5, stream_numbers=[1, 2, 9])
    y = session.process(x)
    for lane, number in enumerate([1, 2, 9]):
        stream = model.stream(channels=channels, seed=5, stream_numbers=[number])
        np.testing.assert_array_equal(y[lane], stream.push(x[lane]))
    assert not np.array_equal(y[0], y[1])
    session.reset(np.array([True, False, False]), seed=6)
    again = model.stream(channels=channels, seed=6, stream_numbers=[1]).push(x[0])
    np.testing.assert_array_equal(session.process(x)[0], again)
    with pytest.raises(rtaudio.RtaudioError, match="2 stream numbers for 3 lanes"):
        session.reset(stream_numbers=[1, 2])
    with pytest.raises(rtaudio.RtaudioError, match="seed"):
        session.reset(seed=-1)


def test_misuse_is_told_in_a_sentence() -> None:
    model = model_of()
    session = rtaudio.Session(model, 3)
    with pytest.raises(ValueError, match="multiple of 3 frames"):
        session.process(np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match="3 lanes"):
        session.process(np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError, match="float64"):
        session.process(np.zeros((3, 3)))
    with pytest.raises(TypeError, match="booleans"):
        session.hold([1])
    with pytest.raises(ValueError, match="one boolean a lane"):
        session.reset(np.ones(4, bool))
    with pytest.raises(IndexError, match="no lane 3"):
        session.end(3, 0)
    for lanes in (0, 1 << 15, -1):
        with pytest.raises(rtaudio.RtaudioError, match="lanes"):
            rtaudio.Session(model, lanes)
    with pytest.raises(rtaudio.RtaudioError, match="one channel"):
        rtaudio.Pool(model_of(Linear(outputs=3), channels=2), 4)
    pool = rtaudio.Pool(model, 1)
    stream = pool.open()
    with pytest.raises(rtaudio.StreamError, match="in use"):
        pool.open()
    with pytest.raises(TypeError, match="float32"):
        stream.push(np.zeros(5))
    stream.end()
    with pytest.raises(rtaudio.StreamError, match="ended"):
        stream.push(np.zeros(5, np.float32))
    stream.close()
    stream.close()
    pool.open()
