"""Which kernels do the inner loops: numba's if the extra `fast` is installed, else torch's."""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Any

from hil.caches import keep_compiled_code
from hil.errors import DriverMissingError

__all__ = ["kernels"]


@lru_cache(maxsize=4)
def kernels(fast: bool | None = None) -> tuple[Any, Any]:
    """The modules with the detection kernels and the frame kernels.

    Args:
        fast: True asks for numba, False for torch, None takes numba if it is there.

    Raises:
        DriverMissingError: numba was asked for and is not installed, or does not work.
    """
    there = importlib.util.find_spec("numba") is not None
    if fast and not there:
        raise DriverMissingError("the compiled kernels need numba; install it with: pip install 'hil[fast]'")
    if there and fast is not False:
        try:
            keep_compiled_code()
            return _modules("numba")
        except (ImportError, RuntimeError) as err:  # numba refuses this numpy, or finds no folder to keep compiled code in
            if fast:
                raise DriverMissingError(f"the compiled kernels need numba, which does not work here: {err}") from err
    return _modules("torch")


def _modules(kind: str) -> tuple[Any, Any]:
    return importlib.import_module(f"hil.phy.kernels_{kind}"), importlib.import_module(f"hil.phy.frames_{kind}")
