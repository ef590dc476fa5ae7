"""Graphs and files made to hurt: each is refused in a sentence, before it costs anything."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rtaudio
from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph import (
    BatchNorm,
    Graph,
    Linear,
    Program,
    Serial,
    StreamPort,
    graph_from_json,
    load_model_file,
    save_model,
)
from rtaudio.graph.layer import Layer
from rtaudio.models.family import find_family
from rtaudio.runtime.laws import graph_of

from ..laws.catalogue import EXAMPLES

LINEAR = {"kind": "linear", "outputs": 1}
CONV = {"kind": "conv1d", "outputs": 1, "kernel_size": 1}
UP = {"kind": "conv_transpose1d", "outputs": 1}
CONTROL = {"name": "c", "default": 0.0, "low": 0.0, "high": 1.0}
BANDS = {"kind": "band_filter", "bin_hz": 1.0}

WIDE_BANDS = {**BANDS, "bins": 4096, "bands": 2048}


def graph_data(*layers: Any, **changes: Any) -> dict[str, Any]:
    return {
        "sample_rate": 1000,
        "input": {"name": "x"},
        "output": {"name": "y"},
        "controls": [],
        "body": {"kind": "serial", "layers": list(layers)},
        **changes,
    }


STACK = {
    "kind": "gated_stack",
    "channels": 1,
    "gate_channels": 1,
    "skip_channels": 1,
    "kernel_size": 1,
    "dilations": [1] * 1024,
}

HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "a filter bank of 16 GiB": (graph_data({**BANDS, "bins": 65536, "bands": 65536}), "bands"),
    "a filter bank over a billion bins": (
        graph_data({**BANDS, "bins": 9, "bands": 9, "bin_hz": 0.001, "high_hz": 1e6}),
        "weights",
    ),
    "many filter banks": (
        graph_data(
            {
                "kind": "merge",
                "op": "add",
                "branches": [{**BANDS, "bins": 4096, "bands": 2048}] * 3,
            },
            input={"name": "x", "channels": 4096},
        ),
        "filter banks hold",
    ),
    "a chain of strides": (graph_data(*[{**CONV, "stride": 1 << 20}] * 10_000), "one tick"),
    "a receptive field of 2^41 frames": (
        graph_data({**CONV, "stride": 1 << 16}, *[{**CONV, "kernel_size": 1 << 20}] * 32),
        "receptive field",
    ),
    "stacks of stacks": (graph_data(*[STACK] * 1000), "operations"),
    "a tick of 2^60 multiplications": (
        graph_data(
            {**UP, "kernel_size": 1 << 20, "stride": 1 << 20, "outputs": 1},
            {**CONV, "kernel_size": 1 << 20},
            {**CONV, "stride": 1 << 20},
        ),
        "multiply-accumulates",
    ),
    "a delay of a million frames, often": (
        graph_data(*[{**CONV, "lookahead_frames": 1 << 20}] * 3),
        "too long",
    ),
    "a number of 400 digits": (graph_data(LINEAR, sample_rate=10**400), "out of range"),
    "sample_rate true": (graph_data(LINEAR, sample_rate=True), "not int"),
    "sample_rate 0.5": (graph_data(LINEAR, sample_rate=0.5), "not int"),
    "sample_rate text": (graph_data(LINEAR, sample_rate="1000"), "not int"),
    "channels true": (graph_data(LINEAR, input={"name": "x", "channels": True}), "not int"),
    "channels 1.0": (graph_data(LINEAR, input={"name": "x", "channels": 1.0}), "not int"),
    "channels 0": (graph_data(LINEAR, input={"name": "x", "channels": 0}), "channels"),
    "a port without a name": (graph_data(LINEAR, input={}), "lacks name"),
    "a port with more": (graph_data(LINEAR, output={"name": "y", "rate": 2}), "no field"),
    "a port that is a list": (graph_data(LINEAR, output=["y"]), "not an object"),
    "a name that is a number": (graph_data(LINEAR, input={"name": 3}), "not str"),
    "a name of a megabyte": (graph_data(LINEAR, input={"name": "x" * (1 << 20)}), "short"),
    "a name that clears the screen": (graph_data(LINEAR, input={"name": "\x1b[2J"}), "printable"),
    "half a surrogate": (graph_data({**LINEAR, "name": "\ud800"}), "printable"),
    "controls that are text": (graph_data(LINEAR, controls="c"), "not an object"),
    "a control's default as text": (
        graph_data(LINEAR, controls=[{**CONTROL, "default": "0"}]),
        "not float",
    ),
    "a control without a limit": (
        graph_data(LINEAR, controls=[{**CONTROL, "high": 1e300}]),
        "within",
    ),
    "a control whose factor overflows": (
        graph_data(LINEAR, controls=[{**CONTROL, "low": -1e6, "unit": "dB"}]),
        "within",
    ),
    "two controls of one name": (graph_data(LINEAR, controls=[CONTROL, CONTROL]), "same name"),
    "a control of no name": (graph_data({"kind": "blend", "control": ""}), "control"),
    "two layers of one name": (
        graph_data({"kind": "linear", "outputs": 2, "name": "a"}, {**LINEAR, "name": "a"}),
        "'a.weight'",
    ),
    "a name that is an index": (graph_data({**LINEAR, "name": "1"}, LINEAR), "'1.weight'"),
    "a layer named as the constants are": (
        graph_data({**LINEAR, "name": "constant"}),
        "'constant'",
    ),
    "a layer that is a number": (graph_data(3), "in place of a layer"),
    "a kind that is a list": (graph_data({"kind": ["linear"]}), "cannot be read"),
    "layers that are text": (graph_data(body={"kind": "serial", "layers": "abc"}), "not a list"),
    "dilations that are a number": (graph_data({**STACK, "dilations": 3}), "not a list"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_graphs(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises((ModelFileError, GraphError), match=words) as caught:
        graph_from_json(json.dumps(data)).check_tensors({})
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400, message


def test_strides_without_common_factors() -> None:
    """Rates between the layers have no small common multiple; nothing grows with it."""
    primes = [p for p in range(3, 5000, 2) if all(p % d for d in range(3, int(p**0.5) + 1, 2))]
    layers = [
        layer
        for p in primes
        for layer in ({**UP, "kernel_size": p, "stride": p}, {**CONV, "stride": p})
    ]
    plan = graph_from_json(json.dumps(graph_data(*layers))).plan
    assert (plan.block, plan.lookahead_samples, plan.receptive_past) == (1, 0, 0)
    wider = graph_data(*layers, {**UP, "kernel_size": 8, "stride": 4}, {**CONV, "stride": 4})
    assert graph_from_json(json.dumps(wider)).plan.receptive_past == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "[" * 100_000,
        "3",
        "[]",
        "null",
        "{}",
        '"text"',
        "1" * 5000,
        "",
        '{"version": 1, "buffers": [], "operations": [[]]}',
        '{"version": 1, "buffers": [[1, 2]], "operations": []}',
        '{"version": 1, "buffers": [], "input": 0, "output": 0, "controls": [], "operations": '
        '[{"kind": "add", "inputs": [0], "output": 0, "ints": [], "floats": {}, "tensors": {}, '
        '"control": -1}]}',
    ],
)
def test_what_is_no_graph_program_or_config(text: str) -> None:
    for read in (
        graph_from_json,
        Program.from_json,
        lambda text: find_family({"family": "rt-tcn", "config": text}) or pytest.fail("used"),
    ):
        if text == "{}" and read not in (graph_from_json, Program.from_json):
            continue  # an empty config is the default one
        with pytest.raises(ModelFileError) as caught:
            read(text)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "config",
    [
        {"channels": 64.0},
        {"channels": True},
        {"channels": 10**30},
        {"dilations": 3},
        {"dilations": ["1"]},
        {"dilations": [1] * 100_000},
        {"mean_seconds": 0},
        {"mean_seconds": 0.0},
        {"mean_seconds": -1e-9},
        {"core_bins": 0},
        {"core_bins": 60_000},
        {"num_bands": 100_000},
        {"filter_taps": 1 << 40},
        {"floor": 1e300},
        {"compression": "0.3"},
        {"kernel_size": None},
    ],
)
def test_configs_that_cannot_be(config: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError):
        find_family({"family": "rt-tcn", "config": json.dumps(config)})


@pytest.mark.parametrize("name", EXAMPLES)
def test_sizes_of_constants_are_known_without_making_them(name: str) -> None:
    layer, channels = EXAMPLES[name]
    for node in graph_of(layer, channels).plan.nodes:
        width = node.inputs[0].channels
        arrays = node.layer.kernel(width).tensors.values()
        made = sum(a.size for a in arrays if not isinstance(a, str))
        assert made == node.layer.constant_floats(width)


def small_graph(*layers: Layer) -> Graph:
    port = StreamPort(name="x", channels=2)
    return Graph(body=Serial(layers=layers), sample_rate=1000, input=port, output=port)


@pytest.mark.parametrize(
    ("slot", "value"),
    [("variance", -1.0), ("variance", np.nan), ("bias", np.inf), ("scale", 3e38)],
)
def test_statistics_that_fold_to_no_number(tmp_path: Path, slot: str, value: float) -> None:
    graph = small_graph(BatchNorm())
    good = graph.initial_tensors()
    path = tmp_path / "m.safetensors"
    with pytest.raises(GraphError), warnings.catch_warnings():
        warnings.simplefilter("error")
        changed = {**good, f"0.{slot}": np.full(2, value, np.float32)}
        changed["0.variance"] = np.minimum(changed["0.variance"], 1e-6)
        save_model(path, graph, changed)
    assert not list(tmp_path.iterdir())


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    loop = tmp_path / "loop.safetensors"
    loop.symlink_to(loop)
    long = tmp_path / ("x" * 300 + ".safetensors")
    for path in (pipe, empty, loop, long, tmp_path, Path("/dev/zero"), Path("a\0.safetensors")):
        with pytest.raises(ModelFileError):
            load_model_file(path)
        with pytest.raises(ModelFileError):
            rtaudio.load(path)


def test_a_sparse_file_that_claims_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "sparse.safetensors"
    with path.open("wb") as file:
        file.write((1 << 33).to_bytes(8, "little"))
        file.truncate(1 << 34)
    with pytest.raises(ModelFileError, match="more than"):
        load_model_file(path)
    with path.open("r+b") as file:
        file.truncate(1 << 32)
    with pytest.raises(ModelFileError, match="claims"):
        load_model_file(path)


def test_names_that_no_file_system_takes() -> None:
    for name in ("x" * 5000, "a\0b", "\udcff"):
        with pytest.raises(ModelFileError, match="no model"):
            rtaudio.load(name)


def test_a_plain_model_still_loads(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    graph = small_graph(Linear(outputs=2))
    save_model(path, graph, graph.initial_tensors())
    assert rtaudio.load(path).graph == graph
