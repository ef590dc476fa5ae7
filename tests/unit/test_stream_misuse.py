"""Streams in the hands of a careless caller: an error that says what is wrong, and no harm."""

from __future__ import annotations

import copy
import pickle
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rtaudio
from rtaudio.errors import RateError, RtaudioError, StreamError
from rtaudio.graph import Conv1d, ConvTranspose1d, Linear
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.stream import Stream

RATE = 48_000


@pytest.fixture(scope="module")
def model(model_path: Path) -> Model:
    return rtaudio.load(model_path)


def noise(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((frames, channels))).astype(np.float32)


def readonly(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


# ---- what is pushed ------------------------------------------------------------------------------

WRONG_ARRAYS: dict[str, tuple[Any, type[Exception], str]] = {
    "float64": (np.zeros((10, 2)), TypeError, "float64"),
    "int16": (np.zeros((10, 2), np.int16), TypeError, "int16"),
    "the other byte order": (np.zeros((10, 2), ">f4"), TypeError, ">f4"),
    "complex": (np.zeros((10, 2), np.complex64), TypeError, "complex64"),
    "objects": (np.full((10, 2), None), TypeError, "object"),
    "text": (np.full((10, 2), "a"), TypeError, "U1"),
    "records": (np.zeros((10, 2), [("a", "f4")]), TypeError, "float32"),
    "a list": ([[0.0, 0.0]], TypeError, "list"),
    "nothing": (None, TypeError, "NoneType"),
    "flat": (np.zeros(10, np.float32), ValueError, r"\(10,\)"),
    "one channel": (np.zeros((10, 1), np.float32), ValueError, r"\(10, 1\)"),
    "three channels": (np.zeros((10, 3), np.float32), ValueError, r"\(10, 3\)"),
    "turned": (np.zeros((2, 10), np.float32), ValueError, r"\(2, 10\)"),
    "no dimension": (np.zeros((), np.float32), ValueError, r"\(\)"),
    "three dimensions": (np.zeros((1, 10, 2), np.float32), ValueError, r"\(1, 10, 2\)"),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
@pytest.mark.parametrize("call", ["push", "process"])
def test_wrong_arrays_are_refused_and_change_nothing(model: Model, name: str, call: str) -> None:
    array, error, words = WRONG_ARRAYS[name]
    stream, other = model.stream(RATE, 2), model.stream(RATE, 2)
    with pytest.raises(error, match=words) as caught:
        getattr(stream, call)(array)
    assert "\n" not in str(caught.value)
    x = noise(1000, 2)
    np.testing.assert_array_equal(stream.push(x), other.push(x))


@pytest.mark.parametrize("wrong", [None, [[0.0, 0.0]], "x", 3])
def test_what_is_no_array_is_named_on_the_live_path_too(model: Model, wrong: Any) -> None:
    stream, good = model.stream(RATE, 2), noise(480, 2)
    for arrays, which in (((wrong, good), "input"), ((good, wrong), "output")):
        for call in (stream.process_into, lambda x, y: stream.callback(x, y, 480, None, None)):
            words = f"the {which} is {type(wrong).__name__}; give a numpy array"
            with pytest.raises(TypeError, match=words):
                call(*arrays)


@pytest.mark.parametrize("shape", [(1, 4800), (2, 4800), (1, 65)])
def test_a_transposed_signal_is_told(model: Model, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"which is \(frames, channels\); is it transposed"):
        model(np.zeros(shape, np.float32))
    assert model(np.zeros((1, 2), np.float32)).shape == (1, 2)
    assert model(np.zeros((65, 65), np.float32)).shape == (65, 65)


def test_arrays_of_any_layout_give_the_same(model: Model) -> None:
    x = noise(4000, 2)
    wanted = model.stream(RATE, 2).push(x)
    wide = np.zeros((4000, 5), np.float32)
    wide[:, 1:4:2] = x
    back = np.ascontiguousarray(x[::-1])[::-1]
    for same in (np.asfortranarray(x), wide[:, 1:4:2], back, readonly(x.copy())):
        np.testing.assert_array_equal(model.stream(RATE, 2).push(same), wanted)
        np.testing.assert_array_equal(
            model.stream(RATE, 2).process(same), model.stream(RATE, 2).process(x)
        )


def test_no_frames_are_fine(model: Model) -> None:
    stream = model.stream(RATE, 2)
    assert stream.push(np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert stream.flush().shape == (0, 2)
    stream.reset()
    assert stream.process(np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_an_array_that_claims_more_than_memory(model: Model) -> None:
    huge = np.broadcast_to(np.zeros((1, 1), np.float32), (1 << 44, 1))
    stream = model.stream(RATE)
    for call in (stream.push, stream.process):
        with pytest.raises(MemoryError):
            call(huge)
    assert stream.push(noise(480)).shape[1] == 1


# ---- the output ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (np.zeros((480, 1), np.float32), r"\(480, 1\)"),
        (np.zeros((479, 2), np.float32), "480 frames and the output 479"),
        (np.zeros((480, 2), np.float64), "float64"),
        (np.zeros((2, 480), np.float32).T, "contiguous"),
        (readonly(np.zeros((480, 2), np.float32)), "writable"),
    ],
)
def test_outputs_that_cannot_be_written(model: Model, output: np.ndarray, words: str) -> None:
    stream = model.stream(RATE, 2)
    with pytest.raises((ValueError, TypeError), match=words):
        stream.process_into(noise(480, 2), output)
    with pytest.raises((ValueError, TypeError), match=words):
        stream.callback(noise(480, 2), output, 480, None, None)


def test_output_and_input_may_be_one_array_but_may_not_overlap(model: Model) -> None:
    x = noise(5000, 2)
    wanted = model.stream(RATE, 2).process(x)
    same = x.copy()
    model.stream(RATE, 2).process_into(same, same)
    np.testing.assert_array_equal(same, wanted)
    with pytest.raises(ValueError, match="overlaps"):
        model.stream(RATE, 2).process_into(x[:-1], x[1:])
    both = np.concatenate([x, x])
    model.stream(RATE, 2).process_into(both[:5000], both[5000:])
    np.testing.assert_array_equal(both[5000:], wanted)


def test_callback_of_odd_shapes(model: Model) -> None:
    stream = model.stream(RATE, 2, block_samples=480)
    good = noise(480, 2)
    for indata, outdata, frames in (
        (noise(480, 1), good.copy(), 480),
        (good, noise(480, 3), 480),
        (noise(240, 2), noise(240, 2), 240),
        (good.astype(np.int16), good.copy(), 480),
    ):
        with pytest.raises((ValueError, TypeError)):
            stream.callback(indata, outdata, frames, None, None)
    stream.callback(good, np.zeros_like(good), 480, None, None)


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (Conv1d(outputs=1, kernel_size=2, stride=2), 1),
        (ConvTranspose1d(outputs=1, kernel_size=2, stride=2), 1),
        (Linear(outputs=2), 1),
    ],
)
def test_process_needs_equal_rates_and_widths(layer: Any, channels: int) -> None:
    graph = graph_of(layer, channels)
    stream = Model.from_graph(graph, graph.initial_tensors()).stream()
    outputs = graph.output.channels
    for call in (
        lambda: stream.process(noise(10)),
        lambda: stream.process_into(noise(10), noise(10, outputs)),
        lambda: stream.process_into(noise(10), noise(20, outputs)),
    ):
        with pytest.raises(StreamError, match=r"needs a model.*use push"):
            call()


# ---- order of calls ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "then", "words"),
    [
        (["flush"], "push", "flushed"),
        (["flush"], "process", "flushed"),
        (["flush"], "save_state", "flushed"),
        (["push", "flush"], "push", "flushed"),
        (["push", "flush"], "process", "flushed"),
        (["push"], "process", "push"),
        (["process"], "push", "process"),
        (["process"], "flush", "process"),
    ],
)
def test_calls_out_of_order(model: Model, before: list[str], then: str, words: str) -> None:
    stream = model.stream(RATE)
    calls: dict[str, Callable[[], Any]] = {
        "push": lambda: stream.push(noise(100)),
        "process": lambda: stream.process(noise(100)),
        "flush": stream.flush,
        "save_state": stream.save_state,
    }
    for name in before:
        calls[name]()
    with pytest.raises(StreamError, match=words):
        calls[then]()
    stream.reset()
    calls[then]()


def answer_or_error(stream: Stream, x: np.ndarray) -> Any:
    try:
        return stream.push(x)
    except StreamError as error:
        return error


def test_two_threads_on_one_stream_are_told(model: Model) -> None:
    """push lets go of the GIL, so calls that meet are possible; each is refused or whole."""
    stream = model.stream(RATE)
    x = noise(60 * RATE)  # longer than a thread may keep a busy core
    results: list[Any] = []
    start = threading.Barrier(2)
    until = time.monotonic() + 30.0

    def work() -> None:
        start.wait()
        # Until two calls have met: on busy cores one thread may wait for seconds.
        while not any(isinstance(r, StreamError) for r in results) and time.monotonic() < until:
            results.append(answer_or_error(stream, x))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [r for r in results if isinstance(r, StreamError)]
    assert refused
    assert all("another thread" in str(r) for r in refused)
    whole = model.stream(RATE)
    for answer in results:
        if not isinstance(answer, StreamError):
            np.testing.assert_array_equal(answer, whole.push(x))


def test_a_control_may_be_moved_by_another_thread(model: Model) -> None:
    stream, alone = model.stream(RATE), model.stream(RATE)
    x = noise(10 * RATE)
    thread = threading.Thread(target=stream.push, args=(x,))
    thread.start()
    stream.set_control("attenuation_limit_db", 3.0)
    while thread.is_alive():
        stream.set_control("attenuation_limit_db", 3.0)
    stream.reset()
    alone.set_control("attenuation_limit_db", 3.0)
    alone.reset()
    np.testing.assert_array_equal(stream.push(x[:5000]), alone.push(x[:5000]))


# ---- controls, rates and counts ------------------------------------------------------------------


def limited(model: Model, value: Any) -> tuple[np.ndarray, float]:
    stream = model.stream(RATE)
    stream.set_control("attenuation_limit_db", value)
    stream.reset()  # ends the ramp
    answer = stream.push(noise(RATE // 4))
    return answer, stream.save_state()["controls"][0]


@pytest.mark.parametrize(
    ("given", "counts_as"),
    [
        (np.nan, 120.0),
        (np.inf, 120.0),
        (-np.inf, 0.0),
        (1e300, 120.0),
        (-5.0, 0.0),
        (10**400, 120.0),
        (np.float32(6), 6.0),
        (True, 1.0),
    ],
)
def test_controls_are_clamped(model: Model, given: Any, counts_as: float) -> None:
    answer, kept = limited(model, given)
    wanted, _ = limited(model, counts_as)
    np.testing.assert_array_equal(answer, wanted)
    assert kept == counts_as


def test_controls_that_are_none(model: Model) -> None:
    stream = model.stream(RATE)
    for name, value, words in (
        ("volume", 1.0, "no control 'volume'.*attenuation_limit_db"),
        ("", 1.0, "no control ''"),
        ("attenuation_limit_db", "loud", "must be a number"),
        ("attenuation_limit_db", None, "must be a number"),
        ("attenuation_limit_db", 1j, "must be a number"),
    ):
        with pytest.raises(RtaudioError, match=words):
            stream.set_control(name, value)
    with pytest.raises(RtaudioError, match="must be a number"):
        model.stream(RATE, attenuation_limit_db="6 dB")  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, -1, 1 << 40, 48000.5, "48000", np.nan, [48000]])
def test_rates_that_cannot_be(model: Model, rate: Any) -> None:
    for call in (model.stream, model.latency, lambda r: model(noise(100), r)):
        with pytest.raises(RateError, match="1 to"):
            call(rate)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"channels": -1},
        {"channels": 1 << 40},
        {"channels": 1.5},
        {"channels": "2"},
        {"block_samples": -1},
        {"block_samples": 0.5},
        {"block_samples": 1 << 40},
        {"max_ticks": 0},
        {"max_ticks": 1 << 40},
        {"max_ticks": 1 << 20, "channels": 1000},
    ],
)
def test_streams_that_cannot_be(model: Model, options: dict[str, Any]) -> None:
    with pytest.raises(RtaudioError) as caught:
        model.stream(RATE, **options)
    assert "\n" not in str(caught.value)


def test_a_small_file_cannot_ask_for_much_memory() -> None:
    graph = graph_of(Conv1d(outputs=1200, kernel_size=2, dilation=1 << 18, groups=1200), 1200)
    long_past = Model.from_graph(graph, graph.initial_tensors(0))
    with pytest.raises(RtaudioError, match=r"state is larger than 1024 MiB; .* a smaller model"):
        long_past.stream(channels=1200, max_ticks=1)


# ---- saved states --------------------------------------------------------------------------------


def saved(model: Model, channels: int = 1) -> tuple[Stream, dict[str, Any]]:
    stream = model.stream(RATE, channels)
    stream.set_control("attenuation_limit_db", 12.0)
    stream.push(noise(1234, channels))
    return stream, stream.save_state()


LANE = "lane0.1.history"

BROKEN_STATES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "of another model": lambda s: s.update(model=np.zeros(32, np.uint8)),
    "without a model": lambda s: s.pop("model"),
    "the model is text": lambda s: s.update(model="rt-tcn"),
    "without controls": lambda s: s.pop("controls"),
    "two controls": lambda s: s.update(controls=np.zeros(2)),
    "a control that is NaN": lambda s: s.update(controls=np.array([np.nan])),
    "a control out of range": lambda s: s.update(controls=np.array([1e9])),
    "controls of text": lambda s: s.update(controls=np.array(["loud"])),
    "without ramps": lambda s: s.pop("ramps"),
    "ramps out of range": lambda s: s.update(ramps=np.array([[0.0, 1e30, 0.0]])),
    "ramps of NaN": lambda s: s.update(ramps=np.full((1, 3), np.nan)),
    "ramps of another shape": lambda s: s.update(ramps=np.zeros((3, 1))),
    "a ramp before its time": lambda s: s["ramps"].__setitem__((0, 2), -1.0),
    "without a position": lambda s: s.pop("position"),
    "a position that is negative": lambda s: s["position"].__setitem__(0, -1),
    "a position without end": lambda s: s["position"].__setitem__(slice(2), 1 << 62),
    "a position of floats": lambda s: s.update(position=np.array([0.5, 0.0, 0.0])),
    "positions that differ": lambda s: s["position"].__setitem__(1, 7),
    "processing and pushing": lambda s: s["position"].__setitem__(2, 1),
    "pending of float64": lambda s: s.update(pending=np.zeros(274)),
    "pending too long": lambda s: s.update(pending=np.zeros(100_000, np.float32)),
    "ready that is not": lambda s: s.update(ready=np.zeros(1 << 20, np.float32)),
    "ready of NaN": lambda s: s.update(ready=np.full(10, np.nan, np.float32)),
    "a lane that is missing": lambda s: s.pop(next(k for k in s if k.startswith("lane0"))),
    "a lane too many": lambda s: s.update({"lane1.0.history": np.zeros((1, 480), np.float32)}),
    "an unknown entry": lambda s: s.update(other=np.zeros(1)),
    "a key that is a number": lambda s: s.update({3: np.zeros(1)}),
    "lanes of lists": lambda s: s.update({k: [0.0] for k in s if k.startswith("lane0")}),
    "lanes of objects": lambda s: s.update(
        {k: np.full(v.shape, None) for k, v in s.items() if k.startswith("lane0")}
    ),
    "lanes turned": lambda s: s.update(
        {k: np.ascontiguousarray(v.T) for k, v in s.items() if k.startswith("lane0")}
    ),
    "lanes of NaN": lambda s: s.update(
        {k: np.full_like(v, np.nan) for k, v in s.items() if k.startswith("lane0")}
    ),
}


@pytest.mark.parametrize("name", BROKEN_STATES)
def test_broken_states_are_refused_in_a_sentence(model: Model, name: str) -> None:
    _, state = saved(model)
    BROKEN_STATES[name](state)
    stream = model.stream(RATE)
    with pytest.raises(StreamError) as caught:
        stream.load_state(state)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    x = noise(3000, seed=1)
    np.testing.assert_array_equal(stream.push(x), model.stream(RATE).push(x))


def test_states_of_other_streams_are_refused(model: Model) -> None:
    _, two = saved(model, 2)
    _, one = saved(model, 1)
    other_rate = model.stream(16_000)
    for stream, state in (
        (model.stream(RATE), two),
        (model.stream(RATE, 2), one),
        (other_rate, one),
    ):
        with pytest.raises(StreamError):
            stream.load_state(state)
    for nothing in ({}, None, [], 3, "state"):
        with pytest.raises(StreamError):
            model.stream(RATE).load_state(nothing)  # type: ignore[arg-type]


def test_a_state_saved_by_numpy_comes_back_with_its_controls(model: Model, tmp_path: Path) -> None:
    stream, state = saved(model)
    np.savez(tmp_path / "state.npz", **state)
    other = model.stream(RATE)
    with np.load(tmp_path / "state.npz") as file:
        other.load_state(file)
    x = noise(5000, seed=2)
    np.testing.assert_array_equal(other.push(x), stream.push(x))
    assert other.save_state()["controls"][0] == 12.0
    truncated = tmp_path / "cut.npz"
    data = (tmp_path / "state.npz").read_bytes()
    middle = len(data) // 2
    truncated.write_bytes(data[:middle] + bytes(200) + data[middle + 200 :])
    with np.load(truncated) as file, pytest.raises(StreamError):
        model.stream(RATE).load_state(file)


# ---- the model -----------------------------------------------------------------------------------


def test_what_is_no_model_is_not_verified(model: Model) -> None:
    for wrong in (None, "rt-tcn", 3):
        with pytest.raises(TypeError, match="no Model, Graph or Layer"):
            rtaudio.verify_streaming(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rtaudio.verify_streaming(Linear(outputs=2), channels=1.5)  # type: ignore[arg-type]
    assert rtaudio.verify_streaming(Linear(outputs=2), seed=np.int64(3), num_ticks=5).ok
    with pytest.raises(RateError) as caught:
        model.graph_at(10**400)
    assert len(str(caught.value)) < 300


def test_a_model_can_be_copied_and_sent_to_another_process(model: Model) -> None:
    x = noise(2000)
    for same in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        np.testing.assert_array_equal(same(x, RATE), model(x, RATE))


def test_numbers_beyond_float32_are_bad_samples_and_no_warning(model: Model) -> None:
    x = noise(2000).astype(np.float64)
    silenced = x.copy()
    x[100], silenced[100] = 1e300, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model(x, RATE), model(silenced, RATE))
