"""What torch makes of the same weights: eager, compiled, and as a CUDA graph; from host to host, as
our own calls. torch is imported when a peer is made."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rtaudio.bench.hardware import Peak
from rtaudio.errors import RtaudioError

if TYPE_CHECKING:
    from torch import Tensor

    from rtaudio.graph.layer import FloatArray
    from rtaudio.runtime.model import Model

NAMES = ("torch", "torch-compile", "torch-graph")
_MATRIX = 8192  # of the product that tells the peak
_COPIED = 1 << 30


def torch_device(device: str) -> str:
    """Where torch runs beside ours on a device."""
    return "cuda" if device.startswith("cuda") else "cpu"


def torch_peer(
    name: str,
    model: Model,
    *,
    lanes: int,
    ticks: int,
    sample_rate: int | None = None,
    device: str,
) -> Callable[[FloatArray], FloatArray]:
    """The model as a call that takes [lane, channel, frame] of `ticks` ticks and gives the output
    port's frames. Raises RtaudioError, one sentence, where it cannot be had."""
    if importlib.util.find_spec("torch") is None:
        raise RtaudioError(f"the peer {name} needs torch; pip install torch")
    import torch

    from rtaudio.bench.torch_refine import Network
    from rtaudio.bench.torch_stream import TorchStream

    torch.set_num_threads(1)
    stream = TorchStream(model, lanes, sample_rate).eval().to(device)
    frames = ticks * stream.plan.block
    fixed = torch.zeros(lanes, stream.plan.source.channels, frames, device=device)
    run: Callable[[], Tensor] = lambda: stream(fixed)  # noqa: E731
    begin = {key: value.clone() for key, value in stream.named_buffers()}
    try:
        if name == "torch-compile":
            # The steps of diffusion share one compiled network; each has its queues.
            networks = [each for each in stream.modules() if isinstance(each, Network)]
            parts: Sequence[torch.nn.Module] = networks or [stream]
            compiled = torch.compile(type(parts[0]).forward, dynamic=False)
            for each in parts:
                each.forward = functools.partial(compiled, each)
        with torch.no_grad():
            run()
            if name == "torch-graph":
                run = captured(run, device)
    except Exception as error:  # a compiler may be missing, or anything else
        reason = str(error).strip().split("\n")[0][:100]
        raise RtaudioError(f"{name} does not work here ({reason}).") from error
    for key, value in stream.named_buffers():  # what warmed it up is forgotten
        value.copy_(begin[key])
    staging = torch.zeros(fixed.shape, pin_memory=device == "cuda")

    def call(x: FloatArray) -> FloatArray:
        staging.copy_(torch.from_numpy(x))
        with torch.no_grad():
            fixed.copy_(staging, non_blocking=True)
            return run().cpu().numpy()

    return call


def captured(run: Callable[[], Tensor], device: str) -> Callable[[], Tensor]:
    """The call as a CUDA graph."""
    if device != "cuda":
        raise RtaudioError("a CUDA graph needs a GPU")
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = run()

    def replay() -> Tensor:
        graph.replay()
        return y

    return replay


def measure_torch_peak(precision: str, device: str) -> Peak:
    """Multiply-adds a second of a large product (fp32 without TF32), and bytes a second of a large
    copy, read and written, of the whole device."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    on_gpu = device == "cuda"
    n, count = (_MATRIX, _COPIED) if on_gpu else (128, 1 << 20)
    kind = torch.float32 if precision == "fp32" else torch.bfloat16
    a, b = (torch.randn(n, n, device=device, dtype=kind) for _ in range(2))
    x, y = (torch.randn(count // 4, device=device) for _ in range(2))
    return Peak(
        n**3 / _seconds(lambda: a @ b, device), 2 * count / _seconds(lambda: y.copy_(x), device)
    )


def _seconds(call: Callable[[], Any], device: str) -> float:
    import time

    import torch

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    times = []
    for _ in range(8):
        wait()
        before = time.perf_counter()
        for _ in range(3):
            call()
        wait()
        times.append((time.perf_counter() - before) / 3)
    return float(np.median(times[2:]))
