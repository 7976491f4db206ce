"""MATLAB's files, in and out: version 5 (by scipy, the extra `mat`; GNU Octave reads and writes it) and 7.3 (HDF5).

In 7.3 MATLAB stores arrays column by column, so that HDF5 shows their dimensions reversed, and complex numbers as compounds of
`real` and `imag`. Source: MAT-File Format, MathWorks.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.errors import CaptureError, DriverMissingError, ShapeError
from hil.files import replace_file

__all__ = ["check_mat", "read_mat", "write_mat"]

_HEAD = 512
_CLASSES = {
    "f8": "double", "f4": "single", "c16": "double", "c8": "single", "b1": "logical", "i1": "int8", "i2": "int16",
    "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64",
}  # fmt: skip
OCTAVES_OWN = (b"\x89HDF", b"# Created", b"Octave-1")
"""How files begin that it saves with -hdf5, as text (its default) and with -binary."""
MOST_BYTES_V5 = 2**31 - 1


def read_mat(path: Path) -> NDArray[Any]:
    """The variable ``symbols`` of a ``.mat`` file, or the only one it has: [tx, task, use], or [task, use] of one transmitter.

    Raises:
        DriverMissingError: version 5, and scipy is not installed.
        CaptureError: no such variable, or one of Octave's own formats.
    """
    with path.open("rb") as file:
        head = file.read(10)
    if head.startswith(OCTAVES_OWN):
        raise CaptureError(f"{path} has a format of Octave's own; save it for MATLAB: save -v7 {path.name} symbols")
    found = _read_73(path) if head == b"MATLAB 7.3" else _read_5(path)
    return found[None] if found.ndim == 2 else found


def write_mat(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], *, version: str = "5") -> None:
    """Write arrays as variables, ``/`` and ``-`` in their names as ``_``, and `about` as JSON text. Whole or not at all.

    Args:
        path: the file.
        arrays: by name.
        about: plain data.
        version: ``5`` or ``7.3``.

    Raises:
        DriverMissingError: version 5, and scipy is not installed.
        ShapeError: an array is too large for version 5.
        OutputError: the file cannot be written.
    """
    named = {name.replace("/", "_").replace("-", "_"): np.asarray(array) for name, array in arrays.items()}
    text = json.dumps(dict(about))
    replace_file(path, _bytes_73(named, text) if version == "7.3" else _bytes_5(named, text))


def check_mat(version: str) -> None:
    """Refuse a version that cannot be written here.

    Raises:
        DriverMissingError: version 5, and scipy is not installed.
    """
    if version == "5":
        _scipy()


def _scipy() -> Any:
    try:
        import scipy.io
    except ImportError as err:
        raise DriverMissingError(
            "a .mat file of version 5 needs the package scipy: pip install 'hil[mat]'; or use version 7.3 "
            "(MATLAB: save -v7.3; hil: --mat 7.3)"
        ) from err
    return scipy.io


def _only(names: list[str], path: Path) -> str:
    if "symbols" in names:
        return "symbols"
    if len(names) != 1:
        raise CaptureError(f"{path} has no variable 'symbols'; it has {', '.join(sorted(names)) or 'nothing'}")
    return names[0]


def _read_5(path: Path) -> NDArray[Any]:
    names = [name for name, *_ in _scipy().whosmat(str(path))]
    wanted = _only(names, path)
    return np.asarray(_scipy().loadmat(str(path), variable_names=[wanted])[wanted])


def _read_73(path: Path) -> NDArray[Any]:
    with h5py.File(path, "r") as file:
        found = file[_only([name for name in file if not name.startswith("#")], path)]
        if not isinstance(found, h5py.Dataset) or "MATLAB_empty" in found.attrs:
            raise CaptureError(f"{path}: '{found.name[1:]}' is no array with something in it")
        return np.asarray(found[()]).T


def _bytes_5(arrays: Mapping[str, NDArray[Any]], text: str) -> bytes:
    for name, array in arrays.items():
        if array.nbytes > MOST_BYTES_V5:
            raise ShapeError(f"'{name}' has {array.nbytes:,} bytes, more than a .mat file of version 5 holds; use --mat 7.3")
    buffer = io.BytesIO()
    _scipy().savemat(buffer, {**arrays, "about": text})
    return buffer.getvalue()


def _bytes_73(arrays: Mapping[str, NDArray[Any]], text: str) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=_HEAD) as file:
        for name, array in arrays.items():
            _put(file, name, array)
        letters = file.create_dataset("about", data=np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None])
        letters.attrs["MATLAB_class"] = np.bytes_("char")
        letters.attrs["MATLAB_int_decode"] = np.int32(2)
    whole = buffer.getvalue()
    title = b"MATLAB 7.3 MAT-file, Platform: hil, HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM"
    return title.ljust(_HEAD, b"\0") + whole[_HEAD:]


def _put(file: Any, name: str, array: NDArray[Any]) -> None:
    """One variable, of at least two dimensions, as everything in MATLAB."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    array = np.atleast_2d(array).T
    if array.dtype.kind == "c":
        part = array.real.dtype
        pairs = np.empty(array.shape, [("real", part), ("imag", part)])
        pairs["real"], pairs["imag"] = array.real, array.imag
        array = pairs
    stored = file.create_dataset(name, data=array.astype(np.uint8) if kind == "b1" else array)
    stored.attrs["MATLAB_class"] = np.bytes_(_CLASSES[kind])
    if kind == "b1":
        stored.attrs["MATLAB_int_decode"] = np.int32(1)
