"""A sound card for the tests: JACK's dummy driver, or a skip that says what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .jack import Server, compile_rig, what_is_missing


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    return compile_rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture
def serve(rig: Path) -> Iterator[Callable[..., Server]]:
    """Starts a JACK server; ends it with the test."""
    servers: list[Server] = []

    def start(**options: int) -> Server:
        servers.append(Server(rig, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
