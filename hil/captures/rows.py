"""Plain values -> what a capture stores: rows of its tables, JSON texts, checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hil.captures.schema import EVENTS, FrameKind, FrameStatus, ledger_dtype
from hil.errors import ShapeError

__all__ = ["check_names", "code", "event_rows", "json_text", "ledger_rows", "sha256_array"]

_LEDGER_DEFAULTS = {"point": -1, "burst": -1, "receiver": -1, "frame": -1, "start": -1, "sent": True}
_EVENT_DEFAULTS = {"point": -1, "exchange": -1, "channel": -1, "sample": -1}

E = TypeVar("E", bound=IntEnum)


def code(kind: type[E], value: Any, what: str) -> E:
    """The member of `kind` that `value` names, by name in any case or by number.

    Raises:
        ShapeError: there is none; names those there are.
    """
    try:
        return kind[value.upper()] if isinstance(value, str) else kind(int(value))
    except (KeyError, ValueError, TypeError) as err:
        known = ", ".join(member.name.lower() for member in kind)
        raise ShapeError(f"{what} must be one of {known}, not {value!r}") from err


def check_names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """The names, if each is a text with something in it and none is given twice.

    Raises:
        ShapeError: otherwise.
    """
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ShapeError(f"{what} must be names, each given once, not {names!r}")
    return tuple(names)


def ledger_rows(
    rows: Sequence[Mapping[str, Any]], *, transmitters: int, flags: Sequence[str] = (), **fixed: int
) -> NDArray[Any]:
    """Rows of the ledger from dictionaries; missing fields take the format's defaults.

    Args:
        rows: one mapping a row; a field with a value per transmitter takes up to as many values as there are transmitters,
            or one; `flags` takes a number, or names of bits.
        transmitters: of the capture.
        flags: names of the bits of `flags`, from bit 0 on.
        **fixed: fields that are the same in all rows.

    Returns:
        structured array [row], dtype `ledger_dtype(transmitters)`.

    Raises:
        ShapeError: an unknown field, or a value that does not fit one.
    """
    plain = [row if "flags" not in row else {**row, "flags": _bits(row["flags"], flags)} for row in rows]
    return _table(ledger_dtype(transmitters), plain, _LEDGER_DEFAULTS, fixed)


def event_rows(rows: Sequence[Mapping[str, Any]], **fixed: int) -> NDArray[Any]:
    """Rows of the events from dictionaries, as `ledger_rows`; structured array [row], dtype `EVENTS`."""
    return _table(EVENTS, rows, _EVENT_DEFAULTS, fixed)


def _table(
    dtype: np.dtype[Any], rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], fixed: Mapping[str, int]
) -> NDArray[Any]:
    table = np.zeros(len(rows), dtype)
    names = dtype.names or ()
    for name in names:
        if dtype[name].base.kind == "f":
            table[name] = np.nan
        table[name] = fixed.get(name, defaults.get(name, table[name]))
    for index, row in enumerate(rows):
        for name, value in row.items():
            if name not in names:
                raise ShapeError(f"row {index} has an unknown field {name!r}; known are {', '.join(names)}")
            if name in fixed or value is None:
                continue
            table[name][index] = _cell(dtype[name], name, value, index)
    return table


def _cell(dtype: np.dtype[Any], name: str, value: Any, index: int) -> Any:
    if name == "status":
        return code(FrameStatus, value, "status")
    if name == "kind" and dtype.kind == "u":
        return code(FrameKind, value, "kind")
    try:
        if dtype.kind == "S":
            text = str(value).encode("utf-8", "replace")
            return text[: dtype.itemsize].decode("utf-8", "ignore").encode("utf-8")
        if dtype.kind in "iu":
            return _whole_number(dtype, value)
        if dtype.subdtype is None:
            return dtype.type(value)
        given = np.atleast_1d(np.asarray(value, np.float32))
        if given.ndim != 1 or len(given) > dtype.shape[0]:
            raise ValueError(f"at most {dtype.shape[0]} values, one a transmitter")
        return np.concatenate([given, np.full(dtype.shape[0] - len(given), np.nan, np.float32)])
    except (TypeError, ValueError, OverflowError) as err:
        raise ShapeError(f"field {name!r} of row {index} cannot hold {value!r}: {err}") from err


def _whole_number(dtype: np.dtype[Any], value: Any) -> int:
    number, limits = int(value), np.iinfo(dtype)
    if number != value or not limits.min <= number <= limits.max:
        raise ValueError(f"a whole number in {limits.min}…{limits.max}")
    return number


def _bits(value: Any, flags: Sequence[str]) -> Any:
    """The number whose bits stand for the names in `value`, or `value` if it is none of names."""
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        return value
    unknown = sorted(str(name) for name in set(value) - set(flags))
    if unknown:
        raise ShapeError(f"the ledger has no flag {unknown[0]!r}; this capture has {', '.join(flags) or 'none'}")
    return sum(1 << flags.index(name) for name in set(value))


def json_text(value: Any, what: str) -> str:
    """JSON of dictionaries, lists, numbers, text, paths, and of numpy's numbers and arrays.

    Raises:
        ShapeError: something else is inside.
    """
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False)
        text.encode("utf-8")
    except UnicodeEncodeError:  # a name of bytes that are no UTF-8, as in a path: escaped, JSON can carry it
        return json.dumps(value, default=_plain, ensure_ascii=True)
    except (TypeError, ValueError) as err:
        raise ShapeError(f"{what} must be plain data that JSON can hold: {err}") from err
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


def sha256_array(array: NDArray[Any]) -> str:
    """SHA-256, in hexadecimal, of the array's values in C order and little-endian: no shape, no dtype, only the bytes."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()
