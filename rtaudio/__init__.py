"""rtaudio: neural audio models, block by block, exact, on a live signal.

load(name_or_path) gives a Model; model(x, sample_rate) runs it over a whole signal;
model.stream(...) runs it block by block with the very same output. Vocoder turns mel frames into
speech as they come, Speaker plays it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtaudio.errors import (
    AudioFileError,
    DeviceError,
    GraphError,
    ModelFileError,
    RateError,
    RtaudioError,
    StreamError,
)
from rtaudio.lazy import lazy_attributes

if TYPE_CHECKING:
    from rtaudio.live.config import LiveConfig
    from rtaudio.live.live import Live
    from rtaudio.live.speaker import Speaker
    from rtaudio.runtime.latency import Latency
    from rtaudio.runtime.laws import Report, verify_streaming
    from rtaudio.runtime.model import Model, load
    from rtaudio.runtime.pool import Pool
    from rtaudio.runtime.registry import DEFAULT_DENOISER
    from rtaudio.runtime.session import Session
    from rtaudio.runtime.stream import Stream
    from rtaudio.runtime.vocoder import Vocoder

__version__ = "0.1.0"
__all__ = [
    "DEFAULT_DENOISER",
    "AudioFileError",
    "DeviceError",
    "GraphError",
    "Latency",
    "Live",
    "LiveConfig",
    "Model",
    "ModelFileError",
    "Pool",
    "RateError",
    "Report",
    "RtaudioError",
    "Session",
    "Speaker",
    "Stream",
    "StreamError",
    "Vocoder",
    "load",
    "verify_streaming",
]

# The engine is imported when it is first asked for.
_HOMES = {
    "DEFAULT_DENOISER": "runtime.registry",
    "Latency": "runtime.latency",
    "Live": "live.live",
    "LiveConfig": "live.config",
    "Model": "runtime.model",
    "Pool": "runtime.pool",
    "Report": "runtime.laws",
    "Session": "runtime.session",
    "Speaker": "live.speaker",
    "Stream": "runtime.stream",
    "Vocoder": "runtime.vocoder",
    "load": "runtime.model",
    "verify_streaming": "runtime.laws",
}

__getattr__ = lazy_attributes(__name__, _HOMES)
