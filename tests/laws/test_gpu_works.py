"""What sessions do on a GPU, by the host, thread by thread in any order: the CPU's bits."""

from __future__ import annotations

import numpy as np
import pytest

from rtaudio import Session, _native
from rtaudio.graph import (
    GRU,
    ISTFT,
    STFT,
    BandScan,
    BidirectionalRNN,
    Conv1d,
    Conv2d,
    Embedding,
    Layer,
    Serial,
    WithConstant,
)
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.laws import graph_of
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import PRECISIONS

from .catalogue import EXAMPLES

LANES = 3

# The works are the same at every level; v2, which has no fma, has other bits than a GPU.
if _native.cpu_level() != _native.supported_cpu_levels()[-1] or _native.cpu_level() == "v2":
    pytest.skip("runs at this processor's best level only", allow_module_level=True)


def models(name: str, precision: str) -> tuple[Model, Model]:
    layer, channels = EXAMPLES[name]
    graph = graph_of(layer, channels)
    tensors = graph.initial_tensors(2)
    cpu = Model.from_graph(graph, tensors, precision=precision)
    gpu = Model.from_graph(graph, tensors, precision=precision, device="emulated")
    return cpu, gpu


def signal(model: Model, ticks: int, extra: int = 0) -> FloatArray:
    frames = ticks * model.graph.plan.block + extra
    x = 0.3 * np.random.default_rng(0).standard_normal((frames, model.graph.input.channels))
    return x.astype(np.float32)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_stream_has_the_cpus_bits(name: str, precision: str) -> None:
    cpu, gpu = models(name, precision)
    x = signal(cpu, 7, extra=5)
    answers = []
    for model in (cpu, gpu):
        stream = model.stream(channels=model.graph.input.channels)
        parts = [stream.push(x[:3]), stream.push(x[3:])]
        answers.append(np.concatenate([*parts, stream.flush()]))
    assert answers[0].shape == answers[1].shape
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("name", EXAMPLES)
def test_lanes_come_and_go(name: str) -> None:
    """Held, reset, ended and begun anew at their own times, with a state that moves over."""
    cpu, gpu = models(name, "fp32")
    block = cpu.graph.plan.block
    x = np.stack([signal(cpu, 8) * np.float32(lane + 1) for lane in range(LANES)])
    answers = []
    for model in (cpu, gpu):
        session = Session(model, lanes=LANES, max_ticks=2)
        parts = [session.process(x[:, :block])]
        session.hold(np.array([False, True, False]))
        parts.append(session.process(x[:, block : 3 * block]))
        session.hold(np.zeros(LANES, bool))
        session.reset(np.array([True, False, False]))
        parts.append(session.process(x[:, 3 * block : 5 * block]))
        session.end(1, 4 * block - 1)
        parts.append(session.process(x[:, 5 * block : 6 * block]))
        parts.append(session.process(x[:, 6 * block : 8 * block]))
        answers.append(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(*answers)


def test_a_thousand_lanes_come_and_go_each_block() -> None:
    cpu, gpu = models("conv1d strided", "fp32")
    chance = np.random.default_rng(5)
    lanes, block = 1024, cpu.graph.plan.block
    x = chance.standard_normal((lanes, 6 * block, cpu.graph.input.channels)).astype(np.float32)
    masks = chance.random((6, 2, lanes)) < 0.3
    answers = []
    for model in (cpu, gpu):
        session = Session(model, lanes=lanes)
        parts = []
        for i, (held, new) in enumerate(masks):
            session.hold(held)
            session.reset(new)
            parts.append(session.process(x[:, i * block : (i + 1) * block]))
        answers.append(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_saved_stream_goes_on_on_the_other_device(name: str) -> None:
    cpu, gpu = models(name, "fp32")
    x = signal(cpu, 9)
    half = x.shape[0] // 2
    whole = cpu.stream(channels=cpu.graph.input.channels)
    expected = np.concatenate([whole.push(x), whole.flush()])
    for first, second in ((cpu, gpu), (gpu, cpu)):
        begin, end = first.stream(channels=x.shape[1]), second.stream(channels=x.shape[1])
        head = begin.push(x[:half])
        end.load_state(begin.save_state())
        y = np.concatenate([head, end.push(x[half:]), end.flush()])
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("ticks", [300, 2400])
@pytest.mark.parametrize("kind", ["conv1d", "conv2d", "conditioned_stack"])
def test_matrices_of_many_rows_have_the_cpus_bits(kind: str, ticks: int) -> None:
    """A thread has several rows and outputs there."""
    layer: Layer
    if kind == "conv1d":
        layer, channels, ticks = Conv1d(outputs=19, kernel_size=3), 4, 9 * ticks
    elif kind == "conditioned_stack":
        layer, channels = EXAMPLES[kind]
        ticks *= 2
    else:
        layer, channels = Conv2d(bands=9, outputs=19, kernel_bands=3, padding_bands=1), 9 * 2
    graph = graph_of(layer, channels)
    tensors = graph.initial_tensors(0)
    x = np.random.default_rng(1).standard_normal((LANES, ticks, channels)).astype(np.float32)
    answers = []
    for device in ("cpu", "emulated"):
        model = Model.from_graph(graph, tensors, device=device)
        session = Session(model, lanes=LANES, max_ticks=ticks)
        session.hold(np.array([False, True, False]))
        answers.append(session.process(x))
    np.testing.assert_array_equal(*answers)


WIDE = {
    "gru": (GRU(hidden=70), 20),
    "band_scan": (BandScan(bands=3, hidden=66, bidirectional=True), 3 * 5),
    "bidirectional": (BidirectionalRNN(hidden=65, chunk=4, lookahead_frames=3, cell="lstm"), 6),
}


@pytest.mark.parametrize("name", WIDE)
def test_cells_of_many_units_have_the_cpus_bits(name: str) -> None:
    layer, channels = WIDE[name]
    graph = graph_of(layer, channels)
    tensors = graph.initial_tensors(0)
    x = np.random.default_rng(1).standard_normal((23, channels)).astype(np.float32)
    answers = []
    for device in ("cpu", "emulated"):
        model = Model.from_graph(graph, tensors, device=device)
        stream = model.stream(channels=channels)
        answers.append(np.concatenate([stream.push(x), stream.flush()]))
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("bidirectional")])
def test_a_whole_signal_has_the_cpus_bits(name: str) -> None:
    cpu, gpu = models(name, "fp32")
    x = signal(cpu, 9, extra=2)
    np.testing.assert_array_equal(gpu(x), cpu(x))


@pytest.mark.parametrize("window", [4, 105, 210, 441, 512])
def test_transforms_of_all_factors_have_the_cpus_bits(window: int) -> None:
    bins = window // 2 + 1
    spectra = Serial(
        layers=(STFT(window=window, hop=window // 2), ISTFT(window=window, hop=window // 2))
    )
    of_anything = ISTFT(window=window, hop=window // 2)  # end bins that are not real
    for layer, channels in ((spectra, 1), (of_anything, 2 * bins)):
        graph = graph_of(layer, channels)
        cpu, gpu = (
            Model.from_graph(graph, {}, device=device).stream(channels=channels)
            for device in ("cpu", "emulated")
        )
        x = np.random.default_rng(1).standard_normal((5 * graph.plan.block, channels))
        x = x.astype(np.float32)
        np.testing.assert_array_equal(cpu.push(x), gpu.push(x))


def test_codes_and_constants_have_the_cpus_bits() -> None:
    layer = Serial(layers=(Embedding(levels=7, outputs=20), WithConstant(constant="who", count=3)))
    graph = graph_of(layer, 1)
    tensors = graph.initial_tensors(0)
    x = np.array([[0], [6.4], [2.5], [-1], [9], [np.nan], [3]], np.float32)
    answers = []
    for device in ("cpu", "emulated"):
        model = Model.from_graph(graph, tensors, device=device)
        stream = model.stream(channels=1, constants={"who": np.array([1, -2, 3], np.float32)})
        answers.append([stream.push(x), stream.push(x[::-1])])
    np.testing.assert_array_equal(*answers)


def test_tensors_go_through_a_session_without_the_host() -> None:
    torch = pytest.importorskip("torch")
    from rtaudio.torch import process

    _, gpu = models("conv_transpose1d", "fp32")
    x = np.stack([signal(gpu, 5) * np.float32(lane + 1) for lane in range(LANES)])
    x[1, 3, 0] = np.nan
    sessions = [Session(gpu, lanes=LANES, max_ticks=2) for _ in range(3)]
    for session in sessions:
        session.hold(np.array([False, False, True]))
    by_host = sessions[0].process(x)
    np.testing.assert_array_equal(process(sessions[1], torch.from_numpy(x)).numpy(), by_host)
    # NumPy's arrays give their memory by DLPack, as those of libraries for GPUs do.
    np.testing.assert_array_equal(process(sessions[2], x).numpy(), by_host)
    with pytest.raises(TypeError, match="a list"):
        process(sessions[2], x.tolist())
