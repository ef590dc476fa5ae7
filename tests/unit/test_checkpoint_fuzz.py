"""Mutated checkpoints of torch with their hparams: imported, or refused in one sentence.

`python -m tests.unit.test_checkpoint_fuzz --seconds 600 --seed 7` goes on for longer.
"""

from __future__ import annotations

import copy
import io
import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest

from .fuzzing import Fuzzed, outcomes_of
from .model_mutations import NASTY, Mutator
from .test_model_file_fuzz import try_import

torch = pytest.importorskip("torch", reason="reads checkpoints: pip install 'rtaudio[torch]'")

from .test_r9y9 import later_hparams, later_weights  # noqa: E402

HPARAMS = later_hparams("raw", 30)


def seeds(_folder: Path) -> list[bytes]:
    weights = later_weights("raw", 30, 1)
    return [saved({"state_dict": weights, "global_step": 7}), saved(weights)]


def saved(content: Any) -> bytes:
    stored = io.BytesIO()
    torch.save(content, stored)
    return stored.getvalue()


def mutate(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.4:
        return Mutator(rng).scramble(data, rng.choice([600, 1 << 30]))
    content = torch.load(io.BytesIO(data), weights_only=True)
    state = content.get("state_dict", content)
    for _ in range(rng.choice([0, 1, 1, 2])):
        name = rng.choice(list(state))
        if isinstance(state[name], torch.Tensor):
            state[name] = changed(rng, state[name])
        else:
            state[name] = rng.choice(NASTY)
    if rng.random() < 0.1:
        del state[rng.choice(list(state))]
    return saved(content)


def changed(rng: random.Random, tensor: Any) -> Any:
    kind = rng.randrange(9)
    if kind == 0:
        return torch.zeros(1).expand(1 << rng.choice([4, 33, 40]))  # few numbers, said to be many
    if kind == 1:
        return tensor.to(rng.choice([torch.bfloat16, torch.int8, torch.complex64, torch.bool]))
    if kind == 2:
        return tensor.to_sparse() if tensor.dim() else tensor
    if kind == 3:
        return tensor.to("meta")
    if kind == 4:
        return tensor.reshape(-1)[: rng.randrange(tensor.numel() + 1)]
    if kind == 5:
        return torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8)
    if kind == 6:
        return tensor * rng.choice([float("nan"), float("inf"), 0.0, 1e30])
    if kind == 7:
        return rng.choice([*NASTY, None, {}, [tensor]])
    return tensor.clone().requires_grad_()


def attempt(path: Path, rng: random.Random) -> list[str]:
    hparams = copy.deepcopy(HPARAMS)
    if rng.random() < 0.3:
        Mutator(rng).change_tree(hparams)
    beside = path.with_name("hparams.json")
    beside.write_text(json.dumps(hparams))
    warnings.simplefilter("ignore")  # torch's own, of what it deprecates
    return try_import([path, beside])


CHECKPOINTS = Fuzzed(
    name="checkpoint",
    suffix=".pth",
    outcomes=("imported", "refused"),
    memory=12 << 30,
    seeds=seeds,
    mutate=mutate,
    attempt=attempt,
)


def test_mutated_checkpoints() -> None:
    """In a process of its own, whose memory is limited."""
    results = outcomes_of(__name__, cases=150)
    assert results["imported"] > 10
    assert results["refused"] > 30


if __name__ == "__main__":
    CHECKPOINTS.main()
