"""Datasets as the format wants them: chunked, with checksums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError

__all__ = ["append", "check_arrays", "extendable", "write_array", "write_arrays", "write_text"]

_CHUNK_BYTES = 1 << 20


def extendable(group: Any, name: str, dtype: np.dtype[Any], chunk: tuple[int, ...]) -> None:
    """Make an empty dataset that grows along its first axis; `chunk` also gives the other axes' lengths."""
    shape, limit = (0, *chunk[1:]), (None, *chunk[1:])
    group.create_dataset(name, shape, dtype, maxshape=limit, chunks=chunk, fletcher32=True)


def append(dataset: Any, at: int, rows: NDArray[Any]) -> None:
    """Put rows at row `at`, which becomes the dataset's end but for them."""
    if len(rows):
        dataset.resize(at + len(rows), axis=0)
        dataset.write_direct(rows, dest_sel=np.s_[at : at + len(rows)])


def write_text(group: Any, name: str, text: str) -> None:
    """UTF-8 JSON as a dataset of one string: an attribute could hold 64 KiB only, and has no checksum."""
    data = text.encode("utf-8")
    dtype = h5py.string_dtype("utf-8", max(1, len(data)))
    group.create_dataset(name, data=np.array([data], dtype), dtype=dtype, chunks=(1,), fletcher32=True)


def write_array(group: Any, name: str, array: NDArray[Any]) -> None:
    """An array of any shape, in chunks of about 1 MiB along its last axes."""
    if array.size == 0 or array.ndim == 0:
        group.create_dataset(name, data=array)
        return
    chunk: list[int] = []
    room = max(1, _CHUNK_BYTES // array.dtype.itemsize)
    for length in reversed(array.shape):
        chunk.insert(0, min(length, room))
        room = max(1, room // length)
    group.create_dataset(name, data=array, chunks=tuple(chunk), fletcher32=True)


def write_arrays(group: Any, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """A group of arrays, or more in one that is there."""
    folder = group.require_group(name)
    for key, array in arrays.items():
        write_array(folder, key, array)


def check_arrays(arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays that a group is to hold.

    Raises:
        ShapeError: something that is no name of a dataset, or holds no numbers.
    """
    found = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if name in ("", ".") or name.startswith("@") or "/" in name or "\0" in name:
            raise ShapeError(f"{name!r} cannot name an array: it must be non-empty, without '/' and without '@' in front")
        if array.dtype.kind not in "biufc":
            raise ShapeError(f"array {name!r} must hold numbers, not {array.dtype}")
    return found
