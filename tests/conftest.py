"""Tests share a small machine: one thread for the oracle."""

from __future__ import annotations

import importlib.util
import signal

import pytest

if importlib.util.find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)

# A shell that runs the tests in the background leaves Ctrl-C ignored, and the programs that tests
# interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live-seconds", type=float, default=10.0, help="how long the live tests listen"
    )
    parser.addoption(
        "--live-hours", type=float, default=5 / 60, help="how long they do in virtual time"
    )
