"""Model files that are truncated, inconsistent, huge or unknown: one sentence, exit code 1."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtaudio.cli.main import main

from .audio_files import write


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_metadata(data: bytes, **changes: str | None) -> bytes:
    header, body = split(data)
    values = header["__metadata__"]
    for key, value in changes.items():
        if value is None:
            values.pop(key)
        else:
            values[key] = value
    return join(header, body)


def with_metadata_text(data: bytes, key: str, old: str, new: str) -> bytes:
    header, body = split(data)
    text = header["__metadata__"][key]
    assert old in text, text[:600]
    header["__metadata__"][key] = text.replace(old, new, 1)
    return join(header, body)


def first_tensor(header: dict[str, Any]) -> str:
    return min(name for name in header if name != "__metadata__")


def with_header(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    header, body = split(data)
    change(header)
    return join(header, body)


def huge_shape(header: dict[str, Any]) -> None:
    header[first_tensor(header)]["shape"] = [1 << 40, 1 << 20]


def drop_tensor(header: dict[str, Any]) -> None:
    header["missing"] = header.pop(first_tensor(header))


def beyond_the_end(header: dict[str, Any]) -> None:
    entry = header[first_tensor(header)]
    entry["data_offsets"] = [offset + (1 << 30) for offset in entry["data_offsets"]]


def half_precision(header: dict[str, Any]) -> None:
    for name, entry in header.items():
        if name != "__metadata__":
            entry["dtype"], entry["shape"] = "BF16", [*entry["shape"][:-1], 2 * entry["shape"][-1]]


def with_nan(data: bytes) -> bytes:
    header, body = split(data)
    start = header[first_tensor(header)]["data_offsets"][0]
    changed = bytearray(body)
    changed[start : start + 4] = np.float32(np.nan).tobytes()
    return join(header, bytes(changed))


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "text": lambda data: b"this is a letter, not a model\n" * 10,
    "pickle": lambda data: pickle.dumps({"weights": [1, 2, 3]}),
    "cut in the header": lambda data: data[:200],
    "cut in the tensors": lambda data: data[:-100],
    "header length of 2^63": lambda data: struct.pack("<Q", 1 << 63) + data[8:],
    "header of 1 GB": lambda data: struct.pack("<Q", 1 << 30) + data[8:],
    "header is no JSON": lambda data: data[:8] + b"\xff" * 64 + data[72:],
    "huge shape": lambda data: with_header(data, huge_shape),
    "tensor missing": lambda data: with_header(data, drop_tensor),
    "tensor beyond the end": lambda data: with_header(data, beyond_the_end),
    "bf16 tensors": lambda data: with_header(data, half_precision),
    "NaN weight": with_nan,
    "another format": lambda data: with_metadata(data, format="pt"),
    "no format": lambda data: with_metadata(data, format=None),
    "newer numerics": lambda data: with_metadata(data, numerics="999"),
    "no graph": lambda data: with_metadata(data, graph=None),
    "no program": lambda data: with_metadata(data, program=None),
    "graph is no JSON": lambda data: with_metadata(data, graph="{"),
    "graph is a list": lambda data: with_metadata(data, graph="[]"),
    "program is empty": lambda data: with_metadata(data, program="{}"),
    "deep nesting": lambda data: with_metadata(data, graph="[" * 100_000 + "]" * 100_000),
    "unknown layer": lambda data: with_metadata_text(data, "graph", '"lstm"', '"quantum"'),
    "unknown operation": lambda data: with_metadata_text(data, "program", '"lstm"', '"quantum"'),
    "unknown family": lambda data: with_metadata(data, family="rt-unheard-of"),
    "config is no JSON": lambda data: with_metadata(data, config="{"),
    "config with other sizes": lambda data: with_metadata(data, config='{"channels": -1}'),
    "config with an absurd size": lambda data: with_metadata(data, config='{"channels": 1e99}'),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", ["denoise", "info", "verify"])
def test_broken_models(tmp_path: Path, capsys, model_path: Path, kind: str, command: str):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(BROKEN[kind](model_path.read_bytes()))
    arguments = [command, str(path)]
    if command == "denoise":
        audio = write(tmp_path / "in.wav")
        arguments = ["denoise", str(audio), "-o", str(tmp_path / "out.wav"), "-m", str(path)]
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    assert str(path) in err, err
    assert "unexpected" not in err, err
    assert len(err) < 600, err
    assert not (tmp_path / "out.wav").exists()


def test_a_config_of_another_network_is_told_where_it_is_needed(tmp_path, capsys, model_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(with_metadata(model_path.read_bytes(), config='{"channels": 32}'))
    audio = write(tmp_path / "in.wav", rate=16_000)
    assert main(["denoise", str(audio), "-m", str(path)]) == 1
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    assert "'broken' does not fit its own config at 16000 Hz" in err


def test_a_folder_and_a_missing_file(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none.safetensors"):
        assert main(["verify", str(path)]) == 1
        err = capsys.readouterr().err
        assert len(err.strip().splitlines()) == 1, err
        assert str(path) in err


def test_info_and_verify_of_a_good_model(capsys, model_path):
    assert main(["info", str(model_path), "--plan"]) == 0
    out = capsys.readouterr().out
    for words in ("latency", "20 ms", "CC0-1.0", "lstm"):
        assert words in out
    assert main(["info", str(model_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "small"
    assert main(["verify", str(model_path)]) == 0
    out = capsys.readouterr().out
    assert "FAIL" not in out
    assert "SHA-256" in out
