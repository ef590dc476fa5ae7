"""Models on a device: what is said where there is no GPU."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rtaudio import _native
from rtaudio.bench.wavenet_nets import load_network
from rtaudio.cli.main import main
from rtaudio.errors import RtaudioError

WITHOUT = pytest.mark.skipif(bool(_native.query_cuda().devices), reason="there is a GPU")


@WITHOUT
@pytest.mark.parametrize("command", ["bench", "vocode"])
def test_without_a_gpu_its_device_is_refused_in_a_sentence(command, tmp_path, capsys):
    what = ["wavenet", "-m", "small"] if command == "bench" else [str(tmp_path / "mel.npy")]
    np.save(tmp_path / "mel.npy", np.zeros((80, 4), np.float32))
    arguments = [*what, "--device", "cuda"]
    if command == "vocode":
        arguments += ["-o", str(tmp_path / "out.wav")]
    assert main([command, *arguments]) != 0
    assert re.search("no NVIDIA driver|built without CUDA", capsys.readouterr().err)


@WITHOUT
def test_loading_for_a_gpu_says_why_it_cannot_be_used():
    with pytest.raises(RtaudioError, match=r"no NVIDIA driver|built without CUDA"):
        load_network("small", "fp32", None, "cuda-strict")


def test_an_unknown_device_is_refused_in_a_sentence():
    with pytest.raises(RtaudioError, match="no device 'gpu'"):
        load_network("small", "fp32", None, "gpu")


@WITHOUT
@pytest.mark.parametrize("kind", ["denoise", "vad", "layers", "diffusion"])
def test_every_kind_of_benchmark_is_for_a_device(kind, capsys):
    layer = ["--layer", "linear"] if kind == "layers" else []
    arguments = ["bench", kind, "--device", "cuda", *layer]
    assert main(arguments) == 1
    assert re.search("no NVIDIA driver|built without CUDA", capsys.readouterr().err)
