"""Which kernels do the inner loops: numba's if the extra `fast` is installed, else plain ones."""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Any, NamedTuple

from hil.errors import DriverMissingError

__all__ = ["Kernels", "kernels"]


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
    kind = "numba" if (there if fast is None else fast) else "plain"
    return Kernels(*(importlib.import_module(f"hil.phy.{name}_{kind}") for name in Kernels._fields))
