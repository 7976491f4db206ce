"""Schemes of others, from ``path.py:Class``, kept out of each other's way.

Research code nearly always has a top-level `models` of its own. Each file is loaded under a private name, with its folder
on the path only while loading, and the modules it brought from that folder are taken out of `sys.modules` afterwards. Imports
that run later, inside functions, do not find that folder any more: import at the top, or in the constructor.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hil.errors import ModelError
from hil.models.scheme import Scheme

__all__ = ["is_foreign", "load_foreign"]


def is_foreign(spec: str) -> bool:
    """Whether `spec` has the form ``path.py:Class``."""
    path, separator, attribute = spec.rpartition(":")
    return bool(separator) and path.endswith(".py") and attribute.isidentifier()


def load_foreign(spec: str) -> Scheme:
    """Load ``path.py:Class`` and call it without arguments (it may also be a function that returns a scheme).

    Raises:
        ModelError: no such file or attribute, an import that fails, or no scheme.
    """
    path_text, _, attribute = spec.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise ModelError(f"no such file: {path_text} (asked for as scheme '{spec}')")
    private = "_hil_foreign_" + hashlib.sha256(str(path).encode()).hexdigest()[:16]
    module_spec = importlib.util.spec_from_file_location(private, path)
    if module_spec is None or module_spec.loader is None:
        raise ModelError(f"cannot load {path} as a Python module")
    module = importlib.util.module_from_spec(module_spec)
    with _folder_on_path(path.parent):
        sys.modules[private] = module
        try:
            module_spec.loader.exec_module(module)
        except (ImportError, SyntaxError) as err:
            sys.modules.pop(private, None)
            raise ModelError(f"scheme '{spec}' cannot be imported: {err}") from err
        factory: Any = getattr(module, attribute, None)
        if not callable(factory):
            raise ModelError(f"{path_text} has no class '{attribute}'; it has: {', '.join(_classes(module)) or 'none'}")
        scheme = factory()
    if not isinstance(scheme, Scheme):
        wanted = ("name", "plan", "encode", "decode", "gallery")
        missing = [part for part in wanted if not hasattr(scheme, part)]
        raise ModelError(f"'{spec}' is no scheme, it lacks {', '.join(missing)}; see hil.models.scheme.Scheme")
    return scheme


def _classes(module: ModuleType) -> list[str]:
    own = module.__name__
    return sorted(name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == own)


@contextmanager
def _folder_on_path(folder: Path) -> Iterator[None]:
    """The folder first on `sys.path`; modules it hides are set aside before, and those it brought are removed after."""
    owned = {item.stem for item in folder.glob("*.py")} | {item.name for item in folder.iterdir() if item.is_dir()}

    def take_out() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in owned]
        return {name: sys.modules.pop(name) for name in names}

    owned -= sys.stdlib_module_names | {"hil", "torch", "numpy"}
    aside = take_out()
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        take_out()
        sys.modules.update(aside)
