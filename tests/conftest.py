"""Tests share a small machine: one thread for the oracle."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live-seconds", type=float, default=10.0, help="how long the live tests listen"
    )
