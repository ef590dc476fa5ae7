"""Puts the module built with sanitizers (./dev test-asan) before the one that is installed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class Finder:
    """Of rtaudio._native alone."""

    @staticmethod
    def find_spec(
        name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "rtaudio._native":
            return None
        [file] = Path(os.environ["RTAUDIO_TEST_MODULE"]).glob("_native.*.so")
        return importlib.util.spec_from_file_location(name, file)


sys.meta_path.insert(0, Finder)
