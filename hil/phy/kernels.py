"""Which kernels do the inner loops: numba's if the extra `fast` is installed, else plain ones."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hil.compiled import compile_before, keep_compiled_code
from hil.errors import DriverMissingError

__all__ = ["Kernels", "kernels", "source_digest"]


class Kernels(NamedTuple):
    """The two forms have the same functions and classes, which agree to float rounding.

    Attributes:
        against: module of `hil.phy.against_plain` or `against_numba`, for whoever knows what was sent.
        detector: module of `hil.phy.detector_plain` or `detector_numba`.
        frames: module of `hil.phy.frames_plain` or `frames_numba`, for the receiver.
        front: module of `hil.phy.front_plain` or `front_numba`, for the receiver's front end.
        waves: module of `hil.phy.waves_plain` or `waves_numba`, for the transmitter.
    """

    against: Any
    detector: Any
    frames: Any
    front: Any
    waves: Any


@lru_cache(maxsize=4)
def kernels(fast: bool | None = None) -> Kernels:
    """The kernels to use.

    Args:
        fast: True asks for numba, False for plain ones, None takes numba if it is there.

    Raises:
        DriverMissingError: numba was asked for and is not installed, or does not work.
    """
    there = importlib.util.find_spec("numba") is not None
    if fast and not there:
        raise DriverMissingError("the compiled kernels need numba; install it with: pip install 'hil[fast]'")
    if there and fast is not False:
        try:
            compile_before(keep_compiled_code(source_digest()), "hil.phy.compile", Path(__file__).parent.glob("*_numba.py"))
            return _modules("numba")
        except (ImportError, RuntimeError) as err:  # numba refuses this numpy, or finds no folder to keep compiled code in
            if fast:
                raise DriverMissingError(f"the compiled kernels need numba, which does not work here: {err}") from err
    return _modules("plain")


def _modules(kind: str) -> Kernels:
    return Kernels(*(importlib.import_module(f"hil.phy.{name}_{kind}") for name in Kernels._fields))


def source_digest() -> str:
    """SHA-256 of the compiled kernels' source and of what they import from this package."""
    here = Path(__file__).parent
    kernels = {path.stem for path in here.glob("*_numba.py")}
    text = "".join((here / f"{name}.py").read_text(encoding="utf-8") for name in sorted(kernels))
    others = set(re.findall(r"^from hil\.phy(?:\.| import )(\w+)", text, re.MULTILINE)) - kernels
    for name in sorted(others):
        text += (here / f"{name}.py").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()
