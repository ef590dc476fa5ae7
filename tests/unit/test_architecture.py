"""The arrows of the design: who may include or import whom, and what `import rtaudio` costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "rtaudio"
CPP = ROOT / "csrc"

# Each part and what it may use directly; what those use is allowed too.
CPP_USES = {
    "core": (),
    "cpu": ("core",),
    "cuda": ("core",),
    "model": ("cpu", "cuda"),
    "live": ("model",),
    "python": ("live",),
}
PYTHON_USES = {
    "errors": (),
    "lazy": (),
    "dsp": ("errors", "lazy"),
    "diffusion": ("errors",),
    "graph": ("dsp",),
    "io": ("dsp",),
    "models": ("graph", "diffusion"),
    "nn": ("models",),
    "runtime": ("models", "_native"),
    "torch": ("runtime",),
    "training": ("nn", "runtime", "io"),
    "bench": ("runtime", "io", "nn"),  # nn: the peers in torch, imported when they are made
    "demo": ("bench", "runtime", "io"),
    "live": ("runtime",),
    "cli": ("live", "bench", "demo", "runtime", "io"),
}
# Imported inside the function: the law of the oracle compares with nn where torch is installed,
# and torch reads its checkpoints.
EXCEPTIONS = {
    ("rtaudio/runtime/laws.py", "nn"),
    ("rtaudio/runtime/laws.py", "torch"),
    ("rtaudio/runtime/checkpoint.py", "torch"),
}
HEAVY = ("torch", "soundfile", "matplotlib", "rich", "scipy")


def closure(uses: dict[str, tuple[str, ...]], part: str) -> set[str]:
    found = {part}
    for used in uses.get(part, ()):
        found |= closure(uses, used)
    return found


def cpp_arrows() -> list[tuple[str, str, str]]:
    arrows = []
    for path in sorted(CPP.rglob("*")):
        if path.suffix in {".h", ".cpp", ".cu"}:
            part = path.relative_to(CPP).parts[0]
            for included in re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.M):
                used = Path(included).parts[0] if "/" in included else part
                arrows.append((str(path.relative_to(ROOT)), part, used))
    return arrows


def imported_modules(path: Path) -> set[str]:
    """Absolute names of all modules a file imports, inside functions too."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*up, *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def python_arrows() -> list[tuple[str, str, str]]:
    arrows = []
    for path in sorted(PYTHON.rglob("*.py")):
        part = path.relative_to(PYTHON).with_suffix("").parts[0]
        for name in imported_modules(path):
            used = name.split(".")
            if used[0] == "rtaudio" and len(used) > 1:
                arrows.append((str(path.relative_to(ROOT)), part, used[1]))
    return arrows


def test_cpp_includes_point_one_way() -> None:
    wrong = [arrow for arrow in cpp_arrows() if arrow[2] not in closure(CPP_USES, arrow[1])]
    assert not wrong


def test_only_the_python_folder_includes_pybind11() -> None:
    files = [path for path in CPP.rglob("*") if path.is_file()]
    users = {path.relative_to(CPP).parts[0] for path in files if "pybind11" in path.read_text()}
    assert users == {"python"}


def test_python_imports_point_one_way() -> None:
    parts = {path.stem if path.is_file() else path.name for path in PYTHON.iterdir()}
    wrong = [
        (file, used)
        for file, part, used in python_arrows()
        # The package's own __init__ may offer anything; nobody imports from it.
        if part not in {"__init__", "__main__"}
        and used in parts
        and used not in closure(PYTHON_USES, part)
        and (file, used) not in EXCEPTIONS
    ]
    assert not wrong


@pytest.mark.parametrize("part", ["graph", "dsp", "io", "runtime", "models"])
def test_only_training_parts_import_torch(part: str) -> None:
    users = {
        (str(path.relative_to(ROOT)), "torch")
        for path in (PYTHON / part).rglob("*.py")
        if any(name.split(".")[0] == "torch" for name in imported_modules(path))
    }
    assert users <= EXCEPTIONS


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_import_and_run_load_nothing_heavy() -> None:
    found = run_python(
        "import sys, numpy as np, rtaudio\n"
        "model = rtaudio.load(rtaudio.DEFAULT_DENOISER)\n"
        "with model.stream(sample_rate=48000) as stream:\n"
        "    stream.push(np.zeros(4800, np.float32))\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert found.strip() == "[]"
