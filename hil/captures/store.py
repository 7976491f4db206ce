"""The file of a capture, open for reading: its tree in today's format, and what can go wrong when something of it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures.derived import Tree
from hil.captures.journal import JournaledFile, has_pending_journal
from hil.captures.schema import VERSION_ATTRIBUTE
from hil.captures.upgrade import upgrade
from hil.errors import CaptureError, CaptureFormatError

__all__ = ["Store"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"

T = TypeVar("T", dict[str, Any], list[Any])


class Store:
    """An open file; made by `Store.open`. Everything read from it is checked against its checksums by HDF5.

    Attributes:
        path: of the file.
        file_version: of its format, before upgrades.
        tree: the whole of it in today's format.
    """

    def __init__(self, path: Path, h5: Any, file: JournaledFile | None) -> None:
        self.path = path
        self._h5 = h5
        self._file = file
        found = _tree(h5)
        self.tree: Tree = upgrade(found, path)
        self.file_version = int(found["@" + VERSION_ATTRIBUTE])

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a capture of this or an older version.

        Raises:
            CaptureFormatError: no such file, not HDF5, truncated, or something of a capture is missing.
            UnsupportedVersionError: written by a newer hil.
        """
        file = h5 = None
        try:
            with path.open("rb") as raw:
                head = raw.read(520)
            if _SIGNATURE not in (head[:8], head[512:520]):
                size = path.stat().st_size
                raise CaptureFormatError(f"{path} is not a capture: it is not HDF5, or cut off at its beginning ({size} bytes)")
            file = JournaledFile(path) if has_pending_journal(path) else None
            h5 = h5py.File(file if file is not None else path, "r")
            return cls(path, h5, file)
        except FileNotFoundError as err:
            raise CaptureFormatError(f"no such capture: {path}") from err
        except BaseException as err:
            if h5 is not None:
                h5.close()
            if file is not None:
                file.close()
            if isinstance(err, OSError | RuntimeError | KeyError | ValueError):
                raise CaptureFormatError(f"{path} is damaged or truncated, take another copy: {err}") from err
            raise

    def entry(self, tree: Tree, name: str, where: str) -> Any:
        """A member of a group.

        Raises:
            CaptureFormatError: it is missing.
        """
        if name not in tree:
            raise CaptureFormatError(f"{self.path}: '{where}' is missing; the file is damaged or no capture")
        return tree[name]

    def load(self, dataset: Any, where: str, selection: Any = ()) -> NDArray[Any]:
        """Read from a dataset.

        Raises:
            CaptureFormatError: its checksum is wrong, or it makes no sense.
            CaptureError: the file is closed.
        """
        if self._h5 is not None and not self._h5:
            raise CaptureError(f"{self.path} is closed; read '{where}' before")
        try:
            return np.asarray(dataset[selection])
        except (OSError, RuntimeError, ValueError, LookupError, TypeError) as err:
            raise CaptureFormatError(f"{self.path}: '{where}' is damaged ({err}); take another copy of the file") from err

    def json(self, tree: Tree, name: str, where: str, kind: type[T]) -> T:
        """A JSON text that holds an object (`dict`) or a list.

        Raises:
            CaptureFormatError: it is missing, damaged, no JSON, or holds something else.
        """
        data = self.load(self.entry(tree, name, where), where)
        try:
            value = json.loads(bytes(data.reshape(-1)[0]).decode("utf-8"))
        except (ValueError, IndexError, TypeError) as err:
            raise CaptureFormatError(f"{self.path}: '{where}' is no valid JSON: {err}") from err
        if not isinstance(value, kind):
            wanted = "object" if kind is dict else "list"
            raise CaptureFormatError(f"{self.path}: '{where}' must be a JSON {wanted}, not {type(value).__name__}")
        return value

    def names(self, tree: Tree, name: str, where: str) -> tuple[str, ...]:
        """A JSON list of names, each given once.

        Raises:
            CaptureFormatError: something else.
        """
        found = self.json(tree, name, where, list)
        if not found or not all(isinstance(item, str) for item in found) or len(set(found)) != len(found):
            raise CaptureFormatError(f"{self.path}: '{where}' must list names, each once, not {found!r:.80}")
        return tuple(found)

    def close(self) -> None:
        """Close the file."""
        if self._h5:
            self._h5.close()
        if self._file is not None:
            self._file.close()


def _tree(group: Any) -> Tree:
    tree: Tree = {f"@{name}": value for name, value in group.attrs.items()}
    for name in group:
        member = group[name]
        tree[name] = _tree(member) if isinstance(member, h5py.Group) else member
    return tree
