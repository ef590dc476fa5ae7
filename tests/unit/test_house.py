"""What the build promises: the stub, the version, the truth about CUDA and CPU levels."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys

import pytest

import rtaudio
from rtaudio import _native


def test_module_and_package_agree_on_the_version() -> None:
    assert _native.__version__ == importlib.metadata.version("rtaudio") == rtaudio.__version__


def test_cuda_report_has_devices_or_a_reason() -> None:
    report = _native.query_cuda()
    assert bool(report.devices) != bool(report.reason)
    if not report.runtime_version:
        assert report.reason == "built without CUDA"
    elif not report.driver_version:
        assert report.reason == "no NVIDIA driver"


@pytest.mark.gpu
def test_cuda_devices_are_described() -> None:
    devices = _native.query_cuda().devices
    if not devices:
        pytest.skip(f"needs an NVIDIA GPU: {_native.query_cuda().reason}")
    for device in devices:
        assert device.name
        assert device.compute_major >= 7
        assert device.memory_bytes > 2**30
        assert device.num_multiprocessors > 0


def level_in_process(forced: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from rtaudio import _native; print(_native.cpu_level())"],
        env=os.environ | {"RTAUDIO_CPU_ISA": forced},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("level", _native.supported_cpu_levels())
def test_a_supported_level_can_be_forced(level: str) -> None:
    assert level_in_process(level).stdout.strip() == level


def test_an_unknown_level_is_refused_in_a_sentence() -> None:
    done = level_in_process("v9")
    assert done.returncode != 0
    assert "RTAUDIO_CPU_ISA" in done.stderr
    assert "v9" in done.stderr
