"""One self-contained HTML page for listening: both recordings, pictures and figures inside."""

from __future__ import annotations

import base64
import html
import io
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaudio.demo.png import spectrogram_png
from rtaudio.demo.spectrogram import Spectrogram, colour_range, frequency_ticks
from rtaudio.io.sink import AtomicFile, stored_samples, write_error

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure: a name, the value in large, and what it means."""

    name: str
    value: str
    unit: str = ""
    note: str = ""
    parts: tuple[tuple[str, float], ...] = ()  # drawn as one bar
    share: float | None = None  # of a full bar


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything on the page. before, after: float32 (frames, channels) at sample_rate."""

    headline: str
    lead: str
    sample_rate: int
    before: FloatArray
    after: FloatArray
    figures: tuple[Figure, ...]
    footer: tuple[str, ...]  # plain sentences
    files: tuple[str, ...]  # the recordings beside the page


def speech_gain(before: FloatArray, after: FloatArray, sample_rate: int) -> float:
    """The gain on `after` that makes speech as loud as in `before`, from its loudest moments.

    Over the whole recording the noise would count as loudness of `before`.
    """
    size = max(1, sample_rate // 20)
    count = len(after) // size
    if count == 0:
        return 1.0
    power = [
        np.mean(each[: count * size].astype(np.float64).reshape(count, -1) ** 2, axis=1)
        for each in (before, after)
    ]
    loud = np.argsort(power[1])[-max(1, count // 5) :]
    if not power[1][loud].sum() > 0:
        return 1.0
    gain = float(np.sqrt(power[0][loud].sum() / power[1][loud].sum()))
    headroom = 1.0 / max(float(np.abs(after).max()), 1e-9)
    return float(np.clip(gain, 0.5, max(0.5, min(2.0, headroom))))


def write_page(path: Path, page: Page) -> None:
    """The file appears when it is complete. Raises AudioFileError when it cannot be written."""
    text = render(page)
    file = AtomicFile(path)
    try:
        file.temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from None
    else:
        file.commit()
    finally:
        file.abort()


def render(page: Page) -> str:
    pictures = []
    for audio in (page.before, page.after):
        spectrogram = Spectrogram(page.sample_rate)
        spectrogram.push(audio)
        pictures.append(spectrogram.decibels())
    low, high = colour_range(pictures[0])
    images = [_data_uri("image/png", spectrogram_png(each, low, high)) for each in pictures]
    marks = [each for each in frequency_ticks(page.sample_rate) if each[0].endswith("k")]
    ticks = "".join(
        f'<i style="bottom:{100 * height:.1f}%">{label.replace("k", " kHz")}</i>'
        for label, height in marks
        if height < 0.96
    )
    seconds = len(page.before) / page.sample_rate
    data = {
        "seconds": seconds,
        "match_gain": speech_gain(page.before, page.after, page.sample_rate),
        "files": page.files,
        "audio": {
            "a": _flac(page.before, page.sample_rate),
            "b": _flac(page.after, page.sample_rate),
        },
    }
    fields = {
        "title": html.escape(page.headline),
        "headline": html.escape(page.headline),
        "lead": html.escape(page.lead),
        "picture_a": images[0],
        "picture_b": images[1],
        "ticks": ticks,
        "seconds": f"{seconds:.3f}",
        "files": html.escape(", ".join(page.files)),
        "figures": "".join(map(_figure, page.figures)),
        "footer": "".join(f"<p>{html.escape(each)}</p>" for each in page.footer),
        # "</script>" cannot end the element from inside.
        "data": json.dumps(data).replace("<", "\\u003c"),
    }
    template = resources.files("rtaudio.demo").joinpath("page.html").read_text(encoding="utf-8")
    before, *rest = template.split("{{")
    parts = [before]
    for each in rest:  # one pass, so that no field is searched for fields
        name, _, after = each.partition("}}")
        parts += [fields[name], after]
    return "".join(parts)


def _figure(figure: Figure) -> str:
    unit = f" <small>{html.escape(figure.unit)}</small>" if figure.unit else ""
    lines = [
        f'<div class="card figure"><dt>{html.escape(figure.name)}</dt>',
        f'<dd class="big">{html.escape(figure.value)}{unit}</dd>',
    ]
    if figure.parts:
        total = sum(size for _, size in figure.parts) or 1.0
        spans = "".join(
            f'<span style="width:{100 * size / total:.2f}%"></span>' for _, size in figure.parts
        )
        lines.append(f'<dd class="bar" aria-hidden="true">{spans}</dd>')
        marks = ("dot", "dot two", "dot three")
        named = "<br>".join(
            f'<span class="{mark}"></span>{html.escape(name)}'
            for mark, (name, _) in zip(marks, figure.parts, strict=False)
        )
        lines.append(f'<dd class="note">{named}</dd>')
    if figure.share is not None:
        width = 100 * min(max(figure.share, 0.0), 1.0)
        span = f'<span style="width:{width:.2f}%"></span>'
        lines.append(f'<dd class="bar" aria-hidden="true">{span}</dd>')
    if figure.note:
        lines.append(f'<dd class="note">{html.escape(figure.note)}</dd>')
    return "".join(lines) + "</div>"


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _flac(audio: FloatArray, sample_rate: int) -> str:
    """16-bit FLAC, which every browser decodes, at half the size of WAV."""
    import soundfile

    buffer = io.BytesIO()
    stereo = stored_samples(audio[:, :2], "PCM_16")
    soundfile.write(buffer, stereo, sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode()
