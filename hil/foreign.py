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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from hil.errors import ConfigError
from hil.opened import ForeignFiles, watch

__all__ = ["files_of", "is_foreign", "load_foreign", "split_foreign"]

_SPEC = re.compile(r"(?P<path>.*\.py):(?P<attribute>[A-Za-z_]\w*)(?::(?P<argument>.*))?", re.DOTALL)


def is_foreign(spec: str) -> bool:
    """Whether `spec` has the form ``path.py:Attribute``."""
    found = _SPEC.fullmatch(spec)
    return found is not None and found["argument"] is None


def split_foreign(spec: str) -> tuple[str, str] | None:
    """``path.py:Attribute:ARGUMENT`` as (``path.py:Attribute``, ``ARGUMENT``); None for anything else."""
    found = _SPEC.fullmatch(spec)
    return (f"{found['path']}:{found['attribute']}", found["argument"] or "") if found is not None else None


_FILES: dict[Path, ForeignFiles] = {}
"""Of every foreign file that was loaded: modules are per process, and so is what they opened."""


def files_of(path: str | Path) -> ForeignFiles:
    """The code that came with a foreign file, and what it has opened until now; of one that is not loaded, nothing."""
    found = Path(path).expanduser().resolve()
    return _FILES.setdefault(found, ForeignFiles(path=found))


class _FromSource(SourceFileLoader):
    """Compiles what the file says now: Python's cache takes one of its length, changed within a second, for the old one."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


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
    loader = _FromSource(private, str(path))
    module_spec = importlib.util.spec_from_file_location(private, path, loader=loader)
    if module_spec is None:
        raise ConfigError(f"cannot load {path} as a Python module")
    module = importlib.util.module_from_spec(module_spec)
    files = _FILES[path] = ForeignFiles(path=path)  # what it opened before it was edited is of another time
    watch(files, [path])
    with _folder_on_path(path.parent, files):
        sys.modules[private] = module
        try:
            loader.exec_module(module)
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
def _folder_on_path(folder: Path, files: ForeignFiles) -> Iterator[None]:
    """The folder first on `sys.path`; modules it hides are set aside before, and those it brought are removed after.

    What their code opens is noted in `files`, also while they are imported.
    """
    owned = {item.stem for item in folder.glob("*.py")} | {item.name for item in folder.iterdir() if item.is_dir()}

    def take_out() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in owned]
        return {name: sys.modules.pop(name) for name in names}

    owned -= sys.stdlib_module_names | {"hil", "torch", "numpy"}
    aside = take_out()
    finder = _Finder(folder, files)
    usual = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(usual, finder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.meta_path.remove(finder)
        take_out()
        sys.modules.update(aside)


class _Finder(MetaPathFinder):
    """Finds modules as Python does, and notes those of a folder before they run."""

    def __init__(self, folder: Path, files: ForeignFiles) -> None:
        self._folder, self._files = folder, files

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's spec, by the usual way."""
        found = PathFinder.find_spec(name, path, target)
        origin = Path(found.origin) if found is not None and found.has_location and found.origin else None
        if origin is not None and origin.is_relative_to(self._folder):
            watch(self._files, [origin])
        return found
