"""Files of others, whole and bounded."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from rtaudio.errors import ModelFileError

MAX_FILE_BYTES = 256 << 20


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises ModelFileError where it cannot be read."""
    return hashlib.sha256(read_file(path)).hexdigest()


def read_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """A file of at most `limit` bytes. Raises ModelFileError where it is larger, cannot be read, or
    is no file: a device or a pipe might never end."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ModelFileError(f"{path} is a directory; give a file.")
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(f"{path} is a device or a pipe; give a file.")
        if found.st_size > limit:
            raise ModelFileError(f"{path} has {found.st_size} bytes, more than {limit}.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}; check the name.") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", "") or str(error)).lower()
        raise ModelFileError(f"{path} cannot be read: {reason}.") from None
