"""Sources: what a voice's pitch turns into before anything shapes it."""

from __future__ import annotations

from typing import ClassVar

from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import Kernel, Layer, Recurrent, check_channels

LOWEST, HIGHEST = 2.0**-11, 0.5  # turns a frame


@frozen
class PulseTrain(Layer):
    """All harmonics below half the rate, in step: sqrt(4 f) * sum_k min(1, 0.5 / f - k) cos(2 pi k
    p), which has unit power at every pitch. The input is f, turns of the fundamental a frame,
    clamped to [LOWEST, HIGHEST]; p is the sum of those before this frame.

    The last harmonic fades as it nears half the rate, so that a gliding pitch does not click.
    """

    kind: ClassVar[str] = "pulse_train"

    def rule(self) -> Recurrent:
        return Recurrent()

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, 1)
        return 1

    def kernel(self, channels: int) -> Kernel:
        return Kernel("pulse_train")
