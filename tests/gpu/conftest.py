"""Tests that need an NVIDIA GPU: each says so where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtaudio import _native

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    report = _native.query_cuda()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.gpu)
        if not report.devices:
            item.add_marker(pytest.mark.skip(reason=f"needs an NVIDIA GPU: {report.reason}"))
