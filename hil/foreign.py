"""Code of others, from ``path.py:Attribute``, kept out of each other's way.

Research code nearly always has a top-level `models` of its own. Each file is loaded under a private name, with its folder
on the path only while loading, and the modules it brought from that folder are taken out of `sys.modules` afterwards. Imports
that run later, inside functions, do not find that folder any more: import at the top, or in the constructor.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hil.errors import ConfigError

__all__ = ["is_foreign", "load_foreign", "split_foreign"]

_SPEC = re.compile(r"(?P<path>.*\.py):(?P<attribute>[A-Za-z_]\w*)(?::(?P<argument>.*))?", re.DOTALL)


def is_foreign(spec: str) -> bool:
    """Whether `spec` has the form ``path.py:Attribute``."""
    found = _SPEC.fullmatch(spec)
    return found is not None and found["argument"] is None


def split_foreign(spec: str) -> tuple[str, str] | None:
    """``path.py:Attribute:ARGUMENT`` as (``path.py:Attribute``, ``ARGUMENT``); None for anything else."""
    found = _SPEC.fullmatch(spec)
    return (f"{found['path']}:{found['attribute']}", found["argument"] or "") if found is not None else None


def load_foreign(spec: str, what: str, *, call: bool = False) -> Any:
    """The attribute that ``path.py:Attribute`` names.

    Args:
        spec: file and attribute.
        what: it should be, for messages.
        call: what can be called is called without arguments, while its folder can still be imported from.

    Raises:
        ConfigError: no such file or attribute, or an import that fails.
    """
    path_text, _, attribute = spec.rpartition(":")
    path = Path(path_text).expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"no such file: {path_text} (asked for as {what} '{spec}')")
    private = "_hil_foreign_" + hashlib.sha256(str(path).encode()).hexdigest()[:16]
    module_spec = importlib.util.spec_from_file_location(private, path)
    if module_spec is None or module_spec.loader is None:
        raise ConfigError(f"cannot load {path} as a Python module")
    module = importlib.util.module_from_spec(module_spec)
    with _folder_on_path(path.parent):
        sys.modules[private] = module
        try:
            module_spec.loader.exec_module(module)
        except (ImportError, SyntaxError) as err:
            sys.modules.pop(private, None)
            raise ConfigError(f"{what} '{spec}' cannot be imported: {err}") from err
        found: Any = getattr(module, attribute, None)
        if found is None:
            raise ConfigError(f"{path_text} has no class '{attribute}'; it has: {', '.join(_classes(module)) or 'none'}")
        return found() if call and callable(found) else found


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
