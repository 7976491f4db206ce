"""Which kernels do the inner loops: numba's if the extra `fast` is installed, else plain ones."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hil.errors import DriverMissingError

__all__ = ["Kernels", "kernels", "source_digest"]


class Kernels(NamedTuple):
    """The two forms have the same functions and classes, which agree to float rounding.

    Attributes:
        detector: module of `hil.phy.detector_plain` or `detector_numba`.
        frames: module of `hil.phy.frames_plain` or `frames_numba`, for the receiver.
        waves: module of `hil.phy.waves_plain` or `waves_numba`, for the transmitter.
    """

    detector: Any
    frames: Any
    waves: Any


@lru_cache(maxsize=4)
def kernels(fast: bool | None = None) -> Kernels:
    """The kernels to use.

    Args:
        fast: True asks for numba, False for plain ones, None takes numba if it is there.

    Raises:
        DriverMissingError: numba was asked for and is not installed.
    """
    there = importlib.util.find_spec("numba") is not None
    if fast and not there:
        raise DriverMissingError("the compiled kernels need numba; install it with: pip install 'hil[fast]'")
    if not (there if fast is None else fast):
        return Kernels(*(importlib.import_module(f"hil.phy.{name}_plain") for name in Kernels._fields))
    with _cache_of_this_source():
        return Kernels(*(importlib.import_module(f"hil.phy.{name}_numba") for name in Kernels._fields))


@contextmanager
def _cache_of_this_source() -> Iterator[None]:
    """Compiled code of modules imported here is kept in a folder that is named by the source it was made from.

    Numba compares only the file that a kernel stands in with what it has in its cache; a kernel that calls one of another
    file would go on doing what that file said before.
    """
    config: Any = importlib.import_module("numba.core.config")
    before = config.CACHE_DIR
    config.CACHE_DIR = str(Path(before or Path(__file__).parent / "__pycache__") / f"numba-{source_digest()[:16]}")
    try:
        yield
    finally:
        config.CACHE_DIR = before


def source_digest() -> str:
    """SHA-256 of the compiled kernels' source and of what they import from this package."""
    here = Path(__file__).parent
    kernels = {path.stem for path in here.glob("*_numba.py")}
    text = "".join((here / f"{name}.py").read_text(encoding="utf-8") for name in sorted(kernels))
    others = set(re.findall(r"^from hil\.phy(?:\.| import )(\w+)", text, re.MULTILINE)) - kernels
    for name in sorted(others):
        text += (here / f"{name}.py").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()
