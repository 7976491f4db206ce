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

from hil.errors import CaptureError, ShapeError
from hil.files import replace_file

__all__ = ["read_symbols", "write_received"]


def read_symbols(path: Path) -> NDArray[np.complex64]:
    """Read complex symbols [tx, task, use] from a ``.npy`` file, or from the dataset ``symbols`` of an ``.h5`` file.

    Raises:
        CaptureError: no such file, another kind of file, or no such dataset.
        ShapeError: not complex [tx, task, use], or a value that is not finite.
    """
    try:
        if path.suffix == ".npy":
            symbols = np.load(path, allow_pickle=False)
        elif path.suffix in (".h5", ".hdf5"):
            with h5py.File(path, "r") as file:
                if "symbols" not in file:
                    raise CaptureError(f"{path} has no dataset 'symbols'; it has {', '.join(file) or 'nothing'}")
                symbols = np.asarray(file["symbols"])
        else:
            raise CaptureError(f"{path}: symbols come as .npy, or as .h5 with a dataset 'symbols', not '{path.suffix}'")
    except FileNotFoundError as err:
        raise CaptureError(f"no such file: {path}") from err
    except (OSError, ValueError, EOFError) as err:
        raise CaptureError(f"cannot read {path}: {err}") from err
    if symbols.ndim != 3 or not np.iscomplexobj(symbols) or not symbols.size:
        raise ShapeError(f"{path}: symbols must be complex [tx, task, use], not {symbols.dtype} {list(symbols.shape)}")
    if not np.isfinite(symbols).all():
        raise ShapeError(f"{path}: symbols must be finite; {int((~np.isfinite(symbols)).sum())} are not")
    return np.asarray(symbols, np.complex64)


def write_received(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write what was received: one dataset an array, and `about` as JSON in the attribute ``about``. Whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    buffer = io.BytesIO()  # not the disk: HDF5 loses its way when that refuses
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
        file.attrs["about"] = json.dumps(dict(about))
    replace_file(path, buffer.getvalue())
