"""Which files a third party's code opens: its weights, tables and settings are part of a result, and no argument names them.

A file belongs to the code that is on the stack when it is opened, at import, in a constructor, or at the first call. Python's
own audit event tells of everything that is opened through Python. Libraries that open files by themselves (safetensors, HDF5,
TorchScript) are asked by name. What other native code opens, or another process, is not seen.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["ForeignFiles", "watch"]

_WEIGHTS = frozenset((".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".npy", ".npz", ".h5", ".hdf5", ".pkl", ".bin", ".mat"))
_NOWHERE = ("/proc/", "/sys/", "/dev/")
_INSTALLED = tuple(
    {f"{place}{os.sep}" for place in (*sysconfig.get_paths().values(), str(Path(__file__).parent))}
    | {"/usr/", "/etc/", "/lib/"}
)
"""Libraries and the system: of these, weights alone depend on more than the versions that provenance has."""


@dataclass(kw_only=True)
class ForeignFiles:
    """What one foreign file brought with it.

    Attributes:
        path: of the file.
        code: it and the modules from its folder that it imported.
        opened: files that this code read, in the order in which it first did.
        made: files and temporary folders that it wrote itself, whose content follows from the rest.
    """

    path: Path
    code: dict[Path, None] = field(default_factory=dict)
    opened: dict[Path, None] = field(default_factory=dict)
    made: set[Path] = field(default_factory=set)


class _Watch:
    """Audit hooks last as long as the process, so there is one for all foreign code."""

    def __init__(self) -> None:
        self.owners: dict[str, ForeignFiles] = {}
        self._listening = False

    def add(self, files: ForeignFiles, code: Iterable[Path]) -> None:
        for path in code:
            files.code[path] = None
            self.owners[str(path)] = files
        if not self._listening:
            sys.addaudithook(self._heard)
            self._listening = True
        self._ask_libraries()

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        with suppress(Exception):  # an error here would be one of whoever opens a file
            if event == "open":
                path, mode, flags = args
                if isinstance(path, str | bytes | os.PathLike):
                    for_reading = not set(mode) & set("wax+") if mode else not flags & (os.O_WRONLY | os.O_RDWR)
                    self._note(path, for_reading, sys._getframe(1))
            elif event == "tempfile.mkdtemp":
                self._note(args[0], False, sys._getframe(1))

    def _note(self, given: str | bytes | os.PathLike[Any], for_reading: bool, frame: FrameType | None) -> None:
        path = Path(os.path.normpath(Path(os.fsdecode(given)).absolute()))
        installed = str(path).startswith(_INSTALLED) and path.suffix.lower() not in _WEIGHTS
        if installed or str(path).startswith(_NOWHERE):
            return
        owner = self._owner(frame)
        if owner is None:
            return
        if not for_reading:
            owner.made.add(path)
        elif not owner.made.intersection((path, *path.parents)):
            owner.opened[path] = None

    def _owner(self, frame: FrameType | None) -> ForeignFiles | None:
        """Whose code is on the stack; an import's own reading is nobody's: modules are known as such."""
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return None
            if name in self.owners:
                return self.owners[name]
            frame = frame.f_back
        return None

    def _ask_libraries(self) -> None:
        for module_name, name in (("safetensors", "safe_open"), ("safetensors.torch", "safe_open"), ("torch.jit", "load")):
            module = sys.modules.get(module_name)
            if module is not None and not hasattr(getattr(module, name), "hil_watched"):
                setattr(module, name, self._asked(getattr(module, name)))
        hdf5 = sys.modules.get("h5py")
        if hdf5 is not None and not hasattr(hdf5.File.__init__, "hil_watched"):
            hdf5.File.__init__ = self._asked(hdf5.File.__init__)

    def _asked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose path is noted: its first argument, or the one after `self`."""

        @functools.wraps(function)
        def noted(*args: Any, **options: Any) -> Any:
            with suppress(Exception):
                values = [*args[:2], *(options.get(key) for key in ("filename", "f", "name"))]
                path = next(value for value in values if isinstance(value, str | bytes | os.PathLike))
                mode = options.get("mode") or next((value for value in args[2:3] if isinstance(value, str)), "r")
                self._note(path, mode == "r" or function.__name__ != "__init__", sys._getframe(1))
            return function(*args, **options)

        noted.hil_watched = True  # type: ignore[attr-defined]
        return noted


_WATCH = _Watch()


def watch(files: ForeignFiles, code: Iterable[Path]) -> None:
    """Note from now on what the code in these files opens."""
    _WATCH.add(files, code)
