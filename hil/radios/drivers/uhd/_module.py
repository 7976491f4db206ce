"""The vendor's `uhd` module: imported only where that is safe.

UHD's Python binding is made for one generation of numpy: one built against numpy 1 imports under numpy 2 with a warning, and
then crashes the process when it receives. So the binding's file is examined before it is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np

from hil.errors import DriverMissingError

__all__ = ["INSTALL", "load_uhd"]

INSTALL = "apt install python3-uhd uhd-host (Debian, Ubuntu), or conda install -c conda-forge uhd"


def _numpy_generation(package: Path) -> int | None:
    """The generation of numpy that a binding was built against: 2 runs under both, 1 only under 1. None = cannot tell."""
    for library in package.glob("libpyuhd*"):
        data = library.read_bytes()
        if b"numpy._core" in data:
            return 2
        if b"numpy.core" in data:
            return 1
    return None


def load_uhd() -> Any:
    """Import `uhd`, if that is safe.

    Raises:
        DriverMissingError: it is not installed, or made for another numpy.
    """
    spec = importlib.util.find_spec("uhd")
    if spec is None or spec.origin is None:
        raise DriverMissingError(f"the 'uhd' driver needs the module 'uhd'; install it with: {INSTALL}; see: hil doctor")
    if int(np.__version__.split(".")[0]) >= 2 and _numpy_generation(Path(spec.origin).parent) == 1:
        raise DriverMissingError(
            f"the module 'uhd' in {Path(spec.origin).parent} is built for numpy 1 and would crash under numpy "
            f"{np.__version__}; install numpy 1.26 in this environment (pip install 'numpy<2'), or a newer UHD "
            "(conda install -c conda-forge uhd)"
        )
    os.environ.setdefault("UHD_LOG_CONSOLE_LEVEL", "error")
    os.environ.setdefault("UHD_LOG_FASTPATH_DISABLE", "1")  # events are in the ledger, not letters on a console
    try:
        return importlib.import_module("uhd")
    except ImportError as err:
        raise DriverMissingError(f"the module 'uhd' cannot be loaded ({err}); install it with: {INSTALL}") from err
