"""A sound card for the tests: JACK's dummy driver, or a skip that says what it needs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .jack import Server, compile_c, compile_rig, what_is_missing
from .pulse import Pulse
from .pulse import what_is_missing as what_pulse_lacks


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    return compile_rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="session")
def guard(rig: Path) -> Path:
    """The library that counts what audio threads may not do; for LD_PRELOAD."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("needs glibc")
    return compile_c("guard.c", rig.with_name("guard.so"), "-shared", "-fPIC", "-ldl")


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


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    missing = what_pulse_lacks(*Pulse.tools)
    if missing:
        pytest.skip(missing)
    home = tmp_path / "home"
    home.mkdir()
    server = Pulse(home)
    yield server
    server.stop()
