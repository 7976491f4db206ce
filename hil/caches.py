"""What is kept from one run to the next to save time, and where. Nothing needs it: without a place, it is made anew."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "compiled_code", "keep_compiled_code", "takes_files"]


def cache_folder() -> Path | None:
    """The user's folder for what `hil` makes again when it is gone; None where the user has no home. It need not exist.

    The environment variables ``HIL_CACHE`` and ``XDG_CACHE_HOME`` name another than ``~/.cache/hil``.
    """
    if given := os.environ.get("HIL_CACHE"):
        return Path(given)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "hil"
    try:
        return Path.home() / ".cache" / "hil"
    except RuntimeError:  # no HOME, and no such user
        return None


def compiled_code() -> Path | None:
    """Where numba keeps compiled kernels here; None: nowhere, and each process compiles them.

    Numba's own places first (``NUMBA_CACHE_DIR``, beside the source, the user's cache); where none can be written to, a folder
    for temporary files that is this user's alone: what is loaded from there is run.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    own = [os.environ.get("NUMBA_CACHE_DIR"), Path(__file__).parent / "phy" / "__pycache__", base and Path(base) / "numba"]
    if cache := cache_folder():
        own += [cache.parent / "numba", cache / "numba"]
    for place in own:
        if place and takes_files(Path(place)):
            return Path(place)
    try:
        private = Path(tempfile.gettempdir()) / f"hil-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        private.mkdir(mode=0o700, exist_ok=True)
        state = private.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(state.st_mode) and not state.st_mode & 0o077
    if hasattr(os, "getuid"):
        mine = mine and state.st_uid == os.getuid()
    return private if mine and takes_files(private) else None


def keep_compiled_code() -> None:
    """Point numba to `compiled_code` where it would find no place of its own, and then refuse to compile at all."""
    place = compiled_code()
    if place is None or place.name == "__pycache__":
        return
    import numba

    numba.config.CACHE_DIR = str(place)


def takes_files(folder: Path) -> bool:
    """Whether files can be written to a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
