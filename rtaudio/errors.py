"""The errors a user can meet. Every message is one sentence with the value and the way out."""

from __future__ import annotations


class RtaudioError(Exception):
    """Base of every error raised on purpose by this package."""


class GraphError(RtaudioError, ValueError):
    """A layer or a graph that cannot exist: a wrong size, channel count or rate."""


class ModelFileError(RtaudioError, ValueError):
    """A model file that is broken, inconsistent or made by a newer version."""


class AudioFileError(RtaudioError, ValueError):
    """An audio file that cannot be read or written."""


class StreamError(RtaudioError, RuntimeError):
    """A stream that was used as it cannot be: by two threads at once, pushed after its end,
    or continued from a state that is not its own."""


class RateError(RtaudioError, ValueError):
    """A sample rate that a model does not frame at."""


class MelError(RtaudioError, ValueError):
    """A mel preset that cannot exist, or a mel that cannot be made or converted."""


class ScheduleError(RtaudioError, ValueError):
    """A noise schedule that cannot exist, or a step that it does not have."""


class DeviceError(RtaudioError, ValueError):
    """A sound device that is not there, or that cannot be opened as asked."""
