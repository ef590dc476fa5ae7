"""Changes to model files that a careless tool, a broken disk or an attacker might make."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from rtaudio.errors import RtaudioError
from rtaudio.graph import graph_from_json, lower

MAX_PLACES = 100_000
MAX_TENSORS = 1 << 20

NASTY: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    3,
    7,
    15,
    16,
    17,
    48,
    63,
    64,
    65,
    255,
    1024,
    4095,
    32_768,
    65_536,
    (1 << 20) - 1,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    -(1 << 31),
    1 << 63,
    10**30,
    10**400,
    0.0,
    0.5,
    -0.5,
    1e-30,
    1e-300,
    1e30,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "x",
    "0",
    "constant",
    "\ud800",
    "\x1b[2J",
    "a\nb",
    "x" * 5000,
    "serial",
    "delay",
    "cat",
    "mul",
    "conv1d",
    "constant.1.window",
    [],
    {},
    [[]],
    [0] * 3000,
    {"kind": "serial"},
    {"kind": "gru", "hidden": 3},
    {"kind": "batch_norm", "eps": 1e-12},
    {"kind": "layer_norm"},
    {"kind": "conv1d", "outputs": 2, "kernel_size": 3, "stride": 3, "lookahead_frames": -5},
    {"kind": "conv1d", "outputs": 1, "kernel_size": 1, "stride": 1 << 20},
    {"kind": "conv_transpose1d", "outputs": 1, "kernel_size": 9, "stride": 7, "crop": 2},
    {"kind": "band_filter", "bins": 65_536, "bands": 65_536, "bin_hz": 1.0},
    {"kind": "band_filter", "bins": 9, "bands": 5, "bin_hz": 0.001, "high_hz": 1e6},
    {"kind": "band_filter", "bins": 33, "bands": 8, "bin_hz": 100.0, "scale": "mel"},
    {"kind": "stft", "window": 32_768, "hop": 1},
    {"kind": "istft", "window": 16, "hop": 5},
    {"kind": "channels", "begin": 65_535, "end": 65_536, "pad": 65_536},
    {"kind": "activation", "function": "power", "a": -1e30},
    {"kind": "mean_subtract", "alpha": 1, "initial": 1e30},
    {"kind": "blend", "control": "amount"},
    {"kind": "linear", "outputs": 65_536},
]


class Mutator:
    """One seeded change, or a few, to a model file."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def mutate(self, data: bytes) -> bytes:
        way: Callable[[bytes], bytes] = self.rng.choices(
            [self.raw, self.header, self.text, self.model, self.tensors, self.config],
            [2, 2, 2, 10, 2, 1],
        )[0]
        return way(data)

    # ---- bytes ---------------------------------------------------------------------------------

    def raw(self, data: bytes) -> bytes:
        (length,) = struct.unpack("<Q", data[:8])
        if self.rng.random() < 0.2:
            claimed = self.rng.choice([0, 1, 2**63, 2**32, length + 1, 2**64 - 1])
            return struct.pack("<Q", claimed) + data[8:]
        return self.scramble(data, self.rng.choice([8, 8 + length, 1 << 30]))

    def scramble(self, data: bytes, first: int) -> bytes:
        """Bits, runs of bytes and lengths, most of them within the `first` bytes."""
        rng, changed = self.rng, bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 10])):
            if not changed:
                break
            at = rng.randrange(min(len(changed), rng.choice([first, first, 1 << 30])))
            kind = rng.randrange(4)
            if kind == 0:
                changed[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                changed[at : at + rng.randrange(1, 50)] = rng.randbytes(rng.randrange(50))
            elif kind == 2 and len(changed) > 100:
                del changed[max(at, 20) :]
            else:
                changed += rng.randbytes(rng.randrange(1, 100))
        return bytes(changed)

    # ---- the header, and the JSON inside it ----------------------------------------------------

    def header(self, data: bytes) -> bytes:
        head, body = split(data)
        self.change_tree(head)
        return join(head, body)

    def text(self, data: bytes) -> bytes:
        """Broken or doubled JSON."""
        head, body = split(data)
        values, rng = head["__metadata__"], self.rng
        key = rng.choice(sorted(values))
        text = values[key]
        at = rng.randrange(len(text) + 1)
        values[key] = rng.choice(
            [
                text[:at],
                text[:at] + rng.choice('{}[],:"0e-') + text[at:],
                "[" * 100_000 + "]" * 100_000,
                '{"body":' * 5000 + "0" + "}" * 5000,
                text.replace("{", '{"kind":"serial","kind":"gru",', 1),
                text.replace("1", "1" * 5000, 1),
                text.replace(":", ': NaN, "z":', 1),
            ]
        )
        return join(head, body)

    def config(self, data: bytes) -> bytes:
        head, body = split(data)
        values = head["__metadata__"]
        config = json.loads(values.get("config", '{"channels": 64}'))
        values["family"] = "rt-tcn"
        self.change_tree(config)
        values["config"] = json.dumps(self.rng.choice([config, config, config, *NASTY]))
        return join(head, body)

    def change_tree(self, tree: Any) -> None:
        """A few random changes inside nested lists and dictionaries."""
        rng = self.rng
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            places = [p for p in _places(tree) if p]
            if not 0 < len(places) <= MAX_PLACES:  # repeated lists of repeated lists grow fast
                return
            container, key = rng.choice(places)
            kind, value = rng.randrange(8), container[key]
            if kind == 0:
                del container[key]
            elif kind == 1 and isinstance(container, list):
                container.insert(key, copy.deepcopy(value))
            elif kind == 2:
                other, name = rng.choice(places)
                container[key], other[name] = copy.deepcopy(other[name]), copy.deepcopy(value)
            elif kind == 3 and type(value) in (int, float):
                container[key] = rng.choice([value + 1, value - 1, value * 2, value // 2, -value])
            elif kind == 4 and type(value) is int:
                container[key] = rng.choice([n for n in NASTY if type(n) is int])
            elif kind == 5 and isinstance(value, list):
                container[key] = value * rng.choice([0, 2, 30])
            elif kind == 6 and isinstance(container, dict):
                name = rng.choice(["name", "stride", "x", "bias"])
                container[name] = copy.deepcopy(rng.choice(NASTY))
            else:
                container[key] = copy.deepcopy(rng.choice(NASTY))

    # ---- models that fit themselves ------------------------------------------------------------

    def model(self, data: bytes) -> bytes:
        """Another graph, mostly with the program and the tensors that belong to it: what only a
        loader that plans and checks can tell from a good one."""
        head, body = split(data)
        values = head["__metadata__"]
        text = values["graph"]
        for _ in range(6):
            graph = json.loads(text)
            self.change_tree(graph if self.rng.random() < 0.3 else graph["body"])
            values["graph"] = json.dumps(graph)
            if _can_run(values["graph"]):
                break
        if self.rng.random() < 0.1:
            return join(head, body)
        if self.rng.random() < 0.1:
            program = json.loads(values["program"])
            self.change_tree(program)
            values["program"] = json.dumps(program)
            return join(head, body)
        try:
            made = graph_from_json(values["graph"])
            if made.num_parameters > MAX_TENSORS:
                return join(head, body)
            weights = made.initial_tensors(self.rng.randrange(100))
            self.change_values(weights, 0.3)
            program, tensors = lower(made, weights)
        except RtaudioError:
            return join(head, body)
        values["program"] = program.to_json()
        constants = {n: t for n, t in tensors.items() if n.startswith("constant.")}
        values.pop("family", None)
        return bytes(save({**weights, **constants}, metadata=values))

    def tensors(self, data: bytes) -> bytes:
        head, _ = split(data)
        tensors = {n: t.copy() for n, t in load(data).items()}
        self.change_values(tensors, 1.0)
        for name in self.rng.sample(sorted(tensors), k=min(len(tensors), self.rng.randrange(2))):
            kind = self.rng.randrange(4)
            if kind == 0:
                del tensors[name]
            elif kind == 1:
                tensors[name + "x"] = tensors[name]
            elif kind == 2:
                with np.errstate(all="ignore"):
                    tensors[name] = tensors[name].astype(self.rng.choice(["f2", "f8", "i4", "?"]))
            else:
                tensors[name] = tensors[name].reshape(self.rng.choice([(-1,), (-1, 1), (1, -1, 1)]))
        return bytes(save(tensors, metadata=head["__metadata__"]))

    def change_values(self, tensors: dict[str, Any], probability: float) -> None:
        rng = self.rng
        for name in sorted(tensors):
            if tensors[name].size and rng.random() < probability / 2:
                values = tensors[name].reshape(-1)
                values[rng.randrange(values.size)] = rng.choice(
                    [np.nan, np.inf, -1.0, -1e-6, 0.0, 1e-42, 3e38, -3e38, 1e20]
                )


def _can_run(text: str) -> bool:
    try:
        return graph_from_json(text).num_parameters <= MAX_TENSORS
    except RtaudioError:
        return False


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything inside; of more than MAX_PLACES some."""
    found: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack and len(found) <= MAX_PLACES:
        node = stack.pop()
        if isinstance(node, dict):
            keys: list[Any] = list(node)
        elif isinstance(node, list):
            keys = list(range(len(node)))
        else:
            continue
        for key in keys:
            found.append((node, key))
            stack.append(node[key])
    return found
