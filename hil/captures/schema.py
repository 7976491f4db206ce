"""Names, dtypes and codes of capture version 1; docs/capture-format.md describes them one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hil.errors import ShapeError

__all__ = [
    "BURSTS",
    "COMMITTED",
    "EVENTS",
    "LEDGER",
    "SAMPLE_ROWS_PER_CHUNK",
    "TABLE_ROWS_PER_CHUNK",
    "TRANSMITTERS",
    "VERSION",
    "VERSION_ATTRIBUTE",
    "FrameKind",
    "FrameStatus",
    "json_text",
    "sha256_array",
    "table_rows",
]

VERSION = 1
VERSION_ATTRIBUTE = "hil_capture_version"
SAMPLE_ROWS_PER_CHUNK = 16_384  # 64 KiB: what is written again at most when a burst ends inside a chunk
TABLE_ROWS_PER_CHUNK = 128
TRANSMITTERS = 4  # columns a ledger row has for quantities that every transmitter has


class FrameKind(IntEnum):
    """What a burst or a frame was sent for."""

    FRAME = 0
    SOUNDING = 1
    CALIBRATION = 2


class FrameStatus(IntEnum):
    """What became of a frame. Every frame ever sent has one of these."""

    SENT = 0  # nothing else is known
    SCORED = 1  # received and used in the result
    LOST = 2  # not detected, or its header was wrong
    GATED = 3  # received, but refused by a quality gate
    LATE = 4  # its transmitter said that it did not go out whole and in time
    OVERFLOW = 5  # samples of it are missing
    CLIPPED = 6  # a converter clipped, and the plan refuses clipped frames
    DECODED = 7  # received, but not for scoring: sounding, calibration


COMMITTED = np.dtype([("samples", "<i8"), ("bursts", "<i8"), ("frame_numbers", "<i8"), ("frames", "<i8"), ("events", "<i8")])

BURSTS = np.dtype(
    [
        ("point", "<i4"),
        ("kind", "u1"),  # FrameKind
        ("start", "<i8"),  # absolute sample index of the receiving device
        ("offset", "<i8"),  # first row in /samples
        ("count", "<i8"),  # rows in /samples
        ("first_number", "<i8"),  # first row in /frame_numbers
        ("numbers", "<i4"),  # rows in /frame_numbers
        ("crc32", "<u4"),  # CRC-32 of the burst's samples, little-endian
    ]
)

LEDGER = np.dtype(
    [
        ("point", "<i4"),
        ("burst", "<i4"),
        ("frame", "<i8"),
        ("kind", "u1"),  # FrameKind
        ("status", "u1"),  # FrameStatus
        ("sent", "?"),
        ("detected", "?"),
        ("start", "<i8"),  # absolute sample index where the receiver found the frame, -1 if it did not
        ("snr_db", "<f4", (TRANSMITTERS,)),  # nan where there is no such transmitter or no measurement
        ("cfo_hz", "<f4", (TRANSMITTERS,)),
        ("delay_samples", "<f4", (TRANSMITTERS,)),
        ("evm_db", "<f4"),
        ("snr_eff_db", "<f4"),
        ("metric", "<f4"),  # of the detector
        ("clipped", "<i4"),  # samples at full scale
        ("late", "<i4"),  # events of the radios inside this frame
        ("underflow", "<i4"),
        ("overflow", "<i4"),
    ]
)
_LEDGER_DEFAULTS = {"point": -1, "burst": -1, "frame": -1, "start": -1, "sent": True}

EVENTS = np.dtype(
    [
        ("point", "<i4"),
        ("burst", "<i4"),
        ("kind", "S16"),  # overflow, underflow, late, gap, clip; of a failed burst timeout, unlock, disconnect, failure
        ("radio", "S32"),
        ("channel", "<i4"),
        ("sample", "<i8"),  # absolute sample index, -1 if the radio does not say
        ("count", "<i8"),  # samples lost or clipped, where known
        ("detail", "S128"),
    ]
)
_EVENT_DEFAULTS = {"point": -1, "burst": -1, "channel": -1, "sample": -1}

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


def table_rows(dtype: np.dtype[Any], rows: Sequence[Mapping[str, Any]], **fixed: int) -> NDArray[Any]:
    """Rows of the ledger or of the events from dictionaries; missing fields take the format's defaults.

    Args:
        dtype: `LEDGER` or `EVENTS`.
        rows: one mapping a row; a field with a value per transmitter takes up to 4 values or one.
        fixed: fields that are the same in all rows.

    Returns:
        structured array [row].

    Raises:
        ShapeError: an unknown field, or a value that does not fit one.
    """
    defaults = _LEDGER_DEFAULTS if dtype == LEDGER else _EVENT_DEFAULTS
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
            return str(value).encode("utf-8")[: dtype.itemsize].decode("utf-8", "ignore").encode("utf-8")
        if dtype.subdtype is None:
            return dtype.type(value)
        given = np.atleast_1d(np.asarray(value, np.float32))
        if given.ndim != 1 or len(given) > dtype.shape[0]:
            raise ValueError(f"at most {dtype.shape[0]} values")
        return np.concatenate([given, np.full(dtype.shape[0] - len(given), np.nan, np.float32)])
    except (TypeError, ValueError, OverflowError) as err:
        raise ShapeError(f"field {name!r} of row {index} cannot hold {value!r}: {err}") from err


def json_text(value: Any, what: str) -> str:
    """JSON of dictionaries, lists, numbers, text, paths, and of numpy's numbers and arrays.

    Raises:
        ShapeError: something else is inside.
    """
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError) as err:
        raise ShapeError(f"{what} must be plain data that JSON can hold: {err}") from err


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
