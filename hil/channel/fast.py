"""The optional compiled kernels (extra `fast`): found when first asked for, never required."""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Any

from hil.compiled import keep_compiled_code
from hil.errors import DriverMissingError

__all__ = ["available", "kernels"]


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def kernels(fast: bool | None = None) -> Any:
    """The module `hil.channel.kernels`, or None where the plain torch and numpy code is to be used.

    Args:
        fast: True = the kernels or an error, False = never, None = where they are installed.

    Raises:
        DriverMissingError: asked for, but numba is not installed or does not work.
    """
    if fast is False:
        return None
    if not available():
        if fast:
            raise DriverMissingError("Argument 'fast' is True, but numba is not installed; pip install 'hil[fast]'")
        return None
    try:
        keep_compiled_code()
        return importlib.import_module("hil.channel.kernels")
    except (ImportError, RuntimeError) as err:  # numba refuses this numpy, or finds no folder to keep compiled code in
        if fast:
            raise DriverMissingError(f"Argument 'fast' is True, but numba does not work here: {err}") from err
        return None
