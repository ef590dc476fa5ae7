"""Families whose graph exists at many sample rates with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph.graph import Graph
from rtaudio.graph.strict import parse_json, quote, read_fields
from rtaudio.models import denoiser


@dataclass(frozen=True)
class Family:
    """`at(rate)` is the graph at a rate; `supports_rate` says where that works."""

    name: str
    at: Callable[[int], Graph]
    supports_rate: Callable[[int], bool]


def find_family(metadata: Mapping[str, str]) -> Family | None:
    """The family a model file names with `family` and `config` (JSON), or None.

    Raises ModelFileError for a family or a config this version does not know.
    """
    name = metadata.get("family")
    if name is None:
        return None
    if name != "rt-tcn":
        raise ModelFileError(
            f"the model is of family {name!r:.60}, which is unknown; update rtaudio."
        )
    config = _config(metadata.get("config", "{}"))
    return Family(name, lambda rate: denoiser.rt_tcn(config, rate), denoiser.supports_rate)


def _config(text: str) -> denoiser.RtTcn:
    try:
        config = read_fields(denoiser.RtTcn, parse_json(text), "the model's config")
        denoiser.rt_tcn(config, 48_000)
    except ModelFileError:
        raise
    except (GraphError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(f"the model's config cannot be used: {quote(error)}.") from error
    return config
