"""A capture that another process is writing, looked at again and again; nothing of the file or of its writer is disturbed.

The writer's commits change the file in place (docs/decisions/0001), so that a reader beside it may meet half of one. Each look
opens the file anew, without a lock; takes note of its first page and of its counters before and after; and throws away what
it read if they changed in between, or if anything failed: the next look comes soon. Samples are held against their checksum.
"""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.journal import PAGE, JournaledFile, has_pending_journal
from hil.captures.reader import Capture
from hil.errors import CaptureError, CaptureFormatError

__all__ = ["Tail", "TailPoint"]

SETTLED_S = 2.0
"""A file that was not written to for so long before a look has not changed if its times have not."""
TRIES = 4
"""At a file that is being written, in one look."""
FAILURES = 120
"""Tries in a row that fail, after which the file itself is asked what is wrong with it."""
_ALONE = threading.Lock()
"""HDF5 hands a file that is opened twice in a process what it knows of it from the first time, which is old by then."""
_MIXED = (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, CaptureFormatError)
"""What h5py, JSON and numpy say of half a commit."""


@dataclass(frozen=True, kw_only=True)
class TailPoint:
    """A point: its name, and what was stored with it before its first burst (`PointRecord.attrs`)."""

    name: str
    attrs: dict[str, Any]


class _Growing:
    """Rows of a table, appended to without copying all of them each time."""

    def __init__(self) -> None:
        self._room: NDArray[Any] | None = None
        self.count = 0

    def append(self, rows: NDArray[Any]) -> None:
        if self._room is None or self._room.dtype != rows.dtype:
            self._room, self.count = rows.copy(), 0
        elif len(self._room) < self.count + len(rows):
            grown = np.empty(2 * (self.count + len(rows)), self._room.dtype)
            grown[: self.count] = self._room[: self.count]
            self._room = grown
        self._room[self.count : self.count + len(rows)] = rows
        self.count += len(rows)

    def rows(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.empty(0, dtype) if self._room is None else self._room[: self.count]


class Tail:
    """A capture as of the last look.

    Args:
        path: of the capture; it may not be there yet.

    Attributes:
        complete: the run came to its end.
        receivers: names, in the bench's order; empty before the first look that brought something.
        config: of the run, as `Capture.config`.
        points: in the order of their making.
        generation: goes up when another capture took the place of this one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._seen: tuple[int, ...] = ()
        self._failures = 0
        self._forget()

    def _forget(self) -> None:
        self.complete = False
        self.receivers: tuple[str, ...] = ()
        self.config: dict[str, Any] = {}
        self.points: list[TailPoint] = []
        self.transmitters = 1
        self._tables = {"bursts": _Growing(), "ledger": _Growing()}
        self._old = False  # an older format, which nobody writes any more
        self._offset = 0  # of the counters
        self._accepted: tuple[bytes, bytes] | None = None  # the state as of the last look
        self._newest_of: int | None = None
        self._kept: tuple[int, NDArray[np.int16] | None] = (-1, None)

    @property
    def bursts(self) -> NDArray[Any]:
        """Rows of the table of bursts, `schema.BURSTS` [burst]."""
        return self._tables["bursts"].rows(schema.BURSTS)

    @property
    def ledger(self) -> NDArray[Any]:
        """Rows of the ledger, `schema.ledger_dtype(transmitters)` [row]."""
        return self._tables["ledger"].rows(schema.ledger_dtype(self.transmitters))

    def look(self, newest_of: int | None = None) -> bool:
        """Take in what was committed since the last look; whether there was something.

        Args:
            newest_of: a receiver's index, whose newest burst's samples will be asked for next: they are read with the rest.

        Raises:
            CaptureFormatError: the file is damaged, or no capture.
        """
        try:
            stat = self.path.stat()
        except OSError:
            return False
        seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if seen == self._seen:
            return False
        if self._seen and stat.st_ino != self._seen[0] and self.receivers:
            self._renew()
        self._newest_of = newest_of
        for _ in range(TRIES):
            changed = self._tried()
            if changed is not None:
                self._seen = seen if time.time() - stat.st_mtime > SETTLED_S else (stat.st_ino,)
                return changed
        return False

    def _tried(self) -> bool | None:
        """Whether there was something; None: a commit came in between."""
        try:
            changed = self._take()
        except _MIXED as err:
            self._failures += 1
            if self._failures >= FAILURES:
                self._diagnose(err)
            return None
        self._failures = 0
        return changed

    def samples(self, burst: int) -> NDArray[np.int16] | None:
        """What was heard of a burst (its row), int16 [n, 2]; None where a commit came in between: try again."""
        if self._old:
            with _ALONE, Capture.open(self.path) as capture:
                return next(one for one in capture.bursts() if one.index == burst).samples
        number, found = self._kept
        if number != burst or found is None:
            try:
                with self._opened() as h5:
                    found = self._heard(h5, self.bursts[burst])
            except _MIXED:
                return None
        return found

    @staticmethod
    def _heard(h5: Any, row: Any) -> NDArray[np.int16] | None:
        """A burst's samples, if they have the checksum that was stored with them."""
        found = _rows(h5, "samples", int(row["offset"]), int(row["count"]), np.dtype("<i2"), (2,))
        return found if zlib.crc32(found.view(np.uint8).data) == int(row["crc32"]) else None

    def _renew(self) -> None:
        self._forget()
        self.generation += 1

    def _take(self) -> bool | None:
        if self._old or (self._accepted and self._state(self._offset) == self._accepted):
            return False
        page = self._state(0)[0]
        with self._opened() as h5:
            if self.receivers or int(h5.attrs[schema.VERSION_ATTRIBUTE]) == schema.VERSION:
                return self._take_from(h5, page)
        return self._take_old()

    def _take_from(self, h5: Any, page: bytes) -> bool | None:
        """`page` is the first as of before the file was opened: whether pages were to be read from a journal."""
        offset = self._offset or h5["committed"].id.get_offset()
        before = self._state(offset)
        committed = np.frombuffer(before[1], schema.COMMITTED)[0]
        if int(committed["bursts"]) < self._tables["bursts"].count:
            self._renew()
        first = not self.receivers
        config = _json(h5, "config") if first else self.config
        receivers = tuple(map(str, _json(h5, "receivers"))) if first else self.receivers
        transmitters = int(h5.attrs[schema.TRANSMITTERS_ATTRIBUTE]) if first else self.transmitters
        dtypes = {"bursts": schema.BURSTS, "ledger": schema.ledger_dtype(transmitters)}
        new = {
            name: _rows(h5, name, rows.count, int(committed[name]) - rows.count, dtypes[name])
            for name, rows in self._tables.items()
        }
        kept = self._newest(h5, new["bursts"])
        points = self._new_points(h5, new["bursts"])
        complete = _flag(h5, "complete")
        if before[0] != page or self._state(offset) != before:
            return None
        changed = first or complete != self.complete or bool(points) or any(map(len, new.values()))
        self.complete, self.transmitters, self.config, self.receivers = complete, transmitters, config, receivers
        self._offset, self._accepted, self._kept = offset, before, kept
        self.points += points
        for name, rows in self._tables.items():
            rows.append(new[name])
        return changed

    def _new_points(self, h5: Any, new: NDArray[Any]) -> list[TailPoint]:
        """Points that are not known yet; they are looked for when a burst is of one, for that takes time."""
        if len(new) and int(new["point"].max()) < len(self.points):
            return []
        groups = h5["points"]
        names = sorted(groups)[len(self.points) :]
        return [TailPoint(name=str(groups[one].attrs["name"]), attrs=_json(groups[one], "attrs")) for one in names]

    def _newest(self, h5: Any, new: NDArray[Any]) -> tuple[int, NDArray[np.int16] | None]:
        """The newest burst of the receiver that was asked for, and its samples, if it is among the new ones."""
        if self._newest_of is None:
            return self._kept
        own = np.flatnonzero(new["receiver"] == self._newest_of)
        if not len(own):
            return self._kept
        last = int(own[-1])
        return self._tables["bursts"].count + last, self._heard(h5, new[last])

    def _take_old(self) -> bool:
        with _ALONE, Capture.open(self.path) as capture:
            self.transmitters, self.receivers, self.config = capture.transmitters, capture.receivers, capture.config
            self.complete = capture.complete
            self.points = [TailPoint(name=point.name, attrs=point.attrs) for point in capture.points]
            self._tables["bursts"].append(capture.burst_table())
            self._tables["ledger"].append(capture.ledger())
        self._old = True
        return True

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file, for one short reading."""
        with _ALONE:
            if has_pending_journal(self.path):  # in the midst of a commit, or killed there
                file = JournaledFile(self.path)
                try:
                    with h5py.File(file, "r") as h5:
                        yield h5
                finally:
                    file.close()
            else:
                with h5py.File(self.path, "r", locking=False) as h5:
                    yield h5

    def _state(self, counters: int) -> tuple[bytes, bytes]:
        """What every commit changes something of: the first page, and the counters.

        In the first page stand the pointer to the journal and the end of the file's allocated part, which moves with additions.
        """
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), PAGE, 0), os.pread(file.fileno(), schema.COMMITTED.itemsize, counters)

    def _diagnose(self, err: BaseException) -> None:
        self._failures = 0
        try:
            with _ALONE:
                Capture.open(self.path).close()
        except CaptureError as found:
            raise CaptureFormatError(f"{found}") from err


def _rows(h5: Any, name: str, first: int, count: int, dtype: np.dtype[Any], shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """Rows of a dataset, read into a known type: asking the file for its types costs more than all the rest."""
    out = np.empty((max(count, 0), *shape), dtype)
    if count > 0:
        dataset = h5py.h5d.open(h5.id, name.encode())
        space = dataset.get_space()
        space.select_hyperslab((first, *(0 for _ in shape)), out.shape)
        dataset.read(h5py.h5s.create_simple(out.shape), space, out, _memory_type(dtype))
    return out


def _flag(h5: Any, name: str) -> bool:
    out = np.empty((), np.int8)
    h5py.h5a.open(h5.id, name.encode()).read(out, _memory_type(np.dtype(bool)))
    return bool(out)


@lru_cache(maxsize=8)
def _memory_type(dtype: np.dtype[Any]) -> Any:
    return h5py.h5t.py_create(dtype)


def _json(group: Any, name: str) -> Any:
    return json.loads(bytes(np.asarray(group[name][()]).reshape(-1)[0]).decode("utf-8"))
