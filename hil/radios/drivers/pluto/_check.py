"""Whether Plutos can be used here."""

from __future__ import annotations

import ctypes.util
import importlib.util

from hil.radios.check import Check, run_apart
from hil.radios.drivers.pluto._device import INSTALL

__all__ = ["check"]

_NAME = "pluto"


def check() -> list[Check]:
    """The library libiio, and its Python modules."""
    have_library = ctypes.util.find_library("iio") is not None
    have_modules = all(importlib.util.find_spec(module) is not None for module in ("adi", "iio"))
    if not have_library or not have_modules:
        lacking = [text for have, text in ((have_library, "libiio"), (have_modules, "pyadi-iio")) if not have]
        return [Check(name=_NAME, ok=False, detail=f"not installed: {', '.join(lacking)}", fix=INSTALL)]
    ok, said = run_apart("import iio, adi; print('libiio %d.%d (%s), pyadi-iio %s' % (*iio.version, adi.__version__))")
    return [Check(name=_NAME, ok=ok, detail=said if ok else f"import adi fails: {said}", fix="" if ok else INSTALL)]
