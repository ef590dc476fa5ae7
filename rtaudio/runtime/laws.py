"""The laws of streaming, checked on a real model: what `rtaudio verify` runs and tests call."""

from __future__ import annotations

import hashlib
import importlib.util
import operator
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from rtaudio import _native
from rtaudio.dsp.metrics import si_sdr
from rtaudio.graph.graph import ConstantPort, ControlPort, Graph, StreamPort
from rtaudio.graph.layer import FloatArray, Layer
from rtaudio.graph.oscillator import PulseTrain
from rtaudio.graph.plan import plan
from rtaudio.graph.recurrent import BidirectionalRNN
from rtaudio.runtime.digests import pinned
from rtaudio.runtime.model import Model
from rtaudio.runtime.native import LEAST_DB, evaluation_signal
from rtaudio.runtime.registry import shipped_models
from rtaudio.runtime.stream import Stream

ORACLE_TOLERANCE = 2e-4  # fp32 against float64, relative to the larger of 1 and the output's peak
# The same where there are pulses: they stand where the sum of every pitch so far, which is rounded,
# comes to a whole number.
PULSES_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Law:
    """One law's verdict. `passed` is None where it could not be tried; `detail` says why."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True)
class Report:
    """Verdicts on a model. `digest`: SHA-256 of its reference output, equal on every machine."""

    model: str
    digest: str
    laws: list[Law] = field(default_factory=list)
    # Source frames (back, ahead) that were seen to change an output frame.
    measured_field: tuple[float, float] = (0.0, 0.0)

    @property
    def ok(self) -> bool:
        return all(law.passed is not False for law in self.laws)

    def print(self) -> None:
        for law in self.laws:
            sign = {True: "pass", False: "FAIL", None: "skip"}[law.passed]
            print(f"{sign}  {law.name}: {law.detail}")
        print(f"SHA-256 of the reference output: {self.digest}")


def verify_streaming(
    model: Model | Graph | Layer,
    tensors: Mapping[str, FloatArray] | None = None,
    *,
    channels: int = 1,
    sample_rate: int | None = None,
    num_ticks: int = 40,
    seed: int = 0,
) -> Report:
    """Checks every law on `model`, or on a graph or a layer (of `channels` input channels) with
    `tensors` (default: random ones).

    The signal is `num_ticks` ticks and a bit of noise, from `seed`. Equality is of bits. Where
    torch is installed the float64 definition (rtaudio.nn.Net) is the oracle.
    """
    if not isinstance(model, (Layer, Graph, Model)):
        raise TypeError(f"{type(model).__name__} is no Model, Graph or Layer; load() gives a Model")
    channels, num_ticks, seed = map(operator.index, (channels, num_ticks, seed))
    if isinstance(model, Layer):
        model = graph_of(model, channels)
    if isinstance(model, Graph):
        values = model.initial_tensors(seed) if tensors is None else tensors
        model = Model.from_graph(model, values, "graph")
    check = _Check(model, sample_rate or model.sample_rate, num_ticks, seed)
    laws = [law() for law in check.laws()]
    return Report(model.name, reference_digest(model), laws, check.measured_field)


def graph_of(layer: Layer, channels: int, sample_rate: int = 1000) -> Graph:
    """A graph of one layer, to try it. A layer that reads a control gets one from 0 to 1."""
    planned = plan(layer, channels)
    controls = {
        control
        for node in planned.nodes
        if (control := node.layer.kernel(node.inputs[0].channels).control)
    }
    constants = {
        (kernel.constant, kernel.ints["count"])
        for node in planned.nodes
        if (kernel := node.layer.kernel(node.inputs[0].channels)).constant
    }
    return Graph(
        body=layer,
        sample_rate=sample_rate,
        constants=tuple(ConstantPort(name=n, channels=c) for n, c in sorted(constants)),
        input=StreamPort(name="x", channels=channels),
        output=StreamPort(name="y", channels=planned.output.channels),
        controls=tuple(
            ControlPort(name=name, default=0.25, low=0.0, high=1.0) for name in sorted(controls)
        ),
    )


def reference_input(graph: Graph) -> FloatArray:
    """One fixed second of noise (at most 64 blocks) at the graph's own rate."""
    count = min(graph.sample_rate, 64 * graph.plan.block) * graph.input.channels
    # A linear congruential generator: the same integers in every language and version.
    states = np.empty(count, np.int64)
    state = 1
    for i in range(count):
        state = (state * 1103515245 + 12345) % (1 << 31)
        states[i] = state
    x = (states / float(1 << 31) - 0.5).astype(np.float32)
    return x.reshape(-1, graph.input.channels)


def reference_digest(model: Model) -> str:
    """SHA-256 of the answer to reference_input, the same on every machine (but level v2)."""
    stream = model.stream(channels=model.graph.input.channels)
    y = np.concatenate([stream.push(reference_input(model.graph)), stream.flush()])
    return hashlib.sha256(np.ascontiguousarray(y, "<f4").tobytes()).hexdigest()


class _Check:
    def __init__(self, model: Model, rate: int, num_ticks: int, seed: int) -> None:
        self.model, self.rate = model, rate
        self.graph = model.graph_at(rate)
        self.plan = self.graph.plan
        self.width = self.graph.input.channels
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        length = num_ticks * self.plan.block + self.rng.randrange(self.plan.block)
        self.x = self.signal(length)
        self.whole = self.run(self.x, [length])
        self.measured_field = (0.0, 0.0)

    def laws(self) -> list[Callable[[], Law]]:
        return [
            self.splits,
            self.length,
            self.process,
            self.causality,
            self.receptive_field,
            self.reset,
            self.save_and_load,
            self.lanes,
            self.bad_samples,
            self.oracle if self.model.precision == "fp32" else self.near_fp32,
            *(() if self.plan.exact else (self.nearness,)),
            self.digest,
        ]

    def signal(self, length: int) -> FloatArray:
        x = self.noise.standard_normal((length, self.width)) * 0.1
        return x.astype(np.float32)

    def open(
        self, lanes: int = 1, *, max_ticks: int | None = None, block_samples: int | None = None
    ) -> Stream:
        return self.model.stream(
            self.rate, lanes * self.width, max_ticks=max_ticks, block_samples=block_samples
        )

    def run(self, x: FloatArray, splits: list[int], stream: Stream | None = None) -> FloatArray:
        """x through push calls of `splits` frames, repeated as needed, and flush."""
        stream = stream or self.open(max_ticks=max(1, -(-max(splits) // self.plan.block)))
        parts, at, i = [], 0, 0
        while at < len(x):
            parts.append(stream.push(x[at : at + splits[i % len(splits)]]))
            at, i = at + splits[i % len(splits)], i + 1
        return np.concatenate([*parts, stream.flush()])

    def splits(self) -> Law:
        block = self.plan.block
        choices = {
            "1 frame": [1],
            "one block": [block],
            "two blocks": [2 * block],
            "random": [self.rng.randint(1, 3 * block) for _ in range(7)],
            "7 frames": [7],
            "one more than a block": [block + 1],
        }
        worst, names = 0, []
        for name, sizes in choices.items():
            short = self.x if sizes != [1] else self.x[: 12 * block + 1]
            wanted = self.whole if sizes != [1] else self.run(short, [len(short)])
            bits = _different(self.run(short, sizes, self.open()), wanted)
            worst = max(worst, bits)
            if bits:
                names.append(name)
        detail = f"{worst} differing values over {len(choices)} ways to split"
        return Law("any split == one pass", worst == 0, detail + _listed(names))

    def length(self) -> Law:
        wrong = []
        for length in (0, 1, 2, self.plan.block - 1, self.plan.block, self.plan.block + 1):
            got = len(self.run(self.x[:length], [max(1, length)]))
            if got != self.plan.output_length(length):
                wrong.append(f"{got} for {length}")
        ok = not wrong and len(self.whole) == self.plan.output_length(len(self.x))
        detail = f"{len(self.whole)} frames for {len(self.x)}" + _listed(wrong)
        return Law("flush gives the whole tail", ok, detail)

    def process(self) -> Law:
        if self.plan.output.rate != 1 or self.graph.output.channels != self.width:
            return Law("process(n) == push, later", None, "rates or widths differ")
        bad = []
        for sizes in ([self.plan.block], [1, 5, self.plan.block], [3 * self.plan.block + 1, 2]):
            fixed = sizes[0] if len(sizes) == 1 else 0
            stream = self.open(block_samples=fixed)
            delay, parts, at, i = stream.latency_samples, [], 0, 0
            while at + sizes[i % len(sizes)] <= len(self.x):
                size = sizes[i % len(sizes)]
                parts.append(stream.process(self.x[at : at + size]))
                at, i = at + size, i + 1
            got = np.concatenate(parts)[delay:]
            if _different(got, self.whole[: len(got)]):
                bad.append(str(sizes))
        return Law("process(n) == push, later", not bad, "delay as declared" + _listed(bad))

    def causality(self) -> Law:
        cut = len(self.x) // 2
        other = self.x.copy()
        other[cut:] = self.signal(len(self.x) - cut)
        changed = _different_rows(self.run(other, [len(other)]), self.whole)
        first = int(np.argmax(changed)) if changed.any() else len(changed)
        source_frame = first / float(self.plan.output.rate)
        needed = cut - source_frame
        declared = self.plan.lookahead_samples
        detail = f"looks {max(0.0, needed):g} frames ahead, declared {declared}"
        return Law("nothing before its time", needed <= declared, detail)

    def receptive_field(self) -> Law:
        past, future = self.plan.receptive_past, self.plan.lookahead_samples
        rate = float(self.plan.output.rate)
        seen_past, seen_future = -np.inf, -np.inf
        middle = len(self.x) // 2
        for at in range(middle, middle + min(self.plan.block, 8)):
            other = self.x.copy()
            other[at] += 1.0
            changed = np.flatnonzero(_different_rows(self.run(other, [len(other)]), self.whole))
            if len(changed):
                seen_past = max(seen_past, changed[-1] / rate - at)
                seen_future = max(seen_future, at - changed[0] / rate)
        self.measured_field = (seen_past, seen_future)
        ok = seen_future <= future and (past is None or seen_past <= past)
        past_text = "unbounded" if past is None else str(past)
        detail = (
            f"measured {seen_past:g} back and {seen_future:g} ahead, "
            f"declared {past_text} and {future}"
        )
        return Law("receptive field as declared", bool(ok), detail)

    def reset(self) -> Law:
        stream = self.open()
        stream.push(self.signal(5 * self.plan.block + 3))
        stream.reset()
        bits = _different(self.run(self.x, [len(self.x)], stream), self.whole)
        return Law("reset == fresh", bits == 0, f"{bits} differing values")

    def save_and_load(self) -> Law:
        cut = len(self.x) // 3
        first = self.open()
        start = first.push(self.x[:cut])
        second = self.open(max_ticks=7)
        second.load_state(first.save_state())
        rest = self.run(self.x[cut:], [len(self.x)], second)
        bits = _different(np.concatenate([start, rest]), self.whole)
        return Law("save and load in mid-stream", bits == 0, f"{bits} differing values")

    def lanes(self) -> Law:
        others = [self.signal(len(self.x)) for _ in range(2)]
        stream = self.open(lanes=3)
        y = self.run(np.concatenate([others[0], self.x, others[1]], axis=1), [333], stream)
        wide = self.graph.output.channels
        bits = _different(np.ascontiguousarray(y[:, wide : 2 * wide]), self.whole)
        return Law("lanes are independent", bits == 0, f"{bits} differing values beside others")

    def bad_samples(self) -> Law:
        bad = self.x.copy()
        bad[: len(bad) // 4 : 3] = np.nan
        bad[1 : len(bad) // 4 : 3] = np.inf
        stream = self.open(lanes=2)
        y = self.run(np.concatenate([bad, self.x], axis=1), [len(bad)], stream)
        wide = self.graph.output.channels
        bits = _different(np.ascontiguousarray(y[:, wide:]), self.whole)
        finite = bool(np.isfinite(y).all())
        counted = stream.num_bad_samples == int((~np.isfinite(bad)).sum())
        detail = f"{stream.num_bad_samples} NaN and infinite samples read as zero and counted"
        return Law("bad samples stay in their lane", finite and bits == 0 and counted, detail)

    def oracle(self) -> Law:
        name = "equals the definition"
        if importlib.util.find_spec("torch") is None:
            return Law(name, None, "needs torch (pip install 'rtaudio[torch]')")
        import torch

        from rtaudio.nn import Net

        net = Net(self.graph, {n: self.model.tensors[n] for n in self.graph.tensor_specs}).double()
        with torch.no_grad():
            wanted = net(torch.from_numpy(self.x.T[None].astype(np.float64)))[0].T.numpy()
        got = self.whole if self.plan.exact else self.at_once()
        error = float(np.abs(got - wanted).max()) if wanted.size else 0.0
        peak = max(1.0, float(np.abs(wanted).max())) if wanted.size else 1.0
        sums = any(isinstance(node.layer, PulseTrain) for node in self.plan.nodes)
        tolerance = PULSES_TOLERANCE if sums else ORACLE_TOLERANCE
        ok = wanted.shape == got.shape and error <= tolerance * peak
        detail = f"largest error {error:.2g} of a peak of {peak:.2g} against float64 torch"
        return Law(name, ok, detail)

    def at_once(self) -> FloatArray:
        """The answer of a call on the model, which sees the whole signal."""
        controls = [control.to_kernel(control.default) for control in self.graph.controls]
        return self.model.native(self.rate).run_whole(self.x, controls)

    def nearness(self) -> Law:
        """Of a stream to a call, where layers declare that they differ; checked where the layer
        says by how much at most."""
        error = float(np.abs(self.whole - self.at_once()).max(initial=0.0))
        detail = f"declared inexact: a stream differs by up to {error:.2g} from a call on the whole"
        body = self.graph.body
        bound = body.error_bound(self.model.tensors) if isinstance(body, BidirectionalRNN) else None
        if bound is None:
            return Law("a stream is near the whole", None, detail)
        detail += f"; {bound:.2g} is possible"
        return Law("a stream is near the whole", error <= bound + ORACLE_TOLERANCE, detail)

    def near_fp32(self) -> Law:
        """Rounded on purpose: how far from fp32, in dB SI-SDR."""
        name = f"{self.model.precision} near fp32"
        bound = LEAST_DB[self.model.precision]
        if self.model.name not in shipped_models():
            return Law(name, None, "bounded for shipped models only; `rtaudio bench` measures it")
        return Law(name, *_near(fp32_error_db(self.model), bound))

    def digest(self) -> Law:
        name = "same bits as on every machine"
        wanted = pinned(self.model.fingerprint(), self.model.precision)
        if wanted is None:
            return Law(name, None, "its output is pinned for shipped models only")
        if _native.cpu_level() == "v2":
            return Law(name, None, "level v2 has no fma and comes only near")
        same = reference_digest(self.model) == wanted
        return Law(name, same, "the pinned digest" if same else f"the pinned digest is {wanted}")


def fp32_error_db(model: Model) -> float:
    """SI-SDR in dB of a model's output against the same model's in fp32, on the calibration clip's
    second half, which calibration has not seen."""
    x = evaluation_signal(model.graph)
    reference = model.in_precision("fp32")(x)
    return float(np.mean([si_sdr(a, b) for a, b in zip(model(x).T, reference.T, strict=True)]))


def _near(decibels: float, bound: float) -> tuple[bool, str]:
    return decibels >= bound, f"{decibels:.1f} dB SI-SDR, at least {bound:g}"


def _different(a: FloatArray, b: FloatArray) -> int:
    """Values that differ in a bit; a difference in shape counts as all of them."""
    if a.shape != b.shape:
        return max(a.size, b.size, 1)
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return int((a.view(np.uint32) != b.view(np.uint32)).sum())


def _different_rows(a: FloatArray, b: FloatArray) -> np.ndarray:
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return np.asarray((a.view(np.uint32) != b.view(np.uint32)).any(axis=1))


def _listed(names: list[str]) -> str:
    return f" (wrong: {', '.join(names)})" if names else ""
