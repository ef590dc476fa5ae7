"""
The native engine of rtaudio.
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing

__all__: list[str] = [
    "CudaDevice",
    "CudaReport",
    "LiveClockBridge",
    "LiveEngine",
    "LiveResampler",
    "LiveTwoClocks",
    "Model",
    "OperationTimer",
    "Session",
    "SpeakerQueue",
    "Step",
    "Stream",
    "cpu_level",
    "diffusion_noise",
    "diffusion_noise_cuda",
    "diffusion_step",
    "diffusion_step_cuda",
    "live_callback_addresses",
    "live_load_classes",
    "measure_multiply_adds",
    "measure_reads",
    "query_cuda",
    "speaker_callback_address",
    "supported_cpu_levels",
]

class Model:
    """
    A checked program with packed weights; shared by streams and threads.
    """
    def __init__(
        self,
        buffers: collections.abc.Sequence[
            tuple[
                typing.SupportsInt | typing.SupportsIndex,
                typing.SupportsInt | typing.SupportsIndex,
                typing.SupportsInt | typing.SupportsIndex,
            ]
        ],
        operations: collections.abc.Sequence[
            tuple[
                str,
                collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
                typing.SupportsInt | typing.SupportsIndex,
                collections.abc.Mapping[str, typing.SupportsInt | typing.SupportsIndex],
                collections.abc.Mapping[str, typing.SupportsFloat | typing.SupportsIndex],
                collections.abc.Mapping[str, str],
                typing.SupportsInt | typing.SupportsIndex,
            ]
        ],
        input: typing.SupportsInt | typing.SupportsIndex,
        output: typing.SupportsInt | typing.SupportsIndex,
        num_controls: typing.SupportsInt | typing.SupportsIndex,
        tensors: collections.abc.Mapping[
            str, typing.Annotated[numpy.typing.ArrayLike, numpy.float32]
        ],
        precision: str = "fp32",
        input_ranges: collections.abc.Mapping[
            str, collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
        ] = {},
        exceptions: collections.abc.Mapping[str, str] = {},
        device: str = "cpu",
    ) -> None:
        """
        ValueError, with a sentence, for a program that cannot run. Precision 'calibrate' is fp32 and notes input_ranges while it runs, which int8 needs. Exceptions: the precision of single matrices, by the names of their tensors.
        """
    def output_length(self, source_length: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def run_whole(
        self,
        x: numpy.ndarray,
        controls: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    ) -> numpy.typing.NDArray[numpy.float32]:
        """
        The answer to a whole signal (frames, channels), looked at as one.
        """
    @property
    def input_ranges(self) -> dict[str, list[float]]: ...

class Stream:
    """
    A model's state for some lanes, fed any number of frames.
    """
    def __init__(
        self,
        model: Model,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        max_ticks: typing.SupportsInt | typing.SupportsIndex,
        ramp_frames: typing.SupportsFloat | typing.SupportsIndex,
        controls: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        process_frames: typing.SupportsInt | typing.SupportsIndex,
        threads: typing.SupportsInt | typing.SupportsIndex = 1,
    ) -> None: ...
    def flush(self, flat: bool = False) -> numpy.typing.NDArray[numpy.float32]: ...
    def load(self, state: collections.abc.Mapping[str, numpy.ndarray]) -> None: ...
    def process(self, x: numpy.ndarray) -> numpy.typing.NDArray[numpy.float32]: ...
    def process_into(self, x: typing.Any, y: typing.Any) -> None: ...
    def push(self, x: numpy.ndarray) -> numpy.typing.NDArray[numpy.float32]: ...
    def reset(self) -> None: ...
    def restart(
        self,
        seed: typing.SupportsInt | typing.SupportsIndex,
        streams: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        constants: collections.abc.Sequence[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
        ],
        prompts: collections.abc.Sequence[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
        ],
    ) -> None: ...
    def save(self) -> dict: ...
    def set_control(
        self,
        index: typing.SupportsInt | typing.SupportsIndex,
        value: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    @property
    def delay(self) -> int: ...
    @property
    def extra_delay(self) -> int: ...
    @property
    def num_bad_samples(self) -> int: ...

class Session:
    """
    A model's state for many lanes, fed whole ticks; lanes are held, reset and ended one by one.
    """
    def __init__(
        self,
        model: Model,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        max_ticks: typing.SupportsInt | typing.SupportsIndex,
        ramp_frames: typing.SupportsFloat | typing.SupportsIndex,
        controls: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    ) -> None: ...
    def end(
        self,
        lane: typing.SupportsInt | typing.SupportsIndex,
        num_frames: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def hold(self, mask: typing.Annotated[numpy.typing.ArrayLike, numpy.bool]) -> None: ...
    def num_bad_samples(self, lane: typing.SupportsInt | typing.SupportsIndex) -> int: ...
    def process(self, x: numpy.ndarray) -> numpy.typing.NDArray[numpy.float32]: ...
    def process_on(
        self,
        stream: typing.SupportsInt | typing.SupportsIndex,
        x: typing.SupportsInt | typing.SupportsIndex,
        y: typing.SupportsInt | typing.SupportsIndex,
        num_frames: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def reset(
        self,
        mask: typing.Annotated[numpy.typing.ArrayLike, numpy.bool],
        seed: typing.SupportsInt | typing.SupportsIndex,
        streams: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        constants: collections.abc.Sequence[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
        ],
        prompts: collections.abc.Sequence[
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
        ],
    ) -> None: ...
    def set_control(
        self,
        index: typing.SupportsInt | typing.SupportsIndex,
        value: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    @property
    def delay(self) -> int: ...

class LiveEngine:
    """
    What PortAudio calls for every block of live sound.
    """
    def __init__(
        self,
        *,
        model: tuple[
            Model,
            typing.SupportsInt | typing.SupportsIndex,
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        ]
        | None,
        fallback: tuple[
            Model,
            typing.SupportsInt | typing.SupportsIndex,
            collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        ]
        | None = None,
        sample_rate: typing.SupportsInt | typing.SupportsIndex,
        block: typing.SupportsInt | typing.SupportsIndex,
        input_channels: typing.SupportsInt | typing.SupportsIndex,
        output_channels: typing.SupportsInt | typing.SupportsIndex,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        placement: str,
        ramp_seconds: typing.SupportsFloat | typing.SupportsIndex,
        record_seconds: typing.SupportsInt | typing.SupportsIndex,
        signal: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex] | None = None,
        seed: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None:
        """
        `model` and `fallback`: (model, its rate, its controls' values), or None: a wire, and no cheaper model. `signal`: played once instead of the input, without a model. `placement`: auto, inline or worker. `seed`: of the models' noise. ValueError, with a sentence, for numbers that do not go together.
        """
    def process(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float32]
    ) -> numpy.typing.NDArray[numpy.float32]:
        """
        What the callback does, without a device.
        """
    def reset(self) -> None: ...
    def set_bypass(self, on: bool) -> None: ...
    def set_control(
        self,
        index: typing.SupportsInt | typing.SupportsIndex,
        value: typing.SupportsFloat | typing.SupportsIndex,
        fallback: bool = False,
    ) -> None: ...
    def set_mute(self, on: bool) -> None: ...
    def snapshot(self) -> dict:
        """
        Counters, levels (peaks since the last snapshot), loads.
        """
    def take_recording(
        self, max_blocks: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.float32] | None: ...
    @property
    def delay(self) -> int: ...
    @property
    def num_frames(self) -> int:
        """
        Frames of the device so far: a heartbeat.
        """
    @property
    def overloaded(self) -> bool:
        """
        The model rests.
        """
    @property
    def user_data(self) -> int:
        """
        Address for PortAudio's userdata; valid while this object lives.
        """
    @property
    def warm_up_worst(self) -> float: ...
    @property
    def worker_delay(self) -> int: ...

class LiveTwoClocks:
    """
    An input and an output stream with a clock each, and one engine.
    """
    def __init__(
        self, engine: LiveEngine, slack: typing.SupportsInt | typing.SupportsIndex
    ) -> None:
        """
        `slack`: frames that an input block may come late by.
        """
    @property
    def delay(self) -> int:
        """
        In frames.
        """
    @property
    def drift(self) -> float:
        """
        The input's clock against the output's, a ratio.
        """
    @property
    def excess(self) -> float:
        """
        Frames in the ring above those that there should be.
        """
    @property
    def num_beats(self) -> int:
        """
        Grows while both devices are at work: a heartbeat.
        """
    @property
    def user_data(self) -> int:
        """
        Address for PortAudio's userdata; valid while this object lives.
        """

class LiveClockBridge:
    """
    What joins two clocks, for tests.
    """
    def __init__(
        self,
        channels: typing.SupportsInt | typing.SupportsIndex,
        block: typing.SupportsInt | typing.SupportsIndex,
        slack: typing.SupportsInt | typing.SupportsIndex,
        sample_rate: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def pull(
        self, now_ns: typing.SupportsInt | typing.SupportsIndex
    ) -> tuple[numpy.typing.NDArray[numpy.float32], bool]:
        """
        A block, (frames, channels), and whether the signal is whole.
        """
    def push(
        self,
        x: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
        now_ns: typing.SupportsInt | typing.SupportsIndex,
    ) -> None:
        """
        (frames, channels)
        """
    @property
    def delay(self) -> int: ...
    @property
    def drift(self) -> float: ...
    @property
    def fill(self) -> int: ...
    @property
    def wanted_fill(self) -> float: ...

class LiveResampler:
    """
    The resampler of live sound, for tests.
    """
    def __init__(
        self,
        input_rate: typing.SupportsInt | typing.SupportsIndex,
        output_rate: typing.SupportsInt | typing.SupportsIndex,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        max_frames: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def push(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float32]
    ) -> numpy.typing.NDArray[numpy.float32]:
        """
        (frames, lanes), any number of frames.
        """
    def reset(self) -> None: ...
    @property
    def delay(self) -> float:
        """
        In samples of the input.
        """

class SpeakerQueue:
    """
    What PortAudio calls to play speech that comes in bursts.
    """
    def __init__(
        self,
        *,
        sample_rate: typing.SupportsInt | typing.SupportsIndex,
        channels: typing.SupportsInt | typing.SupportsIndex,
        prebuffer: typing.SupportsInt | typing.SupportsIndex,
        capacity: typing.SupportsInt | typing.SupportsIndex,
    ) -> None:
        """
        Pre-buffer and capacity in samples. ValueError, with a sentence.
        """
    def cancel(self) -> None:
        """
        What was written is faded out and dropped.
        """
    def finish(self) -> None:
        """
        What was written is all for now.
        """
    def process(
        self, frames: typing.SupportsInt | typing.SupportsIndex
    ) -> numpy.typing.NDArray[numpy.float32]:
        """
        What the callback does, without a device.
        """
    def write(self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float32]) -> int:
        """
        Takes as much of (frames,) as fits; how many.
        """
    @property
    def late_calls(self) -> int: ...
    @property
    def num_frames(self) -> int:
        """
        Frames of the device so far: a heartbeat.
        """
    @property
    def played(self) -> int: ...
    @property
    def queued(self) -> int: ...
    @property
    def underflows(self) -> int: ...
    @property
    def user_data(self) -> int:
        """
        Address for PortAudio's userdata; valid while this object lives.
        """

class Step:
    """
    A model's step on memory that the caller keeps.
    """
    def __init__(
        self,
        model: Model,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        max_ticks: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def initial_memory(self) -> numpy.typing.NDArray[numpy.float32]: ...
    def run(
        self,
        x: numpy.typing.NDArray[numpy.float32],
        memory: numpy.typing.NDArray[numpy.float32],
        position: numpy.typing.NDArray[numpy.int64],
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    @property
    def outputs(self) -> int: ...

class CudaDevice:
    """
    One CUDA device.
    """
    @property
    def compute_major(self) -> int: ...
    @property
    def compute_minor(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def num_multiprocessors(self) -> int: ...

class CudaReport:
    """
    The CUDA devices, or why there are none.
    """
    @property
    def devices(self) -> list[CudaDevice]: ...
    @property
    def driver_version(self) -> str: ...
    @property
    def reason(self) -> str:
        """
        A sentence when `devices` is empty.
        """
    @property
    def runtime_version(self) -> str: ...

class OperationTimer:
    """
    One operation of a model, run by itself on noise.
    """
    def __init__(
        self,
        model: Model,
        operation: typing.SupportsInt | typing.SupportsIndex,
        lanes: typing.SupportsInt | typing.SupportsIndex,
        ticks: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def cold(
        self,
        calls: typing.SupportsInt | typing.SupportsIndex,
        swept_bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> list[float]:
        """
        Nanoseconds of single calls, each after reading as many bytes of other memory.
        """
    def hot(self, seconds: typing.SupportsFloat | typing.SupportsIndex) -> list[float]:
        """
        Nanoseconds a call of all lanes: means over short batches of calls in a row.
        """

def cpu_level() -> str:
    """
    The level in use: the highest, or the one RTAUDIO_CPU_ISA forces. RuntimeError if that level is unknown or the processor lacks it.
    """

def diffusion_noise(
    shape: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ],
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    position: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Noise of variance 1, (lanes, frames, values).
    """

def diffusion_noise_cuda(
    queue: typing.SupportsInt | typing.SupportsIndex,
    z: typing.SupportsInt | typing.SupportsIndex,
    shape: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ],
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    position: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
) -> None: ...
def diffusion_step(
    x: numpy.typing.NDArray[numpy.float32],
    epsilon: numpy.typing.NDArray[numpy.float32],
    spread: numpy.typing.NDArray[numpy.float32],
    scale: typing.SupportsFloat | typing.SupportsIndex,
    weight: typing.SupportsFloat | typing.SupportsIndex,
    deviation: typing.SupportsFloat | typing.SupportsIndex,
    clip: bool,
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    position: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    x = clip(scale (x - weight epsilon) + deviation spread z), in place.
    """

def diffusion_step_cuda(
    queue: typing.SupportsInt | typing.SupportsIndex,
    x: typing.SupportsInt | typing.SupportsIndex,
    epsilon: typing.SupportsInt | typing.SupportsIndex,
    spread: typing.SupportsInt | typing.SupportsIndex,
    shape: tuple[
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
        typing.SupportsInt | typing.SupportsIndex,
    ],
    scale: typing.SupportsFloat | typing.SupportsIndex,
    weight: typing.SupportsFloat | typing.SupportsIndex,
    deviation: typing.SupportsFloat | typing.SupportsIndex,
    clip: bool,
    seed: typing.SupportsInt | typing.SupportsIndex,
    stream: typing.SupportsInt | typing.SupportsIndex,
    position: typing.SupportsInt | typing.SupportsIndex,
    step: typing.SupportsInt | typing.SupportsIndex,
) -> None: ...
def live_callback_addresses() -> dict[str, int]:
    """
    Addresses of PortAudio's callbacks, by kind of stream; the first goes with an engine, the others with LiveTwoClocks.
    """

def live_load_classes() -> list[float]:
    """
    The upper ends of the classes that loads are counted in, as shares of a block's time.
    """

def measure_multiply_adds(
    precision: str, seconds: typing.SupportsFloat | typing.SupportsIndex
) -> float:
    """
    The most multiply-adds a second that this thread does in registers at the level in use.
    """

def measure_reads(
    bytes: typing.SupportsInt | typing.SupportsIndex,
    seconds: typing.SupportsFloat | typing.SupportsIndex,
) -> float:
    """
    The most bytes a second that this thread reads of as many as it has just read.
    """

def query_cuda() -> CudaReport:
    """
    Ask the CUDA runtime which devices there are.
    """

def speaker_callback_address() -> int:
    """
    Address of the function for PortAudio's callback.
    """

def supported_cpu_levels() -> list[str]:
    """
    The instruction-set levels this processor can run, lowest first.
    """

__version__: str = "0.1.0"
