"""Models at work: loading, streaming, and the laws that a stream keeps."""

from rtaudio.runtime.laws import Report, verify_streaming
from rtaudio.runtime.model import Latency, Model, Stream, load

__all__ = ["Latency", "Model", "Report", "Stream", "load", "verify_streaming"]
