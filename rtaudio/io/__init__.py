"""Audio in and out in blocks: files, pipes, resampling, and one pass through a stream."""

from rtaudio.io.pcm import SAMPLE_FORMATS, SampleFormat
from rtaudio.io.pipes import PipeSink, PipeSource
from rtaudio.io.process import CancelledError, Result, process
from rtaudio.io.resample import BlockResampler
from rtaudio.io.sink import FileSink, Sink
from rtaudio.io.source import FileSource, Source

__all__ = [
    "SAMPLE_FORMATS",
    "BlockResampler",
    "CancelledError",
    "FileSink",
    "FileSource",
    "PipeSink",
    "PipeSource",
    "Result",
    "SampleFormat",
    "Sink",
    "Source",
    "process",
]
