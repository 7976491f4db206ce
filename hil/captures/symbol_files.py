"""A stranger's symbols in, what was received of them out: the files of `hil send`."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures.mat_files import read_mat, write_mat
from hil.errors import CaptureError, HilError, ShapeError
from hil.files import replace_file

__all__ = ["expect_symbols", "read_symbols", "write_received"]

MOST_SYMBOLS = 2**28
_PARTS = (("r", "i"), ("re", "im"), ("real", "imag"))
"""Names that a compound type has for the parts of a complex number."""


def read_symbols(path: Path) -> NDArray[np.complex128]:
    """Read complex symbols [tx, task, use] from a ``.npy`` file, or from ``symbols`` in an ``.h5`` or a ``.mat`` file.

    Raises:
        CaptureError: no such file, another kind of file, or no such dataset.
        ShapeError: not complex [tx, task, use], or a value that is not finite.
    """
    try:
        if not path.exists():
            raise CaptureError(f"no such file: {path}")
        if not path.is_file():
            raise CaptureError(f"{path} is {'a folder' if path.is_dir() else 'no plain file'}; name a .npy, .h5 or .mat file")
        if path.suffix.lower() == ".npy":
            return expect_symbols(_read_npy(path), str(path))
        if path.suffix.lower() == ".mat":
            return expect_symbols(read_mat(path), str(path))
        if path.suffix.lower() in (".h5", ".hdf5"):
            return expect_symbols(_read_h5(path), str(path))
    except HilError:
        raise
    except Exception as err:  # whatever numpy and HDF5 raise at other bytes
        raise CaptureError(f"cannot read {path}: {' '.join(str(err).split())[:200] or type(err).__name__}") from err
    raise CaptureError(f"{path}: symbols come as .npy, or as .h5 or .mat with 'symbols' in it, not '{path.suffix}'")


def _read_npy(path: Path) -> NDArray[Any]:
    found = np.load(path, mmap_mode="r", allow_pickle=False)  # a map: the file must be as long as its head says
    if not isinstance(found, np.ndarray):
        raise CaptureError(f"{path} is an .npz archive; save the array alone, with numpy.save")
    return found


def _read_h5(path: Path) -> NDArray[Any]:
    with h5py.File(path, "r") as file:
        found = file.get("symbols")
        if found is None:
            if "symbols" in list(file):
                raise CaptureError(f"{path}: 'symbols' is a link that leads nowhere; store the dataset itself")
            raise CaptureError(f"{path} has no dataset 'symbols'; it has {', '.join(file) or 'nothing'}")
        if not isinstance(found, h5py.Dataset):
            inside = f"; it has {', '.join(found) or 'nothing'}" if isinstance(found, h5py.Group) else ""
            raise CaptureError(f"{path}: 'symbols' is a {type(found).__name__.lower()}, not a dataset{inside}")
        if found.shape is None:
            raise ShapeError(f"{path}: 'symbols' is an empty (null) dataset; symbols must be complex [tx, task, use]")
        _check_shape(found.shape, found.dtype, str(path))
        return np.asarray(found[()])


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> None:
    """Refuse what cannot be symbols before it is read.

    Raises:
        ShapeError: naming why.
    """
    size = int(np.prod([int(length) for length in shape], dtype=object))
    if len(shape) != 3 or not size or (dtype.kind != "c" and _parts(dtype) is None):
        hint = "; real ones are made complex by symbols + 0j" if dtype.kind in "fiu" and len(shape) == 3 and size else ""
        raise ShapeError(f"{source}: symbols must be finite, complex [tx, task, use], not {dtype} {list(shape)}{hint}")
    if size > MOST_SYMBOLS:
        raise ShapeError(f"{source}: {size:,} symbols are more than {MOST_SYMBOLS:,}; send them in parts")


def _parts(dtype: np.dtype[Any]) -> tuple[str, str] | None:
    """Names of the real and the imaginary part in a compound type; None for any other."""
    names = dtype.names or ()
    for real, imaginary in _PARTS:
        lower = {name.lower(): name for name in names}
        if set(lower) == {real, imaginary} and len(names) == 2:
            found = lower[real], lower[imaginary]
            return found if all(dtype[name].kind in "fiu" and dtype[name].shape == () for name in found) else None
    return None


def expect_symbols(symbols: Any, source: str) -> NDArray[np.complex128]:
    """What can be sent: complex of any width and byte order, or a compound of a real and an imaginary part.

    Args:
        symbols: array [tx, task, use].
        source: of it, for messages.

    Returns:
        complex128 [tx, task, use], finite, C-contiguous.

    Raises:
        ShapeError: something else.
    """
    if isinstance(symbols, np.ma.MaskedArray) and np.any(symbols.mask):
        raise ShapeError(f"{source}: symbols must be complete, and this array is masked in places; fill it first")
    try:
        array = np.asarray(symbols)
    except (ValueError, TypeError, RuntimeError) as err:
        raise ShapeError(f"{source}: symbols must be a complex array [tx, task, use]: {err}") from err
    _check_shape(array.shape, array.dtype, source)
    parts = _parts(array.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large for float64 is infinite, and told below
        if parts is not None:
            array = array[parts[0]].astype(np.float64) + 1j * array[parts[1]].astype(np.float64)
        values = np.ascontiguousarray(array, np.complex128)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ShapeError(
            f"{source}: symbols must be finite, complex [tx, task, use]; {bad:,} of {values.size:,} are not finite"
        )
    return values


def write_received(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], *, mat: str = "5") -> None:
    """Write what was received: one dataset an array, and `about` as JSON in the attribute ``about``. Whole or not at all.

    A ``.mat`` has variables instead, and is of version `mat` (`hil.captures.mat_files.write_mat`).

    Raises:
        OutputError: the file cannot be written.
        DriverMissingError: a package is missing for a ``.mat``.
    """
    if path.suffix.lower() == ".mat":
        write_mat(path, arrays, about, version=mat)
        return
    buffer = io.BytesIO()  # not the disk: HDF5 loses its way when that refuses
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
        file.attrs["about"] = json.dumps(dict(about))
    replace_file(path, buffer.getvalue())
