"""A user's own sounddevice.Stream on the rig, until stdin ends: own_stream.py MODEL BLOCK."""

from __future__ import annotations

import sys

import sounddevice

import rtaudio


def main() -> None:
    model, block = sys.argv[1], int(sys.argv[2])
    stream = rtaudio.load(model).stream(48_000, block_samples=block)
    with sounddevice.Stream(
        device=("rig", "rig"),
        samplerate=48_000,
        blocksize=block,
        channels=1,
        dtype="float32",
        callback=stream.callback,
    ):
        sys.stdin.read()


if __name__ == "__main__":
    main()
