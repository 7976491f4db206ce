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
        self._old: Capture | None = None

    @property
    def bursts(self) -> NDArray[Any]:
        """Rows of the table of bursts, `schema.BURSTS` [burst]."""
        return self._tables["bursts"].rows(schema.BURSTS)

    @property
    def ledger(self) -> NDArray[Any]:
        """Rows of the ledger, `schema.ledger_dtype(transmitters)` [row]."""
        return self._tables["ledger"].rows(schema.ledger_dtype(self.transmitters))

    def look(self) -> bool:
        """Take in what was committed since the last look; whether there was something.

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
        row = self.bursts[burst]
        first, count = int(row["offset"]), int(row["count"])
        if self._old is not None:
            return next(one for one in self._old.bursts() if one.index == burst).samples
        try:
            with self._opened() as h5:
                found = np.ascontiguousarray(h5["samples"][first : first + count], np.int16)
        except _MIXED:
            return None
        return found if zlib.crc32(found.view(np.uint8).data) == int(row["crc32"]) else None

    def close(self) -> None:
        """Let go of the file."""
        if self._old is not None:
            self._old.close()

    def _renew(self) -> None:
        self.close()
        self._forget()
        self.generation += 1

    def _take(self) -> bool | None:
        if self._old is not None:
            return False
        with self._opened() as h5:
            if int(h5.attrs[schema.VERSION_ATTRIBUTE]) == schema.VERSION:
                return self._take_from(h5)
        return self._take_old()

    def _take_from(self, h5: Any) -> bool | None:
        offset = h5["committed"].id.get_offset()
        before = self._state(offset)
        committed = h5["committed"][0]
        if int(committed["bursts"]) < self._tables["bursts"].count:
            self._renew()
        first = not self.receivers
        config = _json(h5, "config") if first else self.config
        receivers = tuple(map(str, _json(h5, "receivers"))) if first else self.receivers
        new = {name: h5[name][rows.count : int(committed[name])] for name, rows in self._tables.items()}
        names = sorted(h5["points"])[len(self.points) :]
        points = [TailPoint(name=str(h5["points"][n].attrs["name"]), attrs=_json(h5["points"][n], "attrs")) for n in names]
        complete, transmitters = bool(h5.attrs["complete"]), int(h5.attrs[schema.TRANSMITTERS_ATTRIBUTE])
        whole = all(rows.count + len(new[name]) == int(committed[name]) for name, rows in self._tables.items())
        if self._state(offset) != before or not whole:
            return None
        changed = first or complete != self.complete or bool(points) or any(map(len, new.values()))
        self.complete, self.transmitters, self.config, self.receivers = complete, transmitters, config, receivers
        self.points += points
        for name, rows in self._tables.items():
            rows.append(new[name])
        return changed

    def _take_old(self) -> bool:
        """A capture of an older format: nobody writes it any more."""
        self._old = capture = Capture.open(self.path)
        self.transmitters, self.receivers, self.config = capture.transmitters, capture.receivers, capture.config
        self.complete = capture.complete
        self.points = [TailPoint(name=point.name, attrs=point.attrs) for point in capture.points]
        self._tables["bursts"].append(capture.burst_table())
        self._tables["ledger"].append(capture.ledger())
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
            Capture.open(self.path).close()
        except CaptureError as found:
            raise CaptureFormatError(f"{found}") from err


def _json(group: Any, name: str) -> Any:
    return json.loads(bytes(np.asarray(group[name][()]).reshape(-1)[0]).decode("utf-8"))
