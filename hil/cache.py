"""What is kept between runs to save time. Nothing here is needed: no place, a full disk or a damaged file only cost time.

The place is ``$HIL_CACHE``, else ``$XDG_CACHE_HOME/hil``, else ``~/.cache/hil``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hil.errors import OutputError
from hil.files import replacing

__all__ = ["Store", "cache_folder"]

DIGEST = 32
"""Bytes of a SHA-256, which every entry starts with."""
FORGOTTEN_S = 86_400
"""Age at which what a killed process left half written is removed."""


def cache_folder() -> Path | None:
    """Where things may be kept; None where there is no such place. It need not exist yet."""
    given, home = os.environ.get("HIL_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    if home:
        return Path(home) / "hil"
    try:
        return Path.home() / ".cache" / "hil"
    except RuntimeError:  # a user without a home
        return None


@dataclass(frozen=True, kw_only=True)
class Store:
    """Entries of one kind, each under a key and with its checksum; the least recently used go where they take too much room.

    Attributes:
        name: of its folder in the cache.
        most_bytes: all entries together.
    """

    name: str
    most_bytes: int

    def read(self, key: str) -> NDArray[np.uint8] | None:
        """What was kept under a key, uint8 [n], writable; None where there is nothing, or not what was written."""
        path = self._path(key)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest, content = file.read(DIGEST), np.empty(max(0, size - DIGEST), np.uint8)
                whole = file.readinto(content.data) == len(content)
            if not whole or digest != _digest(key, content.data):
                path.unlink(missing_ok=True)
                return None
            os.utime(path)
        except (OSError, MemoryError):
            return None
        return content

    def write(self, key: str, *parts: bytes | memoryview) -> None:
        """Keep something; no error where that cannot be."""
        path = self._path(key)
        if path is None or DIGEST + sum(memoryview(part).nbytes for part in parts) > self.most_bytes:
            return
        with contextlib.suppress(OSError, OutputError):
            with replacing(path) as new, new.open("wb") as file:
                file.write(_digest(key, *parts))
                for part in parts:
                    file.write(part)
            self._thin(path.parent)

    def _path(self, key: str) -> Path | None:
        folder = cache_folder()
        return None if folder is None else folder / self.name / hashlib.sha256(key.encode()).hexdigest()[:40]

    def _thin(self, folder: Path) -> None:
        """Remove what was not used for longest until the rest may stay, and what was never finished."""
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.stat(follow_symlinks=False)) for entry in entries]
        whole = sorted((stat.st_mtime_ns, path, stat.st_size) for path, stat in found if not path.endswith(".part"))
        total = sum(size for _, _, size in whole)
        for _, path, size in whole:
            if total > self.most_bytes:
                Path(path).unlink(missing_ok=True)
                total -= size
        for path, stat in found:
            if path.endswith(".part") and time.time() - stat.st_mtime > FORGOTTEN_S:
                shutil.rmtree(path, ignore_errors=True)


def _digest(key: str, *parts: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\0")
    for part in parts:
        digest.update(part)
    return digest.digest()
