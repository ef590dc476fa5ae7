"""Arguments that several commands take."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def several(text: str) -> tuple[int, ...]:
    """Numbers between commas."""
    return tuple(positive(each.strip()) for each in text.split(","))


def add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16", "bf16dot", "int8"),
        default="fp32",
        metavar="NAME",
        help="fp32 (default), or smaller weights: bf16, bf16dot, int8",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "cuda-strict", "emulated"),  # the last one is for tests
        default="cpu",
        metavar="NAME",
        help="cpu (default), cuda, cuda-strict (the CPU's bits)",
    )


MAX_THREADS = 64


def add_threads(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help=text)


def threads(text: str) -> int:
    return _whole(text, 1, MAX_THREADS)


def from_zero(text: str) -> int:
    """A seed, or one of several that are counted from 0."""
    return _whole(text, 0, (1 << 32) - 1)


def _whole(text: str, low: int, high: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {low} to {high}")
    return value
