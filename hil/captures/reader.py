"""Read a capture: finished, cut short by a kill, or still being written. The file is never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.journal import JournaledFile, has_pending_journal
from hil.captures.upgrade import Tree, upgrade
from hil.errors import CaptureError, CaptureFormatError

__all__ = ["Burst", "Capture", "PointRecord"]

_REQUIRED = ("samples", "bursts", "frame_numbers", "ledger", "events", "committed", "points", "config", "versions", "models")
_TABLES = {"bursts": schema.BURSTS, "ledger": schema.LEDGER, "events": schema.EVENTS, "committed": schema.COMMITTED}
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Samples received in one go.

    Attributes:
        index: in the capture, from 0.
        point: index of its point.
        start: absolute sample index of the receiving device of the first sample.
        kind: what it was sent for.
        frame_numbers: the frames sent in it, int64 [frame].
        offset: first row in the capture's samples.
        count: number of samples.
        crc32: stored checksum of the samples.
    """

    index: int
    point: int
    start: int
    kind: schema.FrameKind
    frame_numbers: NDArray[np.int64]
    offset: int
    count: int
    crc32: int
    source: Capture = field(repr=False, compare=False)

    @property
    def samples(self) -> NDArray[np.int16]:
        """Raw I/Q, int16 [n, 2]; read from the file at every call."""
        return np.asarray(self.source.read("samples", slice(self.offset, self.offset + self.count)), np.int16)


class PointRecord:
    """One point: what was sent, and, if it was finished, what came out. Arrays are read when asked for."""

    def __init__(self, capture: Capture, index: int, tree: Tree) -> None:
        self._capture = capture
        self._tree = tree
        self.index = index
        self.name: str = str(capture.entry(tree, "@name", f"points/{index:04d}"))

    @property
    def attrs(self) -> dict[str, Any]:
        """Scheme, SNR target, applied radio settings, calibration in force."""
        return self._capture.text(self._tree, "attrs")

    @property
    def symbols(self) -> NDArray[np.complex64]:
        """Normalised transmitted symbols, complex64 [tx, task, use]."""
        return self._array("symbols")

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        """Integer arrays [task]."""
        return self._folder("labels")

    @property
    def extra(self) -> dict[str, NDArray[Any]]:
        """Further arrays stored before the first burst."""
        return self._folder("extra")

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Further arrays stored with the results; empty until then."""
        return self._folder("arrays")

    @property
    def finished(self) -> bool:
        """Whether the run came to this point's end."""
        return "results" in self._tree

    @property
    def valid(self) -> bool | None:
        """Whether the run holds the point for usable; None if it is not finished."""
        return bool(self._tree["@valid"]) if "@valid" in self._tree else None

    @property
    def results(self) -> dict[str, Any] | None:
        """Results, or None if the point is not finished."""
        return self._capture.text(self._tree, "results") if self.finished else None

    @property
    def received_sha256(self) -> str | None:
        """SHA-256 of the received symbols as computed live, or None."""
        return str(self._tree["@received_sha256"]) if "@received_sha256" in self._tree else None

    @property
    def received(self) -> NDArray[np.complex64] | None:
        """Received symbols as computed live, complex64 [task, use], or None if they were not stored."""
        return self._array("received") if "received" in self._tree else None

    def _array(self, name: str) -> NDArray[Any]:
        where = f"points/{self.index:04d}/{name}"
        return self._capture.load(self._capture.entry(self._tree, name, where), where, ())

    def _folder(self, name: str) -> dict[str, NDArray[Any]]:
        where = f"points/{self.index:04d}/{name}"
        members = {key: value for key, value in self._tree.get(name, {}).items() if not key.startswith("@")}
        return {key: self._capture.load(value, f"{where}/{key}", ()) for key, value in members.items()}


class Capture:
    """An open capture, read-only; made by `Capture.open`; a context manager."""

    def __init__(self, path: Path, h5: Any, file: JournaledFile | None) -> None:
        self.path = path
        self._h5 = h5
        self._file = file
        found = _tree(h5)
        self._tree = upgrade(found, path)
        self.file_version = int(found["@" + schema.VERSION_ATTRIBUTE])
        for name in _REQUIRED:
            self.entry(self._tree, name, name)
        for name in _REQUIRED:
            if isinstance(self._tree[name], dict) != (name == "points"):
                raise CaptureFormatError(f"{path}: '{name}' must be a {'group' if name == 'points' else 'dataset'}")
        for name, dtype in _TABLES.items():
            found = self._tree[name].dtype
            if found != dtype:
                raise CaptureFormatError(
                    f"{path}: the table '{name}' has other fields than version {schema.VERSION} has: {found}"
                )
        samples = self._tree["samples"]
        if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != 2:
            raise CaptureFormatError(f"{path}: 'samples' must be int16 [n, 2], not {samples.dtype} {list(samples.shape)}")
        committed = self.read("committed", slice(None))
        if committed.shape != (1,):
            raise CaptureFormatError(f"{path}: 'committed' must have one row, not {list(committed.shape)}")
        self._committed = {name: int(committed[0][name]) for name in schema.COMMITTED.names or ()}

    @classmethod
    def open(cls, path: str | Path) -> Capture:
        """Open a capture of this or an older version.

        Raises:
            CaptureFormatError: no such file, not HDF5, truncated, or something of a capture is missing.
            UnsupportedVersionError: written by a newer hil.
        """
        path = Path(path)
        file = h5 = None
        try:
            with path.open("rb") as raw:
                head = raw.read(520)
            if _SIGNATURE not in (head[:8], head[512:520]):
                size = path.stat().st_size
                raise CaptureFormatError(f"{path} is not a capture: it is not HDF5, or cut off at its beginning ({size} bytes)")
            file = JournaledFile(path) if has_pending_journal(path) else None
            h5 = h5py.File(file if file is not None else path, "r")
            return cls(path, h5, file)
        except FileNotFoundError as err:
            raise CaptureFormatError(f"no such capture: {path}") from err
        except BaseException as err:
            if h5 is not None:
                h5.close()
            if file is not None:
                file.close()
            if isinstance(err, OSError | RuntimeError | KeyError | ValueError):
                raise CaptureFormatError(f"{path} is damaged or truncated, take another copy: {err}") from err
            raise

    @property
    def version(self) -> int:
        """Version of the format as read, after upgrades; `file_version` is the file's own."""
        return int(self._tree["@" + schema.VERSION_ATTRIBUTE])

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return bool(self._tree.get("@complete", False))

    @property
    def config(self) -> dict[str, Any]:
        """Resolved configuration of the run."""
        return self.text(self._tree, "config")

    @property
    def versions(self) -> dict[str, Any]:
        """Versions of hil, Python, libraries and the CPU."""
        return self.text(self._tree, "versions")

    @property
    def models(self) -> dict[str, str]:
        """Name of a weights file -> its SHA-256."""
        return self.text(self._tree, "models")

    @property
    def results(self) -> dict[str, Any] | None:
        """Results of the whole run, or None if it was cut short."""
        return self.text(self._tree, "results") if "results" in self._tree else None

    @property
    def committed(self) -> Mapping[str, int]:
        """Count of committed samples, bursts, frame_numbers, frames (ledger rows) and events."""
        return dict(self._committed)

    @property
    def stored_rows(self) -> Mapping[str, int]:
        """Length of the datasets that `committed` counts; never less."""
        names = {name: "ledger" if name == "frames" else name for name in self._committed}
        return {name: int(self._tree[table].shape[0]) for name, table in names.items()}

    @property
    def points(self) -> list[PointRecord]:
        """All points, in the order of their making."""
        groups = sorted((key, value) for key, value in self._tree["points"].items() if not key.startswith("@"))
        for name, tree in groups:
            if not isinstance(tree, dict):
                raise CaptureFormatError(f"{self.path}: 'points/{name}' must be a group")
        return [PointRecord(self, index, tree) for index, (_, tree) in enumerate(groups)]

    def bursts(self, point: int | None = None) -> Iterator[Burst]:
        """Committed bursts, of one point or of all, in the order they were received."""
        table = self.burst_table()
        numbers = self.read("frame_numbers", slice(0, self._committed["frame_numbers"]))
        for index, row in enumerate(table):
            if point is None or row["point"] == point:
                first = int(row["first_number"])
                try:
                    kind = schema.FrameKind(int(row["kind"]))
                except ValueError as err:
                    raise CaptureFormatError(f"{self.path}: burst {index} is of an unknown kind: {row['kind']}") from err
                yield Burst(
                    index=index,
                    point=int(row["point"]),
                    start=int(row["start"]),
                    kind=kind,
                    frame_numbers=numbers[first : first + int(row["numbers"])],
                    offset=int(row["offset"]),
                    count=int(row["count"]),
                    crc32=int(row["crc32"]),
                    source=self,
                )

    def burst_table(self) -> NDArray[Any]:
        """Committed rows of the table of bursts, `schema.BURSTS` [burst]."""
        return self.read("bursts", slice(0, self._committed["bursts"]))

    def ledger(self, point: int | None = None) -> NDArray[Any]:
        """Committed rows, of one point or of all, `schema.LEDGER` [frame]."""
        table = self.read("ledger", slice(0, self._committed["frames"]))
        return table if point is None else table[table["point"] == point]

    def events(self, point: int | None = None) -> NDArray[Any]:
        """Committed stream events, of one point or of all, `schema.EVENTS` [event]."""
        table = self.read("events", slice(0, self._committed["events"]))
        return table if point is None else table[table["point"] == point]

    def close(self) -> None:
        """Close the file."""
        if self._h5:
            self._h5.close()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # For the records above and `verify`

    def entry(self, tree: Tree, name: str, where: str) -> Any:
        """A member of a group, or CaptureFormatError."""
        if name not in tree:
            raise CaptureFormatError(f"{self.path}: '{where}' is missing; the file is damaged or no capture")
        return tree[name]

    def read(self, name: str, rows: slice) -> NDArray[Any]:
        """Rows of a dataset at the top of the file."""
        return self.load(self._tree[name], name, rows)

    def load(self, dataset: Any, where: str, selection: Any) -> NDArray[Any]:
        """Read from a dataset, or CaptureFormatError where its checksum is wrong."""
        if self._h5 is not None and not self._h5:
            raise CaptureError(f"{self.path} is closed; read '{where}' before")
        try:
            return np.asarray(dataset[selection])
        except (OSError, RuntimeError, ValueError) as err:
            raise CaptureFormatError(f"{self.path}: '{where}' is damaged ({err}); take another copy of the file") from err

    def text(self, tree: Tree, name: str) -> dict[str, Any]:
        """A JSON text."""
        data = self.load(self.entry(tree, name, name), name, ())
        try:
            value = json.loads(bytes(data.reshape(-1)[0]).decode("utf-8"))
        except (ValueError, IndexError, TypeError) as err:
            raise CaptureFormatError(f"{self.path}: '{name}' is no valid JSON: {err}") from err
        if not isinstance(value, dict):
            raise CaptureFormatError(f"{self.path}: '{name}' must be a JSON object, not {type(value).__name__}")
        return value


def _tree(group: Any) -> Tree:
    tree: Tree = {f"@{name}": value for name, value in group.attrs.items()}
    for name in group:
        member = group[name]
        tree[name] = _tree(member) if isinstance(member, h5py.Group) else member
    return tree
