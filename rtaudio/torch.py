"""The engine's kernels as torch operators, for people who stay in torch.

    stack = QueuedStack(GatedStack(channels=64, ..., dilations=(1, 2, 4, 8)), tensors)
    memory, position = stack.initial_state(lanes=1)
    for x in frames:                                     # [lane, time, channel]
        skips = stack(x, memory, position)

The operator works under torch.compile and torch.export; it has no gradient.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
import torch.utils.dlpack
from torch import Tensor, nn

from rtaudio import _native
from rtaudio.errors import RtaudioError
from rtaudio.graph import GatedStack, Graph, StreamPort
from rtaudio.runtime.model import Model
from rtaudio.runtime.session import Session

MAX_TICKS = 64  # frames of all lanes that go through a layer together
NOMINAL_RATE = 16_000  # a stack does not know its rate


class _Stack:
    """The native side of a QueuedStack: immutable but for one scratch a number of lanes."""

    def __init__(self, stack: GatedStack, tensors: Mapping[str, Any]) -> None:
        arrays = {
            name: np.ascontiguousarray(torch.as_tensor(value).detach().cpu().numpy(), np.float32)
            for name, value in tensors.items()
        }
        self.inputs = stack.channels + stack.condition_channels
        self.outputs = stack.skip_channels
        graph = Graph(
            body=stack,
            sample_rate=NOMINAL_RATE,
            input=StreamPort(name="x", channels=self.inputs),
            output=StreamPort(name="skips", channels=self.outputs),
        )
        graph.check_tensors(arrays)
        self._model = Model.from_graph(graph, arrays, "stack").native(NOMINAL_RATE)
        self._steps: dict[int, _native.Step] = {}

    def step(self, lanes: int) -> _native.Step:
        if lanes not in self._steps:
            self._steps[lanes] = _native.Step(self._model, lanes, MAX_TICKS)
        return self._steps[lanes]


# An operator's arguments are tensors and numbers: stacks go by number.
_stacks: WeakValueDictionary[int, _Stack] = WeakValueDictionary()
_numbers = itertools.count()


def _queued_stack(x: Tensor, memory: Tensor, position: Tensor, stack: int) -> Tensor:
    native = _stacks[stack].step(x.shape[0])
    y = native.run(x.detach().contiguous().numpy(), memory.numpy(), position.numpy())
    return torch.from_numpy(y)


def _queued_stack_fake(x: Tensor, memory: Tensor, position: Tensor, stack: int) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], _stacks[stack].outputs)


# Defined by hand: torch.library.custom_op's wrappers cost twenty times what the stack does.
_library = torch.library.Library("rtaudio", "DEF")
_library.define(
    "queued_stack(Tensor x, Tensor(a!) memory, Tensor(b!) position, int stack) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_library.impl("queued_stack", _queued_stack, "CPU")
torch.library.register_fake("rtaudio::queued_stack", _queued_stack_fake, lib=_library)

# x [lane, time, channel] through a stack: [lane, time, skip_channels]; `memory` and `position` move
# on in place.
queued_stack = torch.ops.rtaudio.queued_stack.default


def _diffusion_step(
    x: Tensor,
    epsilon: Tensor,
    spread: Tensor | None,
    scale: float,
    weight: float,
    deviation: float,
    clip: bool,
    seed: int,
    stream: int,
    position: int,
    step: int,
) -> Tensor:
    y = x.detach().clone(memory_format=torch.contiguous_format)
    empty = np.empty(0, np.float32)
    wide = empty if spread is None else spread.detach().contiguous().numpy()
    found = epsilon.detach().contiguous().numpy()
    coefficients = (scale, weight, deviation, clip)
    _native.diffusion_step(y.numpy(), found, wide, *coefficients, seed, stream, position, step)
    return y


def _diffusion_step_fake(x: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


_library.define(
    "diffusion_step(Tensor x, Tensor epsilon, Tensor? spread, float scale, float weight, "
    "float deviation, bool clip, int seed, int stream, int position, int step) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def _diffusion_step_cuda(x: Tensor, epsilon: Tensor, spread: Tensor | None, *how: Any) -> Tensor:
    """`how` as in _diffusion_step."""
    _check_step(x, epsilon, spread)
    y = x.detach().clone(memory_format=torch.contiguous_format)
    found = epsilon.detach().contiguous()
    wide = None if spread is None else spread.detach().contiguous()
    lanes, frames, values = y.shape
    with torch.cuda.device(x.device):
        queue = torch.cuda.current_stream().cuda_stream
        _native.diffusion_step_cuda(
            queue,
            y.data_ptr(),
            found.data_ptr(),
            0 if wide is None else wide.data_ptr(),
            (lanes, frames, values),
            *how,
        )
    return y


def _check_step(x: Tensor, *others: Tensor | None) -> None:
    """A kernel that gets addresses trusts them. NumPy's binding checks what is on the CPU."""
    shapes = (x.shape, x.shape[:2])
    for tensor, shape in zip(others, shapes, strict=True):
        fits = tensor is None or (tensor.shape == shape and tensor.device == x.device)
        if x.ndim != 3 or x.shape[2] < 1 or not fits:
            raise ValueError(
                "x and epsilon must be (lanes, frames, values), spread (lanes, frames), "
                "all on one device"
            )
    if any(t is not None and t.dtype != torch.float32 for t in (x, *others)):
        raise TypeError("x, epsilon and spread must be float32")


_library.impl("diffusion_step", _diffusion_step, "CPU")
_library.impl("diffusion_step", _diffusion_step_cuda, "CUDA")
torch.library.register_fake("rtaudio::diffusion_step", _diffusion_step_fake, lib=_library)


def diffusion_step(
    x: Tensor,
    epsilon: Tensor,
    *,
    scale: float,
    weight: float,
    deviation: float,
    step: int,
    seed: int = 0,
    stream: int = 0,
    position: int = 0,
    spread: Tensor | None = None,
    clip: bool = False,
) -> Tensor:
    """clip(scale (x - weight epsilon) + deviation spread z) in one pass, for your own sampler.

    x, epsilon: float32, [lane, time, values], on the CPU or, with the same bits, on a CUDA device;
    spread: [lane, time], None for 1; the coefficients are those of rtaudio.diffusion.Scheduler. z
    is noise that depends on the seed, the stream (lane i: `stream` + i), the frame's number (from
    `position` on) and the step alone, and not on how the signal is split: that of
    rtaudio.dsp.noise.normals with site 0. Raises ValueError for shapes that do not fit.
    """
    y: Tensor = torch.ops.rtaudio.diffusion_step.default(
        x, epsilon, spread, scale, weight, deviation, clip, seed, stream, position, step
    )
    return y


def diffusion_noise(
    shape: tuple[int, int, int],
    *,
    step: int,
    seed: int = 0,
    stream: int = 0,
    position: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The noise z of diffusion_step, float32 [lane, time, values], for the start of your sampler:
    on a CUDA device in the same bits as on the CPU. Raises ValueError for impossible shapes."""
    where = torch.device(device)
    how = (seed, stream, position, step)
    if where.type == "cpu":
        return torch.from_numpy(_native.diffusion_noise(shape, *how))
    with torch.cuda.device(where):
        z = torch.empty(shape, device=where)
        queue = torch.cuda.current_stream().cuda_stream
        _native.diffusion_noise_cuda(queue, z.data_ptr(), shape, *how)
    return z


def process(session: Session, x: Any) -> Tensor:
    """session.process of a tensor on the session's GPU: nothing goes by way of the host.

    x: a tensor, or an array of another library that gives its memory by DLPack (JAX, CuPy); float32
    (lanes, frames), or (lanes, frames, channels) where a port has several channels, as
    Session.process takes it; so is the tensor it returns, on x's device, which DLPack gives to
    others. The work is queued on torch's current stream of that device and may still be under way
    when this returns. Held lanes answer zeros. Raises ValueError or TypeError for another shape,
    type or device, RtaudioError for a session on the CPU.
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"x is a {type(x).__name__}; this takes a tensor, or what has __dlpack__")
    x = x if isinstance(x, Tensor) else torch.utils.dlpack.from_dlpack(x)
    if session.model.device == "cpu":
        raise RtaudioError(
            "this session's model is on the CPU; load it with device='cuda', or give process() an "
            "array."
        )
    place = "cuda" if session.model.device.startswith("cuda") else "cpu"
    if x.device.type != place or x.device.index not in (None, 0) or x.dtype != torch.float32:
        raise TypeError(f"x is {x.dtype} on {x.device}; this session takes float32 on {place}:0")
    graph = session.model.graph_at(session.sample_rate)
    inputs, outputs = graph.input.channels, graph.output.channels
    wide = x[:, :, None] if x.ndim == 2 and inputs == 1 else x
    block = session.block_samples
    if (
        wide.ndim != 3
        or wide.shape[0] != session.lanes
        or wide.shape[2] != inputs
        or (wide.shape[1] % block)
    ):
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this session takes ({session.lanes} lanes, a multiple "
            f"of {block} frames, {inputs} channels)"
        )
    wide = wide.detach().contiguous()
    frames = wide.shape[1] // block * session.output_samples
    y = torch.zeros((session.lanes, frames, outputs), device=x.device)
    if place == "cuda":
        with torch.cuda.device(x.device):
            queue = torch.cuda.current_stream().cuda_stream
            session.process_on(queue, wide.data_ptr(), y.data_ptr(), wide.shape[1])
    else:
        session.process_on(0, wide.data_ptr(), y.data_ptr(), wide.shape[1])
    return y[:, :, 0] if x.ndim == 2 and outputs == 1 else y


class QueuedStack(nn.Module):
    """A GatedStack, step by step, its past in queues: forward(x, memory, position).

    x is float32 on the CPU, [lane, time, channel] with any number of frames; with a conditioned
    stack its channels are [x; condition]. Returns the sums of the skips, [lane, time,
    skip_channels], with the same bits however the frames are split over calls. `tensors` by the
    names the stack gives them (rtaudio.nn.Net(graph).export()); they are fixed from then on.
    Raises GraphError where they do not fit.
    """

    def __init__(self, stack: GatedStack, tensors: Mapping[str, Any]) -> None:
        super().__init__()
        self._native = _Stack(stack, tensors)
        self._number = next(_numbers)
        _stacks[self._number] = self._native

    def initial_state(self, lanes: int = 1) -> tuple[Tensor, Tensor]:
        """Memory [lane, floats] and position [lane] of streams that have not begun."""
        if not 1 <= lanes <= 1 << 14:
            raise RtaudioError(f"{lanes} lanes are not possible; ask for 1 to {1 << 14}.")
        memory = torch.from_numpy(self._native.step(lanes).initial_memory())
        return memory, torch.zeros(lanes, dtype=torch.int64)

    def forward(self, x: Tensor, memory: Tensor, position: Tensor) -> Tensor:
        y: Tensor = queued_stack(x, memory, position, self._number)
        return y
