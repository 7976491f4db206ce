"""Where compiled kernels are kept from one process to the next. Nothing needs it: without a place, each compiles its own."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from hil.cache import cache_folder
from hil.files import takes_files

__all__ = ["compiled_code", "keep_compiled_code"]


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


def keep_compiled_code(source: str = "") -> None:
    """Point numba to `compiled_code` for the modules imported next.

    Args:
        source: digest of what the kernels are made from; they get a folder of their own by it. Numba compares only the file
            that a kernel stands in with what it has in its cache: a kernel that calls one of another file would go on doing
            what that file said before.
    """
    place = compiled_code()
    if place is None:
        return
    import numba

    numba.config.CACHE_DIR = str(place / f"numba-{source[:16]}" if source else place)
