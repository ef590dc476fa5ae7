"""`rtaudio info`: what an audio file or a model is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtaudio.cli.main import UsageError
from rtaudio.io.formats import is_audio_name
from rtaudio.runtime.registry import WEIGHTS, is_there, model_card, shipped_license, shipped_models

if TYPE_CHECKING:
    from rtaudio.runtime.model import Model

DESCRIPTION = "Describe an audio file, or a model: its ports, latency, size, licence and origin."
USAGE = "%(prog)s [options] FILE|MODEL"
EPILOG = """\
examples:
  rtaudio info talk.wav
  rtaudio info rt-tcn --plan
"""

_TEXTS = (
    ("license", "licence"),
    ("licence", "licence"),
    ("training_data", "training data"),
    ("metrics", "metrics"),
    ("description", "about"),
    ("paper", "paper"),
    ("package", "made from"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE|MODEL", help="an audio file, a model or its name")
    parser.add_argument("--plan", action="store_true", help="also the plan, layer by layer")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--sample-rate", type=_rate, metavar="HZ", help="latency and work at HZ")


def _rate(text: str) -> int:
    rate = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
    if not 1_000 <= rate <= 768_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a sample rate of 1000 to 768000 Hz")
    return rate


def run(args: argparse.Namespace) -> int:
    path = Path(args.target)
    looks_like_a_file = is_there(path) or path.parent != Path() or is_audio_name(path)
    if path.suffix.lower() not in (".safetensors", ".nam") and looks_like_a_file:
        if args.plan:
            raise UsageError(f"--plan is about models, and {path} is no .safetensors or .nam file")
        name, rows = str(path), audio_rows(path)
        plan = ""
    else:
        import rtaudio

        model = rtaudio.load(args.target)
        rate, card = args.sample_rate or model.sample_rate, model_card(args.target)
        name, rows = model.name, model_rows(model, rate, card)
        plan = model.summary() if args.plan else ""
    if args.json:
        print(json.dumps({"name": name, **dict(rows)}, indent=2))
        return 0
    print(name)
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        first, *more = _wrapped(str(value), 78 - width - 4)
        print(f"  {key:<{width}}  {first}")
        for line in more:
            print(f"  {'':<{width}}  {line}")
    if plan:
        print(f"\n{plan}")
    return 0


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    # A path or an address stays whole, to be copied.
    wrapper = textwrap.TextWrapper(max(width, 30), break_long_words=False, break_on_hyphens=False)
    lines = [part for line in text.splitlines() for part in wrapper.wrap(line)]
    return lines or [""]


def audio_rows(path: Path) -> list[tuple[str, Any]]:
    import soundfile

    from rtaudio.io import FileSource
    from rtaudio.io.formats import format_duration

    with FileSource(path) as source:
        seconds = (source.frames or 0) / source.sample_rate
        formats = soundfile.available_formats()
        subtypes = soundfile.available_subtypes()
        kind = formats.get(source.format, source.format).split(" (")[0]
        detail = subtypes.get(source.subtype or "", source.subtype or "")
        rows: list[tuple[str, Any]] = [
            ("format", f"{kind}, {detail}"),
            ("sample rate", f"{source.sample_rate:,} Hz"),
            ("channels", source.channels),
            ("length", f"{format_duration(seconds)} ({source.frames or 0:,} frames)"),
            ("size", _bytes(path.stat().st_size)),
        ]
        rows += [("warning", each) for each in source.warnings]
    return rows


def model_rows(model: Model, rate: int, card: Path | None) -> list[tuple[str, Any]]:
    from rtaudio.demo.run import latency_parts, milliseconds

    stream_rate = rate if model.supports_rate(rate) else model.native_rate(rate)
    latency = model.latency(stream_rate)
    parts = " + ".join(name for name, _ in latency_parts(latency, stream_rate))
    work = model.macs_per_second(stream_rate) / 1e6
    rows = [_port_row(port) for port in model.ports]
    rows += [
        ("home rate", f"{model.sample_rate:,} Hz"),
        (
            f"at {rate:,} Hz",
            "directly" if stream_rate == rate else f"resampled to {stream_rate:,} Hz and back",
        ),
        ("latency", f"{milliseconds(latency.samples / stream_rate)}: {parts}"),
        ("parameters", f"{model.num_parameters:,}"),
        ("work", f"{work:,.0f} million multiply-adds a second at {stream_rate:,} Hz"),
    ]
    texts = model.metadata
    if model.name in shipped_models() and card is not None and card.parent == WEIGHTS:
        texts["license"] = shipped_license(texts)
    rows += [(name, texts[key]) for key, name in _TEXTS if texts.get(key)]
    if model.int8_keeps:
        rows.append(("bf16 in int8", ", ".join(model.int8_keeps)))
    if card is not None:
        rows.append(("model card", str(card)))
    return rows


def _port_row(port: str) -> tuple[str, Any]:
    way, _, rest = port.partition(" ")
    return {"in": "input", "out": "output"}.get(way, way), rest


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.2f} {unit}"
    return f"{size} bytes"
