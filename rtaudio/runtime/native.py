"""Native models: programs handed over to the engine, in a precision."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from rtaudio import _native
from rtaudio.errors import ModelFileError, RtaudioError
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.noise import Noise, NoiseSpectrum
from rtaudio.graph.program import Program
from rtaudio.graph.refine import Refine
from rtaudio.runtime.registry import WEIGHTS

# fp32: the reference. bf16: weights stored in bf16, arithmetic in fp32. bf16dot: inputs of matrix
# products rounded to bf16 as well. int8: weights with one scale a row, inputs with one scale a
# matrix, from a calibration run at load.
PRECISIONS = ("fp32", "bf16", "bf16dot", "int8")

WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "bf16dot": 2, "int8": 1}  # of a matrix's weight

# What a precision keeps of fp32's output at least, dB SI-SDR, on the shipped denoiser.
LEAST_DB = {"bf16": 40.0, "bf16dot": 35.0, "int8": 25.0}

_DIFFUSION = (Refine.kind, Noise.kind, NoiseSpectrum.kind)
CALIBRATION_SECONDS = 6.0
_CALIBRATION_TICKS = 32
# Room above the largest input of the calibration run: cut off peaks cost more than a bit of
# resolution (silero-vad 15 dB without, 28 dB with; DTLN 24 and 30, rt-tcn 30 and 33).
_HEADROOM = 2.0


# cuda-strict: with the CPU's order of sums, and so its bits. emulated and emulated-fast: what that
# and cuda do, on the host, thread by thread, for tests.
DEVICES = ("cpu", "cuda", "cuda-strict", "emulated", "emulated-fast")


def check_device(device: str, precision: str) -> None:
    if device not in DEVICES:
        raise RtaudioError(f"there is no device {device!r}; the devices are {', '.join(DEVICES)}.")
    if device == "cpu" or device.startswith("emulated"):
        return
    reason = _native.query_cuda().reason
    if reason:
        raise RtaudioError(f"device {device!r} cannot be used: {reason}.")


def check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise RtaudioError(
            f"there is no precision {precision!r}; the precisions are {', '.join(PRECISIONS)}."
        )


def build_native(
    program: Program,
    tensors: Mapping[str, FloatArray],
    precision: str,
    graph: Graph,
    calibration: FloatArray | None = None,
    int8_exceptions: Mapping[str, str] | None = None,
    device: str = "cpu",
) -> _native.Model:
    """The native model. int8 runs `calibration` (frames, channels), by default a shipped clip of
    noisy speech, through the fp32 model to find the range of every matrix's inputs;
    `int8_exceptions`: the precisions of matrices that keep more, by the names of their tensors."""
    if precision != "int8":
        return _make_native(program, tensors, precision, device=device)
    if any(operation.kind in _DIFFUSION for operation in program.operations):
        # The steps of diffusion add up what int8 loses.
        return _make_native(program, tensors, "bf16dot", device=device)
    ranges = input_ranges(program, tensors, graph, calibration)
    return _make_native(program, tensors, precision, ranges, int8_exceptions or {}, device)


def input_ranges(
    program: Program,
    tensors: Mapping[str, FloatArray],
    graph: Graph,
    calibration: FloatArray | None = None,
) -> dict[str, list[float]]:
    """What |x| of each input of every matrix may reach, by the matrix's name."""
    observer = _make_native(program, tensors, "calibrate")
    controls = [control.to_kernel(control.default) for control in graph.controls]
    stream = _native.Stream(observer, 1, _CALIBRATION_TICKS, 1.0, controls, 0)
    stream.push(calibration_signal(graph) if calibration is None else calibration)
    stream.flush()
    return {name: [_HEADROOM * x for x in found] for name, found in observer.input_ranges.items()}


def calibration_signal(graph: Graph) -> FloatArray:
    """The shipped recording's beginning at the graph's rate for one channel of audio, else unit
    noise."""
    return _clip(graph, 0.0, CALIBRATION_SECONDS)


def evaluation_signal(graph: Graph) -> FloatArray:
    """What follows it in the recording."""
    return _clip(graph, CALIBRATION_SECONDS, 60.0)


def _clip(graph: Graph, begin: float, end: float) -> FloatArray:
    channels = graph.input.channels
    if channels > 1 or graph.sample_rate < 8_000:
        noise = np.random.default_rng(int(begin)).standard_normal((4_000, channels))
        return noise.astype(np.float32)
    import soundfile

    x, rate = soundfile.read(WEIGHTS / "demo.flac", dtype="float32", always_2d=True)
    x = x[round(begin * rate) : round(end * rate), :1]
    if rate != graph.sample_rate:
        import soxr

        x = soxr.resample(x, rate, graph.sample_rate)
    return np.ascontiguousarray(x, np.float32)


def _make_native(
    program: Program,
    tensors: Mapping[str, FloatArray],
    precision: str,
    ranges: Mapping[str, list[float]] = MappingProxyType({}),
    exceptions: Mapping[str, str] = MappingProxyType({}),
    device: str = "cpu",
) -> _native.Model:
    try:
        return _native.Model(
            [(b.channels, b.frames, b.delay) for b in program.buffers],
            [
                (
                    op.kind,
                    list(op.inputs),
                    op.output,
                    dict(op.ints),
                    dict(op.floats),
                    dict(op.tensors),
                    op.control,
                )
                for op in program.operations
            ],
            program.input,
            program.output,
            len(program.controls),
            {n: np.ascontiguousarray(t, np.float32) for n, t in tensors.items()},
            precision,
            dict(ranges),
            dict(exceptions),
            device,
        )
    except (ValueError, MemoryError, RuntimeError) as error:
        raise ModelFileError(f"the engine cannot run this model: {error}.") from error
