"""Mutated .nam files: each plays, or is refused in one sentence, within bounds.

`python -m tests.unit.test_nam_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import rtaudio
from rtaudio.errors import ModelFileError, RtaudioError

from .fuzzing import Fuzzed, outcomes_of
from .model_mutations import Mutator
from .test_model_file_fuzz import check_sentence

pytest.importorskip("torch", reason="the files are made beside their reference, which is torch's")

from .nam_files import CONFIGS, make_nam

X = np.random.default_rng(1).uniform(-1, 1, 200).astype(np.float32)


def seeds(_folder: Path) -> list[bytes]:
    return [json.dumps(make_nam(config, X[:1])[0]).encode() for config in CONFIGS.values()]


def mutate(rng: random.Random, data: bytes) -> bytes:
    mutator = Mutator(rng)
    if rng.random() < 0.15:
        return mutator.scramble(data, 600)
    content = json.loads(data)
    weights = content.pop("weights")
    mutator.change_tree(rng.choice([content, content["config"]]))
    if rng.random() < 0.2:
        holder = {"weights": weights[: rng.choice([0, 1, 100, len(weights)])]}
        mutator.change_tree(holder)
        weights = holder.get("weights")
    return json.dumps({**content, "weights": weights}).encode()


def attempt(path: Path, _rng: random.Random) -> list[str]:
    try:
        model = rtaudio.load(path)
    except ModelFileError as error:
        check_sentence(str(error))
        return ["refused"]
    assert all(value.isprintable() for value in model.metadata.values())
    try:
        stream = model.stream()
        y = np.concatenate([stream.push(X), stream.flush()])
    except RtaudioError as error:
        check_sentence(str(error))
        return ["stopped"]
    assert y.shape == X.shape
    return ["plays"]


NAM = Fuzzed(
    name="nam",
    suffix=".nam",
    outcomes=("plays", "refused", "stopped"),
    memory=6 << 30,
    seeds=seeds,
    mutate=mutate,
    attempt=attempt,
)


def test_mutated_amplifiers() -> None:
    """In a process of its own, whose memory is limited."""
    results = outcomes_of(__name__, cases=200)
    assert results["plays"] > 10
    assert results["refused"] > 100


if __name__ == "__main__":
    warnings.simplefilter("error")
    NAM.main()
