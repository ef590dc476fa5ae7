"""Hostile files for the loaders, led by what their code does with them (atheris, libFuzzer).

python -m tests.fuzz.fuzz_loaders audio|model|nam|onnx|checkpoint CORPUS [libFuzzer's options]

The cases are those of tests/unit/test_*_fuzz.py: the same files to begin with, changes and checks.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import tempfile
import warnings
import zlib
from importlib import import_module
from pathlib import Path

import atheris

from tests.unit.fuzzing import IN_MEMORY

MODULES = {
    "audio": ("test_audio_file_fuzz", "AUDIO"),
    "model": ("test_model_file_fuzz", "MODELS"),
    "nam": ("test_nam_fuzz", "NAM"),
    "onnx": ("test_onnx_fuzz", "ONNX"),
    "checkpoint": ("test_checkpoint_fuzz", "CHECKPOINTS"),
}
LARGEST_SEED = 1 << 17  # small files are changed and tried more often
LARGE = 1 << 18  # KB more than any case before


def show_sources() -> None:
    """Takes away the editable installation's finder: atheris cannot see code that comes by it."""
    from rtaudio import _native  # which has no other

    sys.meta_path[:] = [each for each in sys.meta_path if "Redirecting" not in type(each).__name__]
    for name in [each for each in sys.modules if each.split(".")[0] == "rtaudio"]:
        if sys.modules[name] is not _native:
            del sys.modules[name]


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    name, corpus = sys.argv[1:3]
    module, attribute = MODULES[name]
    show_sources()
    with atheris.instrument_imports(include=["rtaudio"]):
        fuzzed = getattr(import_module(f"tests.unit.{module}"), attribute)
    warnings.simplefilter("ignore" if name == "audio" else "error")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder) / f"case{fuzzed.suffix}"
        Path(corpus).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(fuzzed.seeds(Path(folder))):
            if len(seed) <= LARGEST_SEED:
                (Path(corpus) / f"seed-{number}").write_bytes(seed)

        def try_one(data: bytes) -> None:
            path.write_bytes(data)
            before = peak()
            for _ in fuzzed.attempt(path, random.Random(zlib.crc32(data))):
                pass
            # Where memory ends libFuzzer stops too late to know the case.
            if peak() > before + LARGE:
                kept = Path(f"build/large-{name}-{peak() >> 10}-MB{fuzzed.suffix}")
                kept.write_bytes(data)
                print(f"a case took {peak() - before >> 10} MB more; kept as {kept}")

        def mutate(data: bytes, max_size: int, seed: int) -> bytes:
            try:
                changed: bytes = fuzzed.mutate(random.Random(seed), data)
            except Exception:  # what is broken already has no structure to change
                changed = b""
            return changed if 0 < len(changed) <= max_size else atheris.Mutate(data, max_size)

        limits = [f"-max_len={2 * LARGEST_SEED}", f"-rss_limit_mb={fuzzed.resident >> 20}"]
        options = [*sys.argv[3:], *limits, corpus]
        atheris.Setup([sys.argv[0], *options], try_one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
