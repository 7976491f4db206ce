"""Which kernels do the inner loops: numba's if the extra `fast` is installed, else torch's."""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Any

from hil.errors import DriverMissingError

__all__ = ["kernels"]


@lru_cache(maxsize=4)
def kernels(fast: bool | None = None) -> tuple[Any, Any]:
    """The modules with the detection kernels and the frame kernels.

    Args:
        fast: True asks for numba, False for torch, None takes numba if it is there.

    Raises:
        DriverMissingError: numba was asked for and is not installed.
    """
    there = importlib.util.find_spec("numba") is not None
    if fast and not there:
        raise DriverMissingError("the compiled kernels need numba; install it with: pip install 'hil[fast]'")
    kind = "numba" if (there if fast is None else fast) else "torch"
    return importlib.import_module(f"hil.phy.kernels_{kind}"), importlib.import_module(f"hil.phy.frames_{kind}")
