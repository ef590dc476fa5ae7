"""Score a denoiser and its peers on the development set, all through the same measures.

    python benchmarks/quality.py            the shipped rt-tcn, through the native engine
    python benchmarks/quality.py --card     and put the tables into its model card
    python benchmarks/readme_table.py       puts the means into README.md

Needs the extra [train]; peers that are not installed are left out, with a sentence.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import rtaudio
from rtaudio.bench.hardware import describe_machine
from rtaudio.bench.peers import PEERS, denoise_clip, load_peer
from rtaudio.errors import RtaudioError
from rtaudio.training import dev_set, recipe
from rtaudio.training.score import Score, Signal, is_noisy, mean, of_kind, score_set

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "rtaudio" / "weights" / "rt-tcn.md"
RESULT = ROOT / "benchmarks" / "results" / "quality.json"
START, END = "<!-- scores: made by benchmarks/quality.py -->", "<!-- end of scores -->"
SECTION = "## Development set\n"
RATE = 16_000
RESAMPLES, SEED = 10_000, 1
UNCHANGED_DB = 150.0  # SI-SDR of a clip that came through as it was

NAMES = {
    "noisy": "noisy",
    "rnnoise": "RNNoise",
    "dtln": "DTLN",
    "gtcrn": "GTCRN",
    "dfn3": "DeepFilterNet3",
}
NOISY_METRICS = ("pesq_wb", "si_sdr_db", "estoi")
HEADINGS = {
    "pesq_wb": "PESQ",
    "si_sdr_db": "SI-SDR dB",
    "estoi": "ESTOI",
    "clean_pesq_wb": "clean PESQ",
    "clean_si_sdr_db": "clean SI-SDR dB",
    "noise_only_attenuation_db": "noise-only attenuation dB",
}
Means = dict[str, float | None]
Scores = dict[str, list[Score]]


def rounded(value: float, digits: int = 3) -> float | None:
    """None where there is no figure, as JSON has no nan."""
    return round(value, digits) if np.isfinite(value) and value < UNCHANGED_DB else None


def system_means(scores: list[Score]) -> Means:
    means = {metric: mean(scores, metric, is_noisy) for metric in NOISY_METRICS}
    means["clean_pesq_wb"] = mean(scores, "pesq_wb", of_kind("clean"))
    means["clean_si_sdr_db"] = mean(scores, "si_sdr_db", of_kind("clean"))
    means["noise_only_attenuation_db"] = mean(scores, "attenuation_db", of_kind("noise-only"))
    if np.isnan(means["estoi"]):
        del means["estoi"]
    return {metric: rounded(value) for metric, value in means.items()}


def grouped(scores: Scores, key: Callable[[Score], str]) -> dict[str, dict[str, Means]]:
    """{system: {group: means}} of the noisy clips, groups in the order of the set."""
    groups = dict.fromkeys(key(score) for score in next(iter(scores.values())) if is_noisy(score))
    return {
        name: {
            group: {
                metric: rounded(mean(rows, metric, lambda s, g=group: is_noisy(s) and key(s) == g))
                for metric in NOISY_METRICS
            }
            for group in groups
        }
        for name, rows in scores.items()
    }


def paired_interval(ours: list[Score], theirs: list[Score], metric: str) -> dict[str, float | None]:
    """Mean difference over the noisy clips and its 95 % interval, by resampling the clips."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if is_noisy(a)]
    difference = np.array([getattr(a, metric) - getattr(b, metric) for a, b in pairs])
    drawn = np.random.default_rng(SEED).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    return {
        "mean": rounded(float(difference.mean())),
        "low": rounded(float(low)),
        "high": rounded(float(high)),
    }


def own_name(model: rtaudio.Model) -> str:
    """Apart from the peers, whose networks rtaudio may run itself."""
    return f"rtaudio {model.name}" if model.name in PEERS else model.name


def score_systems(model: rtaudio.Model, clips: list[Any]) -> Scores:
    systems: dict[str, Callable[[Signal], Signal]] = {
        own_name(model): lambda x: model(x, RATE),
        "noisy": lambda x: x,
    }
    for name in PEERS:
        peer = load_peer(name)
        if isinstance(peer, str):
            print(f"left out: {peer}", file=sys.stderr)
        else:
            systems[name] = lambda x, n=name: denoise_clip(n, x, RATE)
    scores: Scores = {}
    for name, enhance in systems.items():
        print(f"scoring {name} ...", file=sys.stderr, flush=True)
        scores[name] = score_set(clips, enhance)
    return scores


def make_result(
    model: rtaudio.Model, clips: list[Any], scores: Scores, command: str
) -> dict[str, Any]:
    kinds = [clip.kind for clip, _, _ in clips]
    ours = scores[own_name(model)]
    peers = [name for name in scores if name in PEERS]
    noisy = sum(map(is_noisy, ours))
    clean, noise_only = kinds.count("clean"), kinds.count("noise-only")
    return {
        "schema": 2,
        "kind": "quality",
        "model": own_name(model),
        "model_sha256": model.fingerprint(),
        "model_step": model.metadata.get("step"),
        "engine": "native",
        "command": command,
        "machine": describe_machine(),
        "note": f"Quality on the development set: means over {noisy} noisy clips of "
        f"{dev_set.SECONDS} s at 16 kHz, 0 to 15 dB SNR, {clean} clean clips and {noise_only} of "
        "noise alone, talkers and noises unseen in training; the set chose the checkpoint. "
        "Higher is better everywhere. Paired intervals, kinds of noise and SNRs: "
        "`benchmarks/results/quality.json`.",
        "development_set": {
            "noisy": noisy,
            "clean": clean,
            "noise_only": noise_only,
            "snr_db": list(dev_set.SNRS_DB),
            "sample_rate": RATE,
        },
        "systems": {name: system_means(rows) for name, rows in scores.items()},
        "paired_difference": {
            "resamples": RESAMPLES,
            "seed": SEED,
            **{
                name: {
                    metric: paired_interval(ours, scores[name], metric)
                    for metric in ("pesq_wb", "si_sdr_db")
                }
                for name in peers
            },
        },
        "by_noise": grouped(scores, lambda score: score.kind),
        "by_snr": grouped(scores, lambda score: f"{score.snr_db:g} dB"),
    }


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A markdown table that reads well as plain text too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        first, *rest = (cell.ljust(w) for cell, w in zip(cells, widths, strict=True))
        right = [cell.strip().rjust(w) for cell, w in zip(rest, widths[1:], strict=True)]
        return f"| {' | '.join([first, *right])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(head), line(rule), *map(line, rows)]


def cell(value: float | None, metric: str) -> str:
    if value is None:
        return "–"
    return f"{value:.{1 if metric.startswith(('clean_si', 'noise_only')) else 2}f}"


def group_table(result: dict[str, Any], groups: str, metric: str) -> list[str]:
    found: dict[str, dict[str, Means]] = result[groups]
    head = ["system", *next(iter(found.values()))]
    rows = [
        [NAMES.get(name, name), *(cell(means[metric], metric) for means in by_group.values())]
        for name, by_group in found.items()
    ]
    return table(head, rows)


def interval_cell(found: dict[str, float]) -> str:
    return f"{found['mean']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def interval_table(result: dict[str, Any]) -> list[str]:
    model, rows = result["model"], []
    for name, by_metric in result["paired_difference"].items():
        if name in PEERS:
            texts = map(interval_cell, by_metric.values())
            rows.append([f"{model} − {NAMES[name]}", *texts])
    return table(["difference", "PESQ", "SI-SDR dB"], rows) if rows else []


def report(result: dict[str, Any]) -> list[str]:
    """The tables, as printed and as they stand in the card."""
    systems: dict[str, Means] = result["systems"]
    metrics = list(next(iter(systems.values())))
    rows = [
        [NAMES.get(name, name), *(cell(means[metric], metric) for metric in metrics)]
        for name, means in systems.items()
    ]
    lines = table(["system", *(HEADINGS[metric] for metric in metrics)], rows)
    intervals = interval_table(result)
    if intervals:
        title = f"Paired bootstrap, 95 % intervals ({RESAMPLES:,} resamples of the noisy clips):"
        lines += ["", title, "", *intervals]
    for metric, groups, title in (
        ("pesq_wb", "by_noise", "PESQ by noise kind"),
        ("si_sdr_db", "by_noise", "SI-SDR (dB) by noise kind"),
        ("pesq_wb", "by_snr", "PESQ by SNR"),
        ("si_sdr_db", "by_snr", "SI-SDR (dB) by SNR"),
    ):
        lines += ["", f"{title}:", "", *group_table(result, groups, metric)]
    return lines


def write_card(path: Path, result: dict[str, Any]) -> None:
    """Puts the tables between the markers; a card without markers gets them in its section."""
    text = path.read_text(encoding="utf-8")
    if START in text:
        before, _, rest = text.partition(START)
        after = rest.partition(END)[2]
    else:
        before, section, rest = text.partition(SECTION)
        if not section:
            raise SystemExit(f"{path}: no section {SECTION.strip()!r} to put the scores into.")
        before, after = before + section, "\n\n## " + rest.partition("\n## ")[2]
    size = result["development_set"]
    step = f"Step {int(result['model_step']):,}, " if result["model_step"] else ""
    intro = (
        f"{size['noisy']} noisy clips of {dev_set.SECONDS} s at 16 kHz (0 to 15 dB), "
        f"{size['clean']} clean, {size['noise_only']} noise alone; talkers and noises unseen in "
        f"training. Delay removed per system. {step}SHA-256 of the tensors "
        f"{result['model_sha256'][:16]}…, through the native engine: `{result['command']}`."
    )
    body = "\n".join([START, intro, "", *report(result), END])
    path.write_text(before + body + after, encoding="utf-8")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--model", default=rtaudio.DEFAULT_DENOISER, metavar="PATH_OR_NAME", help="model to score")
    add("--cache", type=Path, default=recipe.default_cache(), help="folder of the training data")
    add("--json", type=Path, default=RESULT, help="where the result goes (benchmarks/results)")
    add("--card", type=Path, nargs="?", const=CARD, help="rewrite the tables of the model card")
    return parser.parse_args(arguments)


def load_clips(cache: Path) -> list[Any]:
    try:
        return dev_set.build(cache)
    except FileNotFoundError as error:
        raise SystemExit(
            f"quality: no development set in {cache} ({error.filename} is missing); "
            f"`python -m rtaudio.training fetch --cache {cache} --speech FOLDER` gets the data."
        ) from None


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        model = rtaudio.load(args.model)
    except RtaudioError as error:
        print(f"quality: {error}", file=sys.stderr)
        return 1
    clips = load_clips(args.cache)
    # Paths of one machine say nothing on another.
    command = "python benchmarks/quality.py"
    if args.model != rtaudio.DEFAULT_DENOISER:
        command += f" --model {Path(args.model).name}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Not enough STFT frames")
        result = make_result(model, clips, score_systems(model, clips), command)
    print("\n".join(report(result)))
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.card is not None:
        write_card(args.card, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
