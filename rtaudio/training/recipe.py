"""The data recipe: which packages, which files of them, for training and for development.

Everything is named here and nowhere else, so that the lists can be read next to the model card.
Recordings come from Debian packages, by name; synthetic speech from a folder of voices.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000

PACKAGES = (
    "asterisk-core-sounds-en-g722",
    "asterisk-core-sounds-es-g722",
    "fillets-ng-data-cs",
    "fillets-ng-data-nl",
    "klettres-data",
    "hedgewars-data",
    "colobot-common-sounds",
    "torcs-data",
    "wesnoth-1.16-data",
    "widelands-data",
    "supertux-data",
    "asterisk-prompt-it-menardi-wav",
    "extremetuxracer-data",
    "warzone2100-data",
    "oxygen-sounds",
    "khangman",
)

# Other languages and voices of the same packages are kept for testing and never listed here.
# klettres: de and pt_BR are for development; en, en_GB and uk for testing.
KLETTRES_TRAIN: tuple[str, ...] = (
    "ar",
    "cs",
    "da",
    "es",
    "fr",
    "he",
    "hu",
    "it",
    "lt",
    "ml",
    "nb",
    "nds",
)
KLETTRES_TRAIN += ("nl", "ru", "tn")
HEDGEWARS_TRAIN: tuple[str, ...] = ("Classic", "Default", "Default_es", "Default_pl", "Default_ru")
HEDGEWARS_TRAIN += ("Russian", "Surfer")
DEV_VOICES = ("bf_emma", "am_michael")

AUDIO_SUFFIXES = {".wav", ".ogg", ".flac", ".opus", ".g722"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a pool: `group` is the talker or the kind of noise."""

    path: str
    group: str


def default_cache() -> Path:
    """Where data lies unless a command says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rtaudio"


def fetch(cache: Path) -> None:
    """Download and unpack the packages into `cache/packages`; finished ones are skipped."""
    for name in PACKAGES:
        target = cache / "packages" / name
        if (target / ".done").exists():
            continue
        shutil.rmtree(target, ignore_errors=True)
        downloads = cache / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", name], cwd=downloads, check=True)
        archive = next(downloads.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg", "-x", archive, target], check=True)
        archive.unlink()
        for wz in target.rglob("base.wz"):  # warzone2100 keeps its sounds in a zip file
            with zipfile.ZipFile(wz) as z:
                z.extractall(target / "base", [n for n in z.namelist() if n.endswith(".ogg")])
        (target / ".done").touch()


def _files(root: Path) -> Iterator[Path]:
    yield from sorted(p for p in root.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)


def speech_sources(cache: Path, voices: Path, split: str) -> list[Source]:
    """Speech of one split, `train` or `dev`; `voices` holds one folder per synthetic voice."""
    packages = cache / "packages"
    out: list[Source] = []

    def add(root: Path, group: str, keep: Callable[[Path], bool] = lambda p: True) -> None:
        out.extend(Source(path=str(p), group=group) for p in _files(root) if keep(p))

    for folder in sorted(p for p in voices.iterdir() if p.is_dir()):
        if (folder.name in DEV_VOICES) == (split == "dev"):
            add(folder, folder.name)
    klettres = packages / "klettres-data/usr/share/klettres"
    hedgewars = packages / "hedgewars-data/usr/share/games/hedgewars/Data/Sounds/voices"
    if split == "dev":
        for language in ("de", "pt_BR"):
            add(klettres / language, f"klettres_{language}")
        add(hedgewars / "Russian_pl", "hedgewars_Russian_pl")
        return out
    for package in ("asterisk-core-sounds-en-g722", "asterisk-core-sounds-es-g722"):
        add(packages / package, "asterisk", lambda p: "silence" not in p.parts)
    for language in KLETTRES_TRAIN:
        add(klettres / language, f"klettres_{language}")
    for voice in HEDGEWARS_TRAIN:
        add(hedgewars / voice, f"hedgewars_{voice}")
    for language in ("cs", "nl"):
        root = packages / f"fillets-ng-data-{language}"
        for tag in ("m", "v"):  # the two lead actors of each language; other files hold effects
            add(root, f"fillets_{language}_{tag}", lambda p, t=tag: f"-{t}-" in p.name)  # type: ignore[misc]
    return out


def noise_sources(cache: Path, split: str) -> list[Source]:
    """Recorded noises of one split; `group` is `music` or the package's kind of effect."""
    packages = cache / "packages"
    out: list[Source] = []

    def add(root: Path, group: str) -> None:
        out.extend(Source(path=str(p), group=group) for p in _files(root))

    if split == "dev":
        etr = packages / "extremetuxracer-data/usr/share/games/etr/sounds"
        add(etr, "slide")
        sfx = packages / "warzone2100-data/base/audio/sfx"  # beside it: spoken messages
        for kind in ("vehicle", "weapons", "explons", "building"):
            add(sfx / kind, kind)
        add(packages / "oxygen-sounds", "interface")
        add(packages / "khangman", "interface")
        return out
    hedgewars = packages / "hedgewars-data/usr/share/games/hedgewars/Data"
    out.extend(
        Source(path=str(p), group="effects") for p in sorted((hedgewars / "Sounds").glob("*.ogg"))
    )
    add(hedgewars / "Music", "music")
    add(packages / "torcs-data", "engines")
    add(packages / "wesnoth-1.16-data", "effects")
    widelands = packages / "widelands-data/usr/share/games/widelands/data"
    add(widelands / "sound", "work")
    add(widelands / "music", "music")
    colobot = packages / "colobot-common-sounds/usr/share/games/colobot"
    add(colobot / "sounds", "effects")
    add(colobot / "music", "music")
    supertux = packages / "supertux-data/usr/share/games/supertux2"
    add(supertux / "sounds", "effects")
    add(supertux / "music", "music")
    return out


def decode(path: str) -> tuple[NDArray[np.float32], int]:
    """Mono float32 samples and the rate of any file of the recipe."""
    if path.endswith(".g722"):
        import av  # G.722 is the one coding that libsndfile lacks

        with av.open(path, format="g722") as container:
            frames = [f.to_ndarray().ravel() for f in container.decode(audio=0)]
        return np.asarray(np.concatenate(frames) / 32768, dtype=np.float32), 16000
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return x.mean(1), rate


def read(path: str, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """One file, mono, at `sample_rate`."""
    import soxr

    x, rate = decode(path)
    return x if rate == sample_rate else soxr.resample(x, rate, sample_rate, quality="HQ")


def _noisy(x: NDArray[np.float32]) -> bool:
    """True where the quiet tenth of the frames is less than 30 dB below the loud tenth."""
    frames = x[: x.size // 160 * 160].reshape(-1, 160)
    if len(frames) < 20:
        return False
    level = 10 * np.log10((frames**2).mean(1) + 1e-12)
    low, high = np.percentile(level, [10, 95])
    return bool(high - low < 30)


class Pool:
    """All files of a list at one rate in one int16 array, mapped from disk."""

    def __init__(self, folder: Path) -> None:
        self.samples: NDArray[np.int16] = np.load(folder / "samples.npy", mmap_mode="r")
        self.items: list[tuple[str, int, int]] = json.loads((folder / "items.json").read_text())

    def groups(self) -> dict[str, list[NDArray[np.int16]]]:
        out: dict[str, list[NDArray[np.int16]]] = {}
        for group, start, length in self.items:
            out.setdefault(group, []).append(self.samples[start : start + length])
        return out

    @staticmethod
    def build(folder: Path, sources: list[Source], *, drop_noisy: bool = False) -> None:
        """Decode every source, scaled to a peak of 0.7, 16 kHz; unreadable files are skipped."""
        if (folder / "items.json").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        parts: list[NDArray[np.int16]] = []
        items: list[tuple[str, int, int]] = []
        start = 0
        for source in sources:
            try:
                x = read(source.path)
            except Exception as error:  # one bad file among thousands must not end the build
                print(f"skipped {source.path}: {error}")
                continue
            recorded = source.group.startswith("fillets")
            if x.size < 1600 or (drop_noisy and recorded and _noisy(x)):
                continue
            x = x - x.mean()
            scaled = np.round(x * (0.7 * 32767 / (np.abs(x).max() + 1e-9))).astype(np.int16)
            parts.append(scaled)
            items.append((source.group, start, scaled.size))
            start += scaled.size
        np.save(folder / "samples.npy", np.concatenate(parts))
        (folder / "items.json").write_text(json.dumps(items))


def build_pools(cache: Path, voices: Path) -> None:
    """The 16 kHz pools that the renderer and the development set read."""
    pools = cache / "pools"
    Pool.build(pools / "speech_train", speech_sources(cache, voices, "train"), drop_noisy=True)
    Pool.build(pools / "noise_train", noise_sources(cache, "train"))
    Pool.build(pools / "speech_dev", speech_sources(cache, voices, "dev"))
    Pool.build(pools / "noise_dev", noise_sources(cache, "dev"))
