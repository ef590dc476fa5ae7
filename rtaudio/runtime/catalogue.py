"""What `rtaudio models` lists: every model by name, where it comes from and how good it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rtaudio.dsp.presets import find_preset
from rtaudio.errors import RtaudioError
from rtaudio.graph.file import load_model_file
from rtaudio.graph.graph import Graph
from rtaudio.models.family import find_family
from rtaudio.models.importers import IMPORTERS, Importer
from rtaudio.runtime.imported import install_command
from rtaudio.runtime.latency import Latency
from rtaudio.runtime.registry import WEIGHTS, model_card, shipped_license, shipped_models

SCORES = WEIGHTS / "scores.json"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model. `state`: shipped, installed or available; `hint`: how an available one is got;
    `card`: its description; `sample_rate`: of its audio.

    `any_rate`: it frames at other rates too, without a resampler. `scores`: means on the
    development set (PESQ, SI-SDR in dB, PESQ of clean speech, attenuation of noise alone in dB).
    """

    name: str
    state: str
    title: str
    graph: Graph
    sample_rate: int
    any_rate: bool
    license: str
    scores: dict[str, float]
    hint: str = ""
    card: Path | None = None

    @property
    def latency(self) -> Latency:
        return Latency.of(self.graph)


def catalogue() -> list[Entry]:
    """Shipped models first, then those made from other packages."""
    scores = _scores(SCORES)
    shipped = [_shipped(name, scores) for name in shipped_models()]
    return shipped + [_imported(each, scores) for each in IMPORTERS.values()]


def _shipped(name: str, scores: dict[str, dict[str, float]]) -> Entry:
    file = load_model_file(WEIGHTS / f"{name}.safetensors")
    mel = file.metadata.get("mel_preset")  # of a vocoder, whose graph counts mel frames
    return Entry(
        name=name,
        state="shipped",
        title=file.metadata.get("description", "this project's own denoiser"),
        any_rate=find_family(file.metadata) is not None,
        license=shipped_license(file.metadata),
        card=model_card(name),
        scores=scores.get(name, {}),
        graph=file.graph,
        sample_rate=find_preset(mel).sample_rate if mel else file.graph.sample_rate,
    )


def _imported(importer: Importer, scores: dict[str, dict[str, float]]) -> Entry:
    installed = importer.installed() is not None
    graph = importer.graph()
    return Entry(
        name=importer.name,
        state="installed" if installed else "available",
        title=importer.title,
        any_rate=False,
        license=importer.license,
        scores=scores.get(importer.name, {}),
        hint="" if installed else install_command(importer),
        graph=graph,
        sample_rate=graph.sample_rate,
    )


def _scores(path: Path) -> dict[str, dict[str, float]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RtaudioError(f"{path} cannot be read ({error}); install rtaudio again.") from error
    # A score that has no finite value, like the SI-SDR of what came through unchanged, is null.
    return {
        str(name): {key: value for key, value in values.items() if value is not None}
        for name, values in found.items()
    }
