"""Where compiled kernels are kept from one process to the next. Nothing needs it: without a place, each compiles its own."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hil.cache import cache_folder
from hil.files import takes_files

__all__ = ["alone", "compile_before", "compiled_code", "keep_compiled_code", "kernel"]

_FCNTL: Any = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None  # only Unix has it
_LOCK = ".hil-lock"
_DONE = "all-compiled"
"""Begins the name of a file in a folder in which all kernels' code is kept."""
_COMPILING = "HIL_COMPILING"
"""In the environment of the process that compiles."""
_LONGEST_S = 10.0
"""For which a lock is held at most: writing two small files. One that lies there for longer is of a process that was killed."""


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


def keep_compiled_code(source: str = "") -> Path | None:
    """Point numba to `compiled_code` for the modules imported next.

    Args:
        source: digest of what the kernels are made from; they get a folder of their own by it. Numba compares only the file
            that a kernel stands in with what it has in its cache: a kernel that calls one of another file would go on doing
            what that file said before.

    Returns:
        The folder; None: nothing is kept.
    """
    place = compiled_code()
    if place is None:
        return None
    import numba

    _one_at_a_time()
    folder = place / f"numba-{source[:16]}" if source else place
    numba.config.CACHE_DIR = str(folder)
    return folder


@functools.cache
def kernel(name: str) -> Any:
    """A module of compiled kernels that stands alone, its code kept by what it says; None where numba is missing or fails.

    Args:
        name: of the module, such as ``hil.models.separate.ldpc_numba``.
    """
    if importlib.util.find_spec("numba") is None:
        return None
    try:
        found = importlib.util.find_spec(name)
        own = Path(found.origin).read_bytes() if found is not None and found.origin else b""
        keep_compiled_code(hashlib.sha256(own).hexdigest())
        return importlib.import_module(name)
    except (ImportError, RuntimeError):  # numba refuses this numpy, or finds no folder to keep compiled code in
        return None


def compile_before(folder: Path | None, module: str, sources: Iterable[Path]) -> None:
    """Have another process compile what is to be kept in a folder, unless that was done: what it kept is then loaded here.

    Where it fails, this process compiles for itself, as it does without a folder: last bits may then differ from those of
    processes that load what was kept.

    Args:
        folder: from `keep_compiled_code`.
        module: run by ``python -m``; it uses all kernels once.
        sources: files of the kernels; numba compiles anew where one is at another place, or was written at another time.
    """
    if folder is None or _COMPILING in os.environ or (done := folder / f"{_DONE}-{_stamp(sources)}").exists():
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):  # others wait for it
            if not done.exists():
                command = [sys.executable, "-P", "-m", module]  # what lies where the user works is not run
                path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
                env = os.environ | {_COMPILING: "1", "PYTHONPATH": path}
                if subprocess.run(command, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0:
                    done.touch()


def _stamp(sources: Iterable[Path]) -> str:
    """Digest of what numba's index of kept code hangs on: interpreter, numba, processor, and the files."""
    import llvmlite.binding
    import numba

    host = llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()
    files = [(str(path), path.stat().st_mtime_ns) for path in sorted(sources)]
    return hashlib.sha256(repr((sys.version, numba.__version__, host, files)).encode()).hexdigest()[:16]


@functools.cache
def _one_at_a_time() -> None:
    """Let one process at a time write compiled code into a folder.

    Numba reads a kernel's index, takes the next free name for the code, and writes both back. Two processes that compile
    at once may take the same name: one of them is then given the other's code for its own arguments. Code that is there
    already is only read, which needs no lock.
    """
    from numba.core import caching

    kept = getattr(caching, "IndexDataCacheFile", None)
    if kept is None or not hasattr(kept, "save"):
        return  # another numba: as it is
    save = kept.save

    @functools.wraps(save)
    def save_alone(self: Any, key: Any, data: Any) -> None:
        with alone(Path(self._cache_path)):
            save(self, key, data)

    kept.save = save_alone


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only process that is in a folder; where that cannot be had, without it: it is worth a wait, and no error."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(_by_the_system(folder / _LOCK) if _FCNTL is not None else _by_name(folder / _LOCK))
        yield


@contextlib.contextmanager
def _by_the_system(lock: Path) -> Iterator[None]:
    """Held until the file is closed, by a killed process too."""
    with lock.open("w") as file:
        _FCNTL.flock(file, _FCNTL.LOCK_EX)
        yield


@contextlib.contextmanager
def _by_name(lock: Path) -> Iterator[None]:
    """Held by whoever makes the file; one that lies there too long is taken away."""
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _LONGEST_S:
                    lock.unlink(missing_ok=True)
            time.sleep(0.005)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
