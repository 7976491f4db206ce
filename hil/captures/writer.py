"""Write a capture burst by burst, so that a killed run or a full disk loses at most the burst in flight."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from hil.captures import schema
from hil.captures.journal import USERBLOCK, JournaledFile
from hil.errors import CaptureError, DiskFullError, ShapeError

__all__ = ["CaptureWriter"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CHUNK_BYTES = 1 << 20

BurstKind = Literal["frame", "sounding", "calibration"]


class CaptureWriter:
    """An open capture. Every method below leaves the file committed: readable as it stands, whatever happens next.

    Made by `CaptureWriter.create`; a context manager. For one thread.
    """

    def __init__(self, path: Path, file: JournaledFile, h5: Any) -> None:
        self.path = path
        self._file = file
        self._h5 = h5
        self._committed = np.zeros(1, schema.COMMITTED)
        self._tables: dict[str, Any] = {}
        self._points: dict[str, int] = {}
        self._done: set[int] = set()
        self._closed = False

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        config: Mapping[str, Any],
        versions: Mapping[str, Any],
        models: Mapping[str, str],
        overwrite: bool = False,
    ) -> CaptureWriter:
        """Make a capture; `path` appears only once it can be opened.

        Args:
            path: the file to make; its folder is made if need be.
            config: the resolved configuration: experiment, bench, frame, seeds. Plain data.
            versions: of hil, Python, libraries and the CPU.
            models: name of a weights file -> its SHA-256.
            overwrite: replace an existing file.

        Raises:
            CaptureError: the file is there already, or cannot be made.
            DiskFullError: no room.
            ShapeError: something in the dictionaries is no plain data.
        """
        path = Path(path)
        texts = {
            name: schema.json_text(value, name)
            for name, value in (("config", config), ("versions", versions), ("models", models))
        }
        if path.exists() and not overwrite:
            raise CaptureError(f"{path} exists already; choose another name, or ask to overwrite it")
        hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = JournaledFile(hidden, create=True)
        except OSError as err:
            raise CaptureError(f"cannot make the capture {path}: {err.strerror}") from err
        h5 = h5py.File(file, "w", userblock_size=USERBLOCK)
        writer = cls(path, file, h5)
        try:
            with writer._committing():
                writer._make_tables()
                for name, text in texts.items():
                    _write_text(h5, name, text)
            writer._tables = {
                name: h5[name] for name in ("samples", "bursts", "frame_numbers", "ledger", "events", "committed")
            }
            hidden.replace(path)
        except BaseException:
            writer._release()
            hidden.unlink(missing_ok=True)
            raise
        return writer

    def _make_tables(self) -> None:
        h5 = self._h5
        h5.attrs[schema.VERSION_ATTRIBUTE] = schema.VERSION
        h5.attrs["complete"] = False
        h5.create_group("points")
        rows = schema.TABLE_ROWS_PER_CHUNK
        _extendable(h5, "samples", np.dtype("<i2"), (schema.SAMPLE_ROWS_PER_CHUNK, 2))
        _extendable(h5, "bursts", schema.BURSTS, (rows,))
        _extendable(h5, "frame_numbers", np.dtype("<i8"), (rows * 8,))
        _extendable(h5, "ledger", schema.LEDGER, (rows,))
        _extendable(h5, "events", schema.EVENTS, (rows,))
        h5.create_dataset("committed", data=self._committed)
        for table, codes in (("ledger", schema.FrameStatus), ("bursts", schema.FrameKind)):
            h5[table].attrs[codes.__name__] = schema.json_text({member.name.lower(): int(member) for member in codes}, table)

    def add_point(
        self,
        name: str,
        *,
        attrs: Mapping[str, Any],
        symbols: NDArray[np.complex64],
        labels: Mapping[str, NDArray[Any]],
        extra: Mapping[str, NDArray[Any]] | None = None,
    ) -> int:
        """Store what a point is about to send: one scheme at one SNR with fixed radio settings.

        Args:
            name: unique in this capture.
            attrs: plain data: scheme, SNR target, applied radio settings, calibration in force, …
            symbols: normalised transmitted symbols, complex64 [tx, task, use].
            labels: integer arrays [task].
            extra: further arrays to keep, of any shape.

        Returns:
            the point's index, from 0.

        Raises:
            CaptureError: the name is taken.
            ShapeError: an array of another shape or dtype.
            DiskFullError: no room; the capture is as before.
        """
        symbols = np.asarray(symbols)
        if name in self._points:
            raise CaptureError(f"{self.path} already has a point named {name!r}")
        if symbols.ndim != 3 or symbols.dtype != np.complex64:
            raise ShapeError(f"symbols must be complex64 [tx, task, use], not {symbols.dtype} {list(symbols.shape)}")
        tasks = symbols.shape[1]
        columns = {key: np.asarray(value) for key, value in labels.items()}
        for key, column in columns.items():
            if column.shape != (tasks,) or column.dtype.kind not in "iu":
                raise ShapeError(f"label {key!r} must be integers [{tasks}], not {column.dtype} {list(column.shape)}")
        text = schema.json_text(dict(attrs), "attrs")
        arrays = {key: np.asarray(value) for key, value in (extra or {}).items()}
        _check_arrays(columns)
        _check_arrays(arrays)
        index = len(self._points)
        with self._committing():
            group = self._h5.create_group(f"points/{index:04d}")
            group.attrs["name"] = name
            _write_text(group, "attrs", text)
            _write_array(group, "symbols", symbols)
            for folder, content in (("labels", columns), ("extra", arrays)):
                group.create_group(folder)
                for key, array in content.items():
                    _write_array(group[folder], key, array)
        self._points[name] = index
        return index

    def append_burst(
        self,
        point: int,
        samples: NDArray[np.int16],
        *,
        start: int,
        kind: BurstKind | schema.FrameKind,
        frame_numbers: Sequence[int] | NDArray[Any],
        ledger: Sequence[Mapping[str, Any]],
        events: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Append received samples and the ledger rows of the frames in them, all or nothing.

        Args:
            point: index given by `add_point`.
            samples: raw I/Q as received, int16 [n, 2]; none only where an event says why.
            start: absolute sample index of the receiving device of the first one.
            kind: what it was sent for.
            frame_numbers: the frames sent in this burst.
            ledger: one row for each of them, fields of `schema.LEDGER`;
                `point`, `burst` and, if missing, `kind` and `frame` are filled in.
            events: rows of what the radios reported, fields of `schema.EVENTS`.

        Returns:
            the burst's index in the capture, from 0.

        Raises:
            ShapeError: an array or a row that does not fit, or a frame without its row.
            CaptureError: no such point.
            DiskFullError: no room; the capture is as before, and takes no more.
        """
        samples = np.asarray(samples)
        if samples.ndim != 2 or samples.shape[1] != 2 or samples.dtype != np.int16 or not (len(samples) or len(events)):
            raise ShapeError(
                f"samples must be int16 [n, 2], with n ≥ 1 unless an event says why, not {samples.dtype} {list(samples.shape)}"
            )
        self._check_point(point)
        numbers = np.asarray(frame_numbers, "<i8").reshape(-1)
        if len(ledger) != len(numbers):
            raise ShapeError(f"every frame sent needs its ledger row: {len(numbers)} frames, {len(ledger)} rows")
        code = schema.code(schema.FrameKind, kind, "kind")
        before = self._committed[0]
        burst = int(before["bursts"])
        rows = [{"kind": code, "frame": int(number), **row} for number, row in zip(numbers, ledger, strict=True)]
        tables = {
            "samples": np.ascontiguousarray(samples, "<i2"),
            "frame_numbers": numbers,
            "ledger": schema.table_rows(schema.LEDGER, rows, point=point, burst=burst),
            "events": schema.table_rows(schema.EVENTS, list(events), point=point, burst=burst),
        }
        checksum = zlib.crc32(tables["samples"].data)
        entry = np.zeros(1, schema.BURSTS)
        entry[0] = (point, code, start, before["samples"], len(samples), before["frame_numbers"], len(numbers), checksum)
        tables["bursts"] = entry
        after = self._committed.copy()
        with self._committing():
            for name, content in tables.items():
                counter = "frames" if name == "ledger" else name
                _append(self._tables[name], int(before[counter]), content)
                after[counter] += len(content)
            self._tables["committed"].write_direct(after)
        self._committed = after
        return burst

    def finish_point(
        self,
        point: int,
        *,
        results: Mapping[str, Any],
        received_sha256: str,
        received: NDArray[np.complex64] | None = None,
        valid: bool = True,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Store what came out of a point.

        Args:
            point: index given by `add_point`.
            results: plain data.
            received_sha256: over the received symbols (`sha256_array`).
            received: the received symbols, complex64 [task, use] or [receiver, task, use].
            valid: whether the point may be used, e.g. its SNR was reached.
            arrays: further arrays to keep, of any shape.

        Raises:
            CaptureError: no such point, or it is finished already.
            ShapeError: an array of another shape or dtype.
            DiskFullError: no room; the capture is as before.
        """
        self._check_point(point)
        if point in self._done:
            raise CaptureError(f"{self.path}: point {point} is finished already")
        if received is not None and (received.ndim not in (2, 3) or received.dtype != np.complex64):
            raise ShapeError(f"received must be complex64 [task, use], not {received.dtype} {list(received.shape)}")
        text = schema.json_text(dict(results), "results")
        kept = {key: np.asarray(value) for key, value in (arrays or {}).items()}
        _check_arrays(kept)
        with self._committing(sync=True):
            group = self._h5[f"points/{point:04d}"]
            _write_text(group, "results", text)
            group.attrs["received_sha256"] = received_sha256
            group.attrs["valid"] = bool(valid)
            if received is not None:
                _write_array(group, "received", received)
            group.create_group("arrays")
            for key, array in kept.items():
                _write_array(group["arrays"], key, array)
        self._done.add(point)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Store the results of the whole run and mark the capture complete."""
        text = schema.json_text(dict(results), "results")
        with self._committing(sync=True):
            _write_text(self._h5, "results", text)
            self._h5.attrs["complete"] = True

    def close(self) -> None:
        """Close the file; without `finish` before it, the capture is incomplete, but usable.

        Raises:
            DiskFullError: no room for the last bytes; what was committed is readable.
        """
        if self._closed:
            return
        healthy = self._file.failure is None
        self._release(keep=healthy)
        if healthy and self._file.failure is not None:
            raise self._error(self._file.failure) from self._file.failure

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._release(keep=self._file.failure is None)

    def _release(self, *, keep: bool = False) -> None:
        self._closed = True
        try:
            if self._h5:
                self._h5.close()
            if keep:
                self._file.commit()
        except (OSError, RuntimeError) as err:
            self._file.failure = self._file.failure or OSError(*err.args)
        finally:
            self._file.close()

    @contextmanager
    def _committing(self, *, sync: bool = False) -> Iterator[None]:
        if self._closed:
            raise CaptureError(f"{self.path} is closed; nothing more can be written to it")
        if self._file.failure is not None:
            raise self._error(self._file.failure) from self._file.failure
        try:
            yield
            self._h5.flush()
            self._file.commit()
            if sync:
                self._file.sync()
        except BaseException as err:
            # Half a change is in HDF5's memory: from now on nothing of it may reach the disk.
            if self._file.failure is None:
                self._file.failure = err if isinstance(err, OSError) else OSError(errno.EIO, f"stopped by {err!r}")
            if isinstance(err, OSError | RuntimeError | ValueError | KeyError):  # what h5py raises for a failed write
                raise self._error(self._file.failure) from err
            raise

    def _error(self, err: OSError) -> CaptureError:
        done = int(self._committed["bursts"][0])
        if err.errno in _NO_ROOM:
            return DiskFullError(
                f"no room left for {self.path} ({err.strerror}); what was committed before ({done} bursts) is whole:"
                " free some space; `hil replay` scores it as it is"
            )
        return CaptureError(f"cannot write {self.path}: {err}; what was committed before is whole")

    def _check_point(self, point: int) -> None:
        if not 0 <= point < len(self._points):
            raise CaptureError(f"{self.path} has points 0 to {len(self._points) - 1}, not {point}; add_point comes first")


def _extendable(h5: Any, name: str, dtype: np.dtype[Any], chunk: tuple[int, ...]) -> None:
    shape, limit = (0, *chunk[1:]), (None, *chunk[1:])
    h5.create_dataset(name, shape, dtype, maxshape=limit, chunks=chunk, fletcher32=True)


def _append(dataset: Any, at: int, rows: NDArray[Any]) -> None:
    if len(rows):
        dataset.resize(at + len(rows), axis=0)
        dataset.write_direct(rows, dest_sel=np.s_[at : at + len(rows)])


def _write_text(group: Any, name: str, text: str) -> None:
    """UTF-8 JSON as a dataset of one string: an attribute could hold 64 KiB only, and has no checksum."""
    data = text.encode("utf-8")
    dtype = h5py.string_dtype("utf-8", max(1, len(data)))
    group.create_dataset(name, data=np.array([data], dtype), dtype=dtype, chunks=(1,), fletcher32=True)


def _write_array(group: Any, name: str, array: NDArray[Any]) -> None:
    if array.size == 0 or array.ndim == 0:
        group.create_dataset(name, data=array)
        return
    chunk: list[int] = []
    room = max(1, _CHUNK_BYTES // array.dtype.itemsize)
    for length in reversed(array.shape):
        chunk.insert(0, min(length, room))
        room = max(1, room // length)
    group.create_dataset(name, data=array, chunks=tuple(chunk), fletcher32=True)


def _check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if not name or "/" in name or name == ".":
            raise ShapeError(f"{name!r} cannot name an array: it must be non-empty, without '/'")
        if array.dtype.kind not in "biufc":
            raise ShapeError(f"array {name!r} must hold numbers, not {array.dtype}")
