"""Arrays on their way through SoapySDR's Python binding, which looks neither at type nor at length: this does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import RadioError, ShapeError

__all__ = ["choose_format", "stream_rows"]

_DTYPES = {"CS16": (np.dtype(np.int16), 2), "CF32": (np.dtype(np.complex64), 1)}


def stream_rows(rows: Sequence[NDArray[Any]], form: str, n: int, *, written: bool) -> list[NDArray[Any]]:
    """The buffers of one `readStream` or `writeStream` of n samples, sure to be what the library takes them for.

    Args:
        rows: one array per channel of the stream: int16 [m, 2] for "CS16", complex64 [m] for "CF32"; m ≥ n.
        form: of the stream.
        n: samples that the library may touch.
        written: whether it writes into them.

    Raises:
        ShapeError: anything else, which would be silent damage to memory.
    """
    dtype, width = _DTYPES[form]
    for row in rows:
        shaped = row.ndim == width and (width == 1 or row.shape[1] == 2)
        if row.dtype != dtype or not row.flags.c_contiguous or not shaped or len(row) < n or n < 1:
            raise ShapeError(
                f"a {form} buffer for {n} samples must be contiguous {dtype} with at least as many, "
                f"not {row.dtype} {list(row.shape)}"
            )
        if written and not row.flags.writeable:
            raise ShapeError("a receive buffer must be writeable")
    return list(rows)


def choose_format(name: str, formats: Sequence[str]) -> str:
    """The stream format to use: the converter's integers where the driver has them.

    Raises:
        RadioError: neither integers nor floats.
    """
    for form in _DTYPES:
        if form in formats:
            return form
    raise RadioError(f"radio '{name}': its stream formats {', '.join(formats)} are not usable; CS16 or CF32 is needed")
