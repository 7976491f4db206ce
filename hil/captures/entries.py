"""What a point and a burst put into a capture, checked before anything is written."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.hdf5 import check_arrays
from hil.captures.rows import check_names, code, event_rows, json_text, ledger_rows
from hil.errors import ShapeError

__all__ = ["TX_TASK_ARRAYS", "BurstKind", "CaptureShape", "HeardSamples", "PointEntry", "burst_rows", "point_entry"]

BurstKind = Literal["frame", "sounding", "calibration"]
TX_TASK_ARRAYS = {"fade": np.dtype(np.complex64), "length": np.dtype(np.int64)}  # of `extra`, both [tx, task]


class HeardSamples(Protocol):
    """What one receiver heard of a burst: any object with these two, such as `hil.radios` returns."""

    @property
    def samples(self) -> NDArray[np.int16]:
        """Raw I/Q as received, int16 [n, 2]."""

    @property
    def start(self) -> int:
        """Absolute sample index of the receiving device of the first one."""


@dataclass(frozen=True, kw_only=True)
class CaptureShape:
    """What is fixed for a whole capture.

    Attributes:
        receivers: names, in the bench's order.
        transmitters: values that a ledger row has for what every transmitter has.
        flags: names of the bits of the ledger's `flags`, from bit 0 on.

    Raises:
        ShapeError: no receiver or no transmitter, or more flags than bits.
    """

    receivers: tuple[str, ...]
    transmitters: int
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.receivers or self.transmitters < 1:
            raise ShapeError(f"a capture needs a receiver and a transmitter, not {len(self.receivers)} and {self.transmitters}")
        if len(self.flags) > schema.FLAG_BITS:
            raise ShapeError(f"flags must be at most {schema.FLAG_BITS} names, not {len(self.flags)}")


@dataclass(frozen=True, kw_only=True)
class PointEntry:
    """A point as it is stored before its first burst.

    Attributes:
        receivers: who listens, in the order of what is stored of them.
        texts: name -> JSON; symbols: complex64 [tx, task, use]; folders: name of a group -> its arrays.
    """

    receivers: tuple[str, ...]
    texts: Mapping[str, str]
    symbols: NDArray[np.complex64]
    folders: Mapping[str, Mapping[str, NDArray[Any]]]

    @property
    def received_shape(self) -> tuple[int, ...]:
        """Shape of the received symbols: [receiver, task, use]."""
        return (len(self.receivers), *self.symbols.shape[1:])


def point_entry(
    shape: CaptureShape,
    *,
    attrs: Mapping[str, Any],
    symbols: NDArray[np.complex64],
    receivers: Sequence[str] | None,
    folders: Mapping[str, Mapping[str, NDArray[Any]]],
) -> PointEntry:
    """Check what `CaptureWriter.add_point` was given.

    Raises:
        ShapeError: an array of another shape or dtype, or a receiver that the capture does not have.
    """
    symbols = np.asarray(symbols)
    if symbols.ndim != 3 or symbols.dtype != np.complex64 or len(symbols) > shape.transmitters:
        raise ShapeError(
            f"symbols must be complex64 [tx, task, use] with at most {shape.transmitters} transmitters, "
            f"not {symbols.dtype} {list(symbols.shape)}"
        )
    names = check_names(shape.receivers if receivers is None else receivers, "receivers")
    if not names or not set(names) <= set(shape.receivers):
        raise ShapeError(f"receivers must be some of {', '.join(shape.receivers)}, not {list(names)}")
    arrays = {key: check_arrays(content) for key, content in folders.items()}
    _check_labels(arrays["labels"], symbols.shape[1])
    _check_side(arrays["side"], symbols.shape[1])
    _check_extra(arrays["extra"], symbols.shape[:2])
    texts = {"attrs": json_text(dict(attrs), "attrs"), "receivers": json_text(names, "receivers")}
    return PointEntry(receivers=names, texts=texts, symbols=symbols, folders=arrays)


def _check_labels(labels: Mapping[str, NDArray[Any]], tasks: int) -> None:
    for name, array in labels.items():
        if array.shape != (tasks,) or array.dtype.kind not in "iu":
            raise ShapeError(f"label {name!r} must be integers [{tasks}], not {array.dtype} {list(array.shape)}")


def _check_side(side: Mapping[str, NDArray[Any]], tasks: int) -> None:
    for name, array in side.items():
        if array.shape[:1] != (tasks,):
            raise ShapeError(f"side {name!r} must be [task, …] with {tasks} tasks, not {list(array.shape)}")


def _check_extra(extra: Mapping[str, NDArray[Any]], tx_task: tuple[int, ...]) -> None:
    for name, dtype in TX_TASK_ARRAYS.items():
        if name in extra and (extra[name].shape != tx_task or extra[name].dtype != dtype):
            given = f"{extra[name].dtype} {list(extra[name].shape)}"
            raise ShapeError(f"extra {name!r} must be {dtype} [tx, task] = {list(tx_task)}, not {given}")


def burst_rows(
    shape: CaptureShape,
    heard: Mapping[str, HeardSamples],
    *,
    point: int,
    receivers: Sequence[str],
    exchange: int,
    before: Any,
    kind: BurstKind | schema.FrameKind,
    frame_numbers: Sequence[int] | NDArray[Any],
    ledger: Mapping[str, Sequence[Mapping[str, Any]]],
    events: Sequence[Mapping[str, Any]],
    sent_at: Mapping[str, int | None],
) -> dict[str, NDArray[Any]]:
    """What `CaptureWriter.append_burst` appends: dataset -> rows.

    Args:
        shape: of the capture.
        heard: as there, and so are kind, frame_numbers, ledger, events and sent_at.
        point: index of the point; receivers: its receivers.
        exchange: number that the burst gets.
        before: rows that each dataset has so far, a row of `schema.COMMITTED`.

    Raises:
        ShapeError: an array or a row that does not fit, a frame without its row, a receiver that does not listen.
    """
    for what, given in (("heard", heard), ("ledger", ledger), ("sent_at", sent_at)):
        if strangers := [name for name in given if name not in receivers]:
            raise ShapeError(f"{what} names receiver {strangers[0]!r}; point {point} has {', '.join(receivers)}")
    numbers = np.asarray(frame_numbers, "<i8").reshape(-1)
    member = code(schema.FrameKind, kind, "kind")
    samples = [_samples(name, heard.get(name), explained=bool(events)) for name in receivers]
    bursts = np.zeros(len(receivers), schema.BURSTS)
    bursts["point"], bursts["exchange"], bursts["kind"] = point, exchange, member
    bursts["receiver"] = [shape.receivers.index(name) for name in receivers]
    bursts["start"] = [heard[name].start if len(part) else -1 for name, part in zip(receivers, samples, strict=True)]
    bursts["sent_at"] = [-1 if (at := sent_at.get(name)) is None else at for name in receivers]
    bursts["count"] = [len(part) for part in samples]
    bursts["offset"] = int(before["samples"]) + np.cumsum([0, *bursts["count"][:-1]])
    bursts["first_number"], bursts["numbers"] = before["frame_numbers"], len(numbers)
    bursts["crc32"] = [zlib.crc32(part.data) for part in samples]
    rows = []
    for index, name in enumerate(receivers):
        own = ledger.get(name, ())
        if len(own) != len(numbers):
            raise ShapeError(f"every frame sent needs its ledger row: {len(numbers)} frames, {len(own)} rows of {name!r}")
        full = [{"kind": member, "frame": int(number), **row} for number, row in zip(numbers, own, strict=True)]
        fixed = {"point": point, "burst": int(before["bursts"]) + index, "receiver": int(bursts["receiver"][index])}
        rows.append(ledger_rows(full, transmitters=shape.transmitters, flags=shape.flags, **fixed))
    return {
        "samples": np.concatenate(samples),
        "bursts": bursts,
        "frame_numbers": numbers,
        "ledger": np.concatenate(rows),
        "events": event_rows(events, point=point, exchange=exchange),
    }


def _samples(receiver: str, heard: HeardSamples | None, *, explained: bool) -> NDArray[np.int16]:
    samples = np.zeros((0, 2), np.int16) if heard is None else np.asarray(heard.samples)
    if samples.ndim != 2 or samples.shape[1] != 2 or samples.dtype != np.int16 or not (len(samples) or explained):
        raise ShapeError(
            f"samples of receiver {receiver!r} must be int16 [n, 2], with n ≥ 1 unless an event says why, "
            f"not {samples.dtype} {list(samples.shape)}"
        )
    return np.ascontiguousarray(samples, "<i2")
