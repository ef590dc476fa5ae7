"""The most that noise is lowered by, as the commands take it."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from rtaudio.cli.main import UsageError

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model


def attenuation_limit(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of decibels, 0 or more")
    return value


def check_limit(model: Model, decibels: float | None) -> None:
    """Raises UsageError for a limit beyond what the model's control can be set to."""
    ports = [each for each in model.graph.controls if each.name == "attenuation_limit_db"]
    if decibels in (None, math.inf) or not ports:
        return
    if ports[0].low <= decibels <= ports[0].high:
        return
    raise UsageError(
        f"-a {decibels:g}: {model.name} takes {ports[0].low:g} to {ports[0].high:g} dB; "
        "inf is no limit"
    )
