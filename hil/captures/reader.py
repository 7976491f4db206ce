"""Read a capture: finished, cut short by a kill, or still being written. The file is never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.records import Burst, Exchange, PointRecord
from hil.captures.sources import SourceFile
from hil.captures.store import Store
from hil.errors import CaptureError, CaptureFormatError, ShapeError

__all__ = ["Capture"]

_DATASETS = (*(schema.COMMITTED.names or ()), "committed", "config", "provenance", "models", "sources", "receivers")


class Capture:
    """An open capture, read-only; made by `Capture.open`; a context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.path = store.path
        self._check_tree()
        self._receivers = store.names(store.tree, "receivers", "receivers")
        committed = self._read("committed", slice(None))
        if committed.shape != (1,):
            raise CaptureFormatError(f"{self.path}: 'committed' must have one row, not {list(committed.shape)}")
        self._committed = {name: int(committed[0][name]) for name in schema.COMMITTED.names or ()}

    @classmethod
    def open(cls, path: str | Path) -> Capture:
        """Open a capture of this or an older version.

        Raises:
            CaptureFormatError: no such file, not HDF5, truncated, or something of a capture is missing.
            UnsupportedVersionError: written by a newer hil.
        """
        store = Store.open(Path(path))
        try:
            return cls(store)
        except BaseException:
            store.close()
            raise

    def _check_tree(self) -> None:
        tree = self._store.tree
        for name in (*_DATASETS, "points"):
            if isinstance(self._store.entry(tree, name, name), dict) != (name == "points"):
                raise CaptureFormatError(f"{self.path}: '{name}' must be a {'group' if name == 'points' else 'dataset'}")
        try:
            self.transmitters = int(self._store.entry(tree, "@transmitters", "@transmitters"))
            ledger = schema.ledger_dtype(self.transmitters)
        except (TypeError, ValueError) as err:
            raise CaptureFormatError(f"{self.path}: '@transmitters' must be how many there are: {err}") from err
        tables = {"bursts": schema.BURSTS, "ledger": ledger, "events": schema.EVENTS, "committed": schema.COMMITTED}
        for name, dtype in tables.items():
            if tree[name].dtype != dtype:
                raise CaptureFormatError(
                    f"{self.path}: the table '{name}' has other fields than version {schema.VERSION} has: {tree[name].dtype}"
                )
        samples = tree["samples"]
        if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != 2:
            raise CaptureFormatError(f"{self.path}: 'samples' must be int16 [n, 2], not {samples.dtype} {list(samples.shape)}")

    @property
    def version(self) -> int:
        """Version of the format as read, after upgrades; `file_version` is the file's own."""
        return int(self._store.tree["@" + schema.VERSION_ATTRIBUTE])

    @property
    def file_version(self) -> int:
        """Version of the format of the file."""
        return self._store.file_version

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return bool(self._store.tree.get("@complete", False))

    @property
    def receivers(self) -> tuple[str, ...]:
        """Names of the receivers, in the bench's order; tables give an index into this."""
        return self._receivers

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the bits of the ledger's `flags`, from bit 0 on."""
        text = self._store.entry(self._store.tree, "@" + schema.FLAGS_ATTRIBUTE, "@" + schema.FLAGS_ATTRIBUTE)
        try:
            return tuple(map(str, json.loads(text)))
        except (ValueError, TypeError) as err:
            raise CaptureFormatError(f"{self.path}: '@{schema.FLAGS_ATTRIBUTE}' is no JSON list: {err}") from err

    @property
    def config(self) -> dict[str, Any]:
        """Resolved configuration of the run."""
        return self._json("config")

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the capture: version, commit, dirty, packages, machine, argv, clock."""
        return self._json("provenance")

    @property
    def models(self) -> dict[str, str]:
        """Name of a weights file -> its SHA-256."""
        return self._json("models")

    @property
    def sources(self) -> dict[str, SourceFile]:
        """Files of third-party schemes, goals and data sets, by name."""
        try:
            return {name: SourceFile(**entry) for name, entry in self._json("sources").items()}
        except (TypeError, ShapeError) as err:
            raise CaptureFormatError(f"{self.path}: 'sources' is damaged: {err}") from err

    @property
    def results(self) -> dict[str, Any] | None:
        """Results of the whole run, or None if it was cut short."""
        return self._json("results") if "results" in self._store.tree else None

    @property
    def committed(self) -> Mapping[str, int]:
        """Count of committed rows of samples, bursts, frame_numbers, ledger and events."""
        return dict(self._committed)

    @property
    def stored_rows(self) -> Mapping[str, int]:
        """Length of the datasets that `committed` counts; never less."""
        return {name: int(self._store.tree[name].shape[0]) for name in self._committed}

    @property
    def counts(self) -> dict[str, int]:
        """How much there is, for people: samples, exchanges, bursts (of every receiver), frames, ledger rows, events."""
        rows = self._committed
        last = self._read("bursts", slice(max(0, rows["bursts"] - 1), rows["bursts"]))
        return {
            "samples": rows["samples"],
            "exchanges": int(last["exchange"][-1]) + 1 if len(last) else 0,
            "bursts": rows["bursts"],
            "frames": rows["frame_numbers"],
            "ledger_rows": rows["ledger"],
            "events": rows["events"],
        }

    @property
    def points(self) -> list[PointRecord]:
        """All points, in the order of their making."""
        groups = sorted((key, value) for key, value in self._store.tree["points"].items() if not key.startswith("@"))
        for name, tree in groups:
            if not isinstance(tree, dict):
                raise CaptureFormatError(f"{self.path}: 'points/{name}' must be a group")
        return [PointRecord(self._store, index, tree) for index, (_, tree) in enumerate(groups)]

    @property
    def identity(self) -> str:
        """SHA-256 of the first burst of each point: noise makes it this capture's alone, in whatever file it lies.

        Raises:
            CaptureError: it holds no burst.
        """
        digest = hashlib.sha256()
        firsts = [next(self.bursts(record.index), None) for record in self.points]
        for burst in firsts:
            if burst is not None:
                digest.update(np.ascontiguousarray(burst.samples).tobytes())
        if all(burst is None for burst in firsts):
            raise CaptureError(f"{self.path} holds no burst yet, so nothing tells it from others")
        return digest.hexdigest()

    def bursts(self, point: int | None = None, receiver: str | None = None) -> Iterator[Burst]:
        """Committed bursts, of one point or of all, of one receiver or of all, in the order they were received.

        Raises:
            CaptureError: no such receiver.
        """
        table = self.burst_table()
        numbers = self._read("frame_numbers", slice(0, self._committed["frame_numbers"]))
        for index in np.flatnonzero(self._chosen(table, point, receiver)):
            yield self._burst(int(index), table[index], numbers)

    def _burst(self, index: int, row: Any, numbers: NDArray[np.int64]) -> Burst:
        try:
            kind = schema.FrameKind(int(row["kind"]))
        except ValueError as err:
            raise CaptureFormatError(f"{self.path}: burst {index} is of an unknown kind: {row['kind']}") from err
        receiver, first, sent_at = int(row["receiver"]), int(row["first_number"]), int(row["sent_at"])
        if not 0 <= receiver < len(self._receivers):
            raise CaptureFormatError(f"{self.path}: burst {index} is of receiver {receiver}, there are {len(self._receivers)}")
        return Burst(
            index=index,
            exchange=int(row["exchange"]),
            point=int(row["point"]),
            receiver=self._receivers[receiver],
            start=int(row["start"]),
            sent_at=None if sent_at == -1 else sent_at,
            kind=kind,
            frame_numbers=numbers[first : first + int(row["numbers"])],
            offset=int(row["offset"]),
            count=int(row["count"]),
            crc32=int(row["crc32"]),
            source=self._store,
        )

    def exchanges(self, point: int | None = None) -> Iterator[Exchange]:
        """Committed exchanges, of one point or of all, in the order they were made."""
        for number, group in groupby(self.bursts(point), key=lambda burst: burst.exchange):
            heard = {burst.receiver: burst for burst in group}
            first = next(iter(heard.values()))
            yield Exchange(index=number, point=first.point, kind=first.kind, frame_numbers=first.frame_numbers, heard=heard)

    def burst_table(self) -> NDArray[Any]:
        """Committed rows of the table of bursts, `schema.BURSTS` [burst]."""
        return self._read("bursts", slice(0, self._committed["bursts"]))

    def ledger(self, point: int | None = None, receiver: str | None = None) -> NDArray[Any]:
        """Committed rows, of one point or of all, of one receiver or of all, `schema.ledger_dtype(transmitters)` [row].

        Raises:
            CaptureError: no such receiver.
        """
        table = self._read("ledger", slice(0, self._committed["ledger"]))
        return table[self._chosen(table, point, receiver)]

    def events(self, point: int | None = None) -> NDArray[Any]:
        """Committed stream events, of one point or of all, `schema.EVENTS` [event]."""
        table = self._read("events", slice(0, self._committed["events"]))
        return table if point is None else table[table["point"] == point]

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _chosen(self, table: NDArray[Any], point: int | None, receiver: str | None) -> NDArray[np.bool_]:
        if receiver is not None and receiver not in self._receivers:
            raise CaptureError(f"{self.path} has no receiver {receiver!r}; it has {', '.join(self._receivers)}")
        chosen = np.ones(len(table), bool)
        if point is not None:
            chosen &= table["point"] == point
        if receiver is not None:
            chosen &= table["receiver"] == self._receivers.index(receiver)
        return chosen

    def _read(self, name: str, rows: slice) -> NDArray[Any]:
        return self._store.load(self._store.tree[name], name, rows)

    def _json(self, name: str) -> dict[str, Any]:
        return self._store.json(self._store.tree, name, name, dict)
