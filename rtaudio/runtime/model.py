"""Model: a model file at work in the native engine."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio import _native
from rtaudio.errors import GraphError, ModelFileError, RateError, RtaudioError
from rtaudio.graph.file import ModelFile
from rtaudio.graph.graph import Graph
from rtaudio.graph.layer import FloatArray
from rtaudio.graph.program import lower
from rtaudio.models.family import find_family
from rtaudio.runtime.controls import Controls
from rtaudio.runtime.latency import Latency
from rtaudio.runtime.native import build_native, check_device, check_precision
from rtaudio.runtime.registry import open_model
from rtaudio.runtime.stream import Stream
from rtaudio.runtime.text import summary

STREAM_TICKS = 4  # the most ticks one native call takes while streaming
OFFLINE_TICKS = 32
STREAM_FRAMES = 64  # but so many frames at least: a tick may be a single sample
OFFLINE_FRAMES = 256
MAX_RATE = 10_000_000
LIKELY_CHANNELS = 64  # more of them than frames are frames in the wrong place


class Model:
    """A loaded model. Immutable and shared by any number of streams and threads.

    Calling it runs a whole signal; `stream` runs block by block with the same bits.
    """

    def __init__(
        self, file: ModelFile, name: str = "", precision: str = "fp32", device: str = "cpu"
    ) -> None:
        check_precision(precision)
        check_device(device, precision)
        self.precision = precision
        self.device = device
        self._file = file
        self._family = find_family(file.metadata)
        self._graphs: dict[int, Graph] = {file.graph.sample_rate: file.graph}
        self._natives: dict[int, _native.Model] = {}
        self.name = name or file.metadata.get("name", "model")
        self.native(self.sample_rate)

    def __reduce__(self) -> tuple[type[Model], tuple[ModelFile, str, str, str]]:
        """For other processes and copies: the native part is made anew there."""
        return Model, (self._file, self.name, self.precision, self.device)

    @classmethod
    def from_graph(
        cls,
        graph: Graph,
        tensors: Mapping[str, FloatArray],
        name: str = "",
        precision: str = "fp32",
        device: str = "cpu",
    ) -> Model:
        """A model straight from a graph and its tensors. Raises GraphError if they do not fit."""
        program, program_tensors = lower(graph, tensors)
        kept = {n: np.asarray(t, np.float32) for n, t in tensors.items()}
        return cls(ModelFile(graph, kept, program, program_tensors, {}), name, precision, device)

    @property
    def sample_rate(self) -> int:
        """The rate the model was made for, Hz."""
        return self._file.graph.sample_rate

    @property
    def graph(self) -> Graph:
        return self._file.graph

    @property
    def tensors(self) -> Mapping[str, FloatArray]:
        return self._file.tensors

    @property
    def metadata(self) -> dict[str, str]:
        """Free text of the model file: licence, training data, metrics ..."""
        return dict(self._file.metadata)

    @property
    def ports(self) -> list[str]:
        """One line a port."""
        graph = self._file.graph
        lines = [
            f"{way} {port.name}: {port.channels} x float32, {port.unit}"
            for way, port in (("in", graph.input), ("out", graph.output))
        ]
        return (
            lines
            + [
                f"control {c.name}: {c.low:g} to {c.high:g} {c.unit}, default {c.default:g}"
                for c in graph.controls
            ]
            + [f"constant {c.name}: {c.channels} x float32 {c.unit}" for c in graph.constants]
        )

    @property
    def output_ratio(self) -> Fraction:
        """Frames out per frame in: 1 for a denoiser, 1/512 for a detector with chunks of 512."""
        return self._file.graph.plan.output.rate

    @property
    def exact(self) -> bool:
        """True where a stream gives the bits of a call. False: the model has a layer that looks at
        the whole signal (BidirectionalRNN); a call is exact then, and streams come near it."""
        return self._file.graph.plan.exact

    @property
    def makes_audio(self) -> bool:
        """True where as many frames of as many channels leave as enter."""
        return self._file.graph.makes_audio

    @property
    def num_parameters(self) -> int:
        return self._file.graph.num_parameters

    @property
    def int8_keeps(self) -> tuple[str, ...]:
        """Tensors whose matrices the file wants in bf16 where the precision is int8."""
        names = self._file.metadata.get("int8_keeps", "")
        return tuple(each.strip() for each in names.split(",") if each.strip())

    def macs_per_second(self, sample_rate: int | None = None) -> float:
        return self.graph_at(self._rate(sample_rate)).macs_per_second

    def supports_rate(self, sample_rate: int) -> bool:
        """True where the model frames at that rate itself, without a resampler."""
        if sample_rate == self.sample_rate:
            return True
        return self._family is not None and self._family.supports_rate(sample_rate)

    def native_rate(self, sample_rate: int) -> int:
        """The rate a signal of `sample_rate` Hz is brought to: its own where the model frames at
        it, else the lowest common one above, else the highest below."""
        if self.supports_rate(sample_rate):
            return sample_rate
        common = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
        known = [r for r in common if self.supports_rate(r)] or [self.sample_rate]
        above = [r for r in known if r >= sample_rate]
        return min(above) if above else max(known)

    def graph_at(self, sample_rate: int) -> Graph:
        """The graph at a rate. Raises RateError where the model does not frame at it."""
        if sample_rate not in self._graphs:
            if not self.supports_rate(sample_rate) or self._family is None:
                raise RateError(
                    f"model {self.name!r} does not frame at {sample_rate!r:.60} Hz, but at "
                    f"{self._rates()}; resample the stream (files are resampled for you)."
                )
            self._graphs[sample_rate] = self._family.at(sample_rate)
        return self._graphs[sample_rate]

    def native(self, sample_rate: int) -> _native.Model:
        """The native model at a rate; made once."""
        if sample_rate not in self._natives:
            if sample_rate == self.sample_rate:
                program, tensors = self._file.program, self._file.program_tensors
            else:
                try:
                    program, tensors = lower(self.graph_at(sample_rate), self._file.tensors)
                except GraphError as error:
                    raise ModelFileError(
                        f"model {self.name!r} does not fit its own config at {sample_rate} Hz "
                        f"({str(error).rstrip('.')}); export it again."
                    ) from error
            self._natives[sample_rate] = build_native(
                program,
                tensors,
                self.precision,
                self.graph_at(sample_rate),
                int8_exceptions=dict.fromkeys(self.int8_keeps, "bf16"),
                device=self.device,
            )
        return self._natives[sample_rate]

    def latency(self, sample_rate: int | None = None) -> Latency:
        """Latency at a rate, in samples of that rate."""
        return Latency.of(self.graph_at(self._rate(sample_rate)))

    def summary(self, sample_rate: int | None = None) -> str:
        """The plan as a table of operations: rate, delay, channels, cost."""
        return summary(self.graph_at(self._rate(sample_rate)))

    def stream(
        self,
        sample_rate: int | None = None,
        channels: int = 1,
        *,
        attenuation_limit_db: float | None = None,
        block_samples: int | None = None,
        max_ticks: int | None = None,
        threads: int = 1,
        seed: int = 0,
        stream_numbers: Sequence[int] | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
        prompt: NDArray[Any] | None = None,
    ) -> Stream:
        """A stream at `sample_rate` Hz (default: the model's); every channel is a lane.

        `block_samples`: process() will be called with multiples of it, which keeps its delay as
        short as can be (None: with any number of frames). Raises RateError for a rate the model
        does not frame at. `max_ticks`: how many of the model's ticks one native call takes at most
        (None: as suits it). `threads`, up to 64, share the work of one lane with the bits of one:
        push() takes that many ticks' blocks at once and waits for them; process() is then not for
        use. `seed`, `stream_numbers`, `constants`, `prompt`: as in `Stream.reset`.
        """
        rate = self._rate(sample_rate)
        block = 0 if block_samples is None else block_samples
        if max_ticks is None:
            max_ticks = max(STREAM_TICKS, STREAM_FRAMES // self.graph_at(rate).plan.tick_frames)
        controls = _controls(attenuation_limit_db)
        beginning = {"seed": seed, "stream_numbers": stream_numbers, "constants": constants}
        return Stream(
            self, rate, channels, controls, block, max_ticks, threads, **beginning, prompt=prompt
        )

    def __call__(
        self,
        x: NDArray[Any],
        sample_rate: int | None = None,
        *,
        attenuation_limit_db: float | None = None,
        compensate_delay: bool = True,
    ) -> FloatArray:
        """The whole signal x, (frames,) or (frames, channels), float, at `sample_rate` Hz.

        The answer has x's shape and is aligned to it; without `compensate_delay` it comes
        `latency().signal_delay` samples later, as a stream's process() would give it. A rate the
        model does not frame at is resampled (soxr) and back.

        A model of another output_ratio (a detector) answers with its own frames instead, (frames,)
        or (frames, channels), aligned too: frame k tells about x from k / output_ratio on.
        """
        x = _as_audio(x)
        _check_not_transposed(x, LIKELY_CHANNELS * self.graph.input.channels)
        rate = self._rate(sample_rate)
        wide = x[:, None] if x.ndim == 1 else x
        native_rate = self.native_rate(rate)
        if native_rate != rate:
            import soxr

            wide = np.ascontiguousarray(soxr.resample(wide, rate, native_rate), np.float32)
        controls = _controls(attenuation_limit_db)
        plan = self.graph_at(native_rate).plan
        if plan.exact:
            ticks = max(OFFLINE_TICKS, OFFLINE_FRAMES // plan.tick_frames)
            stream = Stream(self, native_rate, wide.shape[1], controls, 0, ticks)
            y = np.concatenate([stream.push(wide), stream.flush()])
        else:
            y = self._run_whole(wide, native_rate, controls)
        if not self.makes_audio:
            return y[:, 0] if x.ndim == 1 and y.shape[1] == 1 else y
        if native_rate != rate:
            y = np.asarray(soxr.resample(y, native_rate, rate), np.float32)
        y = _fit(y, x.shape[0], 0 if compensate_delay else self._delay_at(rate, native_rate))
        return y[:, 0] if x.ndim == 1 else y

    def _run_whole(self, x: FloatArray, rate: int, controls: Mapping[str, float]) -> FloatArray:
        """For inexact streams: each lane's signal in one pass, as the definition has it."""
        graph = self.graph_at(rate)
        width = graph.input.channels
        if x.shape[1] % width:
            raise RtaudioError(f"{x.shape[1]} channels are no multiple of the model's {width}.")
        values = Controls(self.name, graph, controls).for_kernel()
        native = self.native(rate)
        try:
            lanes = [
                native.run_whole(np.ascontiguousarray(x[:, i : i + width]), values)
                for i in range(0, x.shape[1], width)
            ]
        except (ValueError, MemoryError) as error:
            raise RtaudioError(f"{error}.") from error
        return np.concatenate(lanes, axis=1)

    def _rate(self, sample_rate: int | None) -> int:
        if sample_rate is None:
            return self.sample_rate
        try:
            rate = operator.index(sample_rate)
        except TypeError:
            rate = 0
        if not 1 <= rate <= MAX_RATE:
            raise RateError(
                f"a sample rate of {sample_rate!r:.60} is not possible; give a whole number of "
                f"1 to {MAX_RATE} Hz."
            )
        return rate

    def _delay_at(self, rate: int, native_rate: int) -> int:
        return round(self.latency(native_rate).signal_delay * rate / native_rate)

    def _rates(self) -> str:
        if self._family is None:
            return f"{self.sample_rate} Hz only"
        return "rates divisible by 100 with small prime factors (8, 16, 32, 44.1, 48 kHz ...)"

    def in_precision(self, precision: str, device: str | None = None) -> Model:
        """The same model in another precision, and on another device if one is named; streams may
        move their state between the two."""
        return Model(self._file, self.name, precision, device or self.device)

    def with_steps(self, steps: int) -> Model:
        """The same diffusion model in another number of steps: fewer are faster and worse. Raises
        ScheduleError where the model has none, or was not trained on so many."""
        from rtaudio.models.steps import with_steps

        graph = with_steps(self.graph, steps)
        program, tensors = lower(graph, self._file.tensors)
        file = ModelFile(graph, self._file.tensors, program, tensors, self._file.metadata)
        return Model(file, self.name, self.precision, self.device)

    def fingerprint(self) -> str:
        """SHA-256 of the tensors, names included."""
        import hashlib

        digest = hashlib.sha256()
        for name in sorted(self._file.tensors):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self._file.tensors[name], "<f4").tobytes())
        return digest.hexdigest()


def load(
    name_or_path: str | os.PathLike[str], *, precision: str = "fp32", device: str = "cpu"
) -> Model:
    """A model by name (`rtaudio models` lists them), or a model file. Raises ModelFileError.

    `precision`: fp32; bf16 (weights in 16 bits, the arithmetic as in fp32); bf16dot (the inputs of
    matrix products in 16 bits too); int8 (both in whole numbers, scaled by a calibration run of a
    shipped recording at load; a diffusion model is run in bf16dot instead).
    `device`: cpu; cuda, an NVIDIA GPU, on which all of a stream's or session's memory stays;
    cuda-strict, the same in the CPU's bits (cuda sums some products in another order); emulated,
    what runs on a GPU in the CPU's bits, thread by thread on the host: slow, to test it.
    """
    path = Path(name_or_path)
    file = open_model(path)
    try:
        return Model(file, path.stem, precision, device)
    except RtaudioError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _controls(attenuation_limit_db: float | None) -> dict[str, float]:
    if attenuation_limit_db is None:
        return {}
    return {"attenuation_limit_db": attenuation_limit_db}


def _as_audio(x: NDArray[Any]) -> FloatArray:
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise TypeError(f"audio is {x.dtype}; convert it to float, full scale 1.0")
    if x.ndim not in (1, 2):
        raise ValueError(f"audio has shape {x.shape}; give (frames,) or (frames, channels)")
    with np.errstate(over="ignore"):  # what float32 cannot hold counts as a bad sample
        return np.ascontiguousarray(x, np.float32)


def _check_not_transposed(x: FloatArray, likely_channels: int) -> None:
    if x.ndim == 2 and x.shape[1] > max(likely_channels, x.shape[0]):
        raise ValueError(
            f"audio has shape {x.shape}, which is (frames, channels); is it transposed?"
        )


def _fit(y: FloatArray, num_frames: int, delay: int) -> FloatArray:
    """`y` later by `delay` frames and exactly `num_frames` long."""
    out = np.zeros((num_frames, y.shape[1]), np.float32)
    count = max(0, min(num_frames - delay, len(y)))
    out[delay : delay + count] = y[:count]
    return out
