"""The WaveNet family: teacher-forced and free-running, in torch and in the engine."""

from __future__ import annotations

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtaudio import verify_streaming  # noqa: E402
from rtaudio.errors import GraphError, RtaudioError, StreamError  # noqa: E402
from rtaudio.graph import (  # noqa: E402
    Activation,
    Feedback,
    GatedStack,
    Graph,
    Linear,
    Mixture,
    MuLawSoftmax,
    Sampler,
    Serial,
    graph_from_json,
    graph_to_json,
)
from rtaudio.graph.plan import plan  # noqa: E402
from rtaudio.models.autoregressive import (  # noqa: E402
    Array,
    Context,
    WaveNet,
    upsampling,
    wavenet_vocoder,
)
from rtaudio.nn import Net, Stepper  # noqa: E402
from rtaudio.nn.feedback import teacher_forced  # noqa: E402
from rtaudio.nn.stepper import expanded_plan  # noqa: E402
from rtaudio.runtime.laws import graph_of  # noqa: E402
from rtaudio.runtime.model import Model  # noqa: E402

NATIVE_TOLERANCE = 1e-5  # fp32 against float64, of the parameters' range
GATED = Array(channels=16, hidden=8, dilations=(1, 2, 4))
PLAIN = Array(
    channels=6,
    hidden=9,
    dilations=(1, 3),
    kernel_size=3,
    function=Activation(function="tanh"),
)


def network(**changes: object) -> WaveNet:
    given: dict[str, object] = {
        "sample_rate": 8000,
        "hop": 8,
        "mel_channels": 5,
        "arrays": (GATED,),
        "skip_channels": 12,
        "head_channels": (10,),
    }
    return WaveNet(**(given | changes))  # type: ignore[arg-type]


def random_network(seed: int) -> WaveNet:
    rng = random.Random(seed)

    def array() -> Array:
        function = rng.choice([None, None, Activation(function="tanh")])
        return Array(
            channels=rng.randint(1, 20),
            hidden=rng.randint(1, 20),
            dilations=tuple(rng.choice([1, 2, 3, 4, 8]) for _ in range(rng.randint(1, 4))),
            kernel_size=rng.randint(1, 4),
            function=function,
        )

    context = Context(channels=3, skip_channels=4, dilations=(5, 9), kernel_size=rng.randint(2, 3))
    return network(
        arrays=tuple(array() for _ in range(rng.randint(1, 3))),
        head=rng.choice([MuLawSoftmax(levels=16), Mixture(distribution="logistic", components=4)]),
        head_channels=tuple(rng.randint(1, 20) for _ in range(rng.randint(0, 2))),
        conditioner=rng.choice(
            [Serial(), upsampling("linear", 5, (2, 2)), upsampling("transposed", 6, (4,))]
        ),
        context=rng.choice([None, context]),
    )


def loop_of(graph: Graph) -> Feedback:
    assert isinstance(graph.body, Serial) and isinstance(graph.body.layers[-1], Feedback)
    return graph.body.layers[-1]


@pytest.mark.parametrize("seed", range(12))
def test_a_step_is_the_whole_in_float64_and_the_engine_is_near(seed: int) -> None:
    graph = wavenet_vocoder(random_network(seed))
    loop, frames = loop_of(graph), 9
    net = Net(graph, graph.initial_tensors(seed)).double()
    wide = loop.body_plan(graph.plan.nodes[-1].inputs[0].channels).source.channels - 1
    rng = np.random.default_rng(seed)
    audio = rng.uniform(-1, 1, (1, 1, frames * loop.hop)).astype(np.float32)
    values = torch.from_numpy(loop.draws.encode(audio)).double()
    condition = torch.from_numpy(rng.normal(0, 1, (1, wide, frames)))
    with torch.no_grad():
        whole = teacher_forced(net, loop, "loop", condition, values)
    stepper = Stepper(net, 1, planned=expanded_plan(loop.body, wide + 1), path="loop")
    start = torch.full((1, 1, 1), loop.start, dtype=torch.float64)
    before = torch.cat([start, values], 2)[:, :, :-1]
    x = torch.cat([condition.repeat_interleave(loop.hop, 2), before], 1)
    steps = torch.cat([stepper.step(x[:, :, t : t + 1]) for t in range(x.shape[2])], 2)
    assert float((steps - whole).abs().max()) < 1e-12

    body = graph_of(loop.body, wide + 1)
    tensors = {n.removeprefix("loop."): t for n, t in net.export().items() if n.startswith("loop.")}
    stream = Model.from_graph(body, tensors).stream(channels=wide + 1)
    native = stream.push(np.ascontiguousarray(x[0].T.numpy(), np.float32))
    wanted = whole[0].T.numpy()
    assert np.abs(native - wanted).max() < NATIVE_TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize(
    "config",
    [
        network(),
        network(arrays=(GATED, PLAIN), conditioner=upsampling("linear", 5, (2, 2))),
        network(
            arrays=(PLAIN, GATED, GATED),
            head=Mixture(distribution="logistic", components=3),
            context=Context(channels=4, skip_channels=3, dilations=(4, 8)),
            conditioner=upsampling("transposed", 7, (2,)),
            sampler=Sampler(mode="mode"),
        ),
        network(head=MuLawSoftmax(levels=64), sampler=Sampler(mode="greedy"), start=31),
    ],
    ids=["codes", "two arrays", "context stack", "greedy"],
)
def test_laws(config: WaveNet) -> None:
    report = verify_streaming(wavenet_vocoder(config), num_ticks=12)
    assert report.ok, [law for law in report.laws if law.passed is False]


@pytest.mark.parametrize(
    ("layers", "cycle", "field"), [(10, 10, 1024), (30, 10, 3070), (4, 1, 5), (20, 10, 2047)]
)
def test_the_receptive_field_is_that_of_the_formula(layers: int, cycle: int, field: int) -> None:
    stack = GatedStack(
        channels=2,
        gate_channels=2,
        skip_channels=2,
        kernel_size=2,
        dilations=tuple(2 ** (i % cycle) for i in range(layers)),
    )
    past = plan(stack, 2).receptive_past
    assert past is not None and past + 1 == field


def test_multiply_adds_are_those_of_the_specification() -> None:
    """L (2 R G k + G (R + S)) + S A + A A a sample, the one-hot input a look-up."""
    config = network(
        arrays=(Array(channels=64, hidden=64, dilations=(1, 2) * 10),),
        skip_channels=256,
        head_channels=(256,),
        hop=100,
    )
    graph = wavenet_vocoder(config)
    condition = 5 * 2 * 64 * 20
    assert graph.plan.macs_per_frame - condition == 100 * 868_352


def test_conditions_may_be_repeated_before_or_behind_their_matrix() -> None:
    sampler = Sampler(mode="argmax")  # the two draw at nodes of other numbers
    early = wavenet_vocoder(network(conditioner=upsampling("repeat", 5, (2, 4)), sampler=sampler))
    late = wavenet_vocoder(network(sampler=sampler))
    tensors = late.initial_tensors(2)
    x = np.random.default_rng(0).normal(0, 1, (9, 5)).astype(np.float32)
    answers = [
        Model.from_graph(g, tensors).stream(channels=5, seed=4).push(x) for g in (early, late)
    ]
    np.testing.assert_array_equal(*answers)


def test_a_wrong_size_is_told() -> None:
    with pytest.raises(GraphError, match="must divide the hop 8"):
        wavenet_vocoder(network(conditioner=upsampling("repeat", 5, (3,))))
    with pytest.raises(GraphError, match="upsampling is 'cubic'"):
        upsampling("cubic", 5, (2,))
    with pytest.raises(GraphError, match="there is none"):
        wavenet_vocoder(network(arrays=()))


def test_free_running_has_the_variance_of_its_recursion() -> None:
    """x_t = 0.9 x_(t-1) + s n_t: 5.263 s^2. The condition sets s, from e^-9 to e^-3, so that silent
    conditions stay below -60 dBFS for a second."""
    loop = Feedback(
        body=Linear(outputs=2), head=Mixture(distribution="gaussian", min_log_scale=-9.0), hop=100
    )
    graph, rate = graph_of(loop, 1), 16_000
    tensors = {
        "weight": np.array([[0.0, 0.9], [6.0, 0.0]], np.float32),
        "bias": np.array([0.0, -9.0], np.float32),
    }
    stream = Model.from_graph(graph, tensors).stream(seed=5)
    silence = stream.push(np.zeros((rate // 100, 1), np.float32))
    assert 20 * np.log10(np.sqrt(np.mean(silence**2))) < -60
    loud = stream.push(np.ones((rate // 10, 1), np.float32))[1000:]
    variance = 5.263 * np.exp(-6)
    # 159,000 samples of correlation time 19: 2 % of standard error
    assert abs(np.var(loud.astype(np.float64)) / variance - 1) < 0.08


def test_a_prompt_is_what_the_network_goes_on_from() -> None:
    """A run that begins with a part of another run's samples goes on as that one, bit for bit."""
    graph = wavenet_vocoder(network())
    model = Model.from_graph(graph, graph.initial_tensors(1))
    x = np.random.default_rng(0).normal(0, 1, (20, 5)).astype(np.float32)
    stream = model.stream(channels=5, seed=3)
    whole = stream.push(x)
    for count in (1, 37, 64, 160):
        stream.reset(seed=3, prompt=whole[:count])
        np.testing.assert_array_equal(stream.push(x), whole)
    stream.reset(seed=4, prompt=whole[:37])
    other = stream.push(x)
    np.testing.assert_array_equal(other[:37], whole[:37])
    assert (other[37:] != whole[37:]).any()
    # Queues know no more than their field: 64 samples of prompt are as good as all of them.
    stream.reset(seed=3, prompt=whole[:64])
    first = stream.push(x[:9])
    saved = stream.save_state()
    rest = stream.push(x[9:])
    np.testing.assert_array_equal(np.concatenate([first, rest]), whole)
    stream.load_state(saved)
    np.testing.assert_array_equal(stream.push(x[9:]), rest)


def test_a_prompt_must_fit_and_be_used_up_before_its_stream_is_saved() -> None:
    graph = wavenet_vocoder(network())
    model = Model.from_graph(graph, graph.initial_tensors(1))
    stream = model.stream(channels=5, prompt=np.zeros(20, np.float32))
    stream.push(np.zeros((2, 5), np.float32))
    with pytest.raises(StreamError, match="prompt is not yet used up"):
        stream.save_state()
    stream.push(np.zeros((1, 5), np.float32))
    stream.save_state()
    with pytest.raises(RtaudioError, match="prompt has shape"):
        stream.reset(prompt=np.zeros((4, 2)))
    with pytest.raises(RtaudioError, match="no constant 'speaker'"):
        stream.reset(constants={"speaker": np.zeros(3)})
    plain = graph_of(Linear(outputs=1), 1)
    with pytest.raises(RtaudioError, match="takes no prompt"):
        Model.from_graph(plain, plain.initial_tensors()).stream(prompt=np.zeros(4))


def test_lanes_keep_their_constants() -> None:
    """A speaker joins the condition before its matrix: the constant is computed once a frame."""
    graph = wavenet_vocoder(network(speaker_channels=3))
    assert graph_from_json(graph_to_json(graph)) == graph
    model = Model.from_graph(graph, graph.initial_tensors(1))
    rng = np.random.default_rng(0)
    x, voices = rng.normal(0, 1, (9, 5)).astype(np.float32), rng.normal(0, 1, (2, 3))
    both = model.stream(channels=10, constants={"speaker": voices}).push(np.tile(x, 2))
    assert (both[:, 0] != both[:, 1]).any()
    for lane in range(2):
        stream = model.stream(channels=5, constants={"speaker": voices[lane]})
        np.testing.assert_array_equal(stream.push(x)[:, 0], both[:, lane])
    net = Net(graph, dict(model.tensors)).double()
    given = {"speaker": torch.from_numpy(voices[:1].astype(np.float32)).double()}
    with torch.no_grad():
        wanted = net(torch.from_numpy(x.T[None]).double(), constants=given)[0, 0]
    assert np.abs(both[:, 0] - wanted.numpy()).max() < 1e-5
    stream = model.stream(channels=5, constants={"speaker": voices[0]})
    stream.push(x[:4])
    other = model.stream(channels=5)
    other.load_state(stream.save_state())
    np.testing.assert_array_equal(other.push(x[4:])[:, 0], both[32:, 0])
    stream.reset()
    np.testing.assert_array_equal(stream.push(x)[:, 0], both[:, 0])
