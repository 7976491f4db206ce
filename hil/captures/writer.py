"""Write a capture burst by burst, so that a killed run or a full disk loses at most the burst in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import hdf5, schema
from hil.captures.commit import CommittedFile
from hil.captures.entries import BurstKind, CaptureShape, HeardSamples, burst_rows, point_entry
from hil.captures.rows import check_names, json_text, sha256_array
from hil.captures.sources import SourceFile
from hil.errors import CaptureError, ShapeError

__all__ = ["CaptureWriter", "WrittenPoint"]


class CaptureWriter:
    """An open capture. Every method below leaves the file committed: readable as it stands, whatever happens next.

    Made by `CaptureWriter.create`; a context manager. For one thread.
    """

    def __init__(self, file: CommittedFile, shape: CaptureShape) -> None:
        self.path = file.path
        self.shape = shape
        self._file = file
        self._tables: dict[str, Any] = {}
        self._committed = np.zeros(1, schema.COMMITTED)
        self._exchanges = 0
        self._points: dict[str, WrittenPoint] = {}

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
        models: Mapping[str, str],
        receivers: Sequence[str],
        transmitters: int,
        sources: Mapping[str, SourceFile] | None = None,
        flags: Sequence[str] = (),
        overwrite: bool = False,
    ) -> CaptureWriter:
        """Make a capture; `path` appears only once it can be opened.

        Args:
            path: the file to make; its folder is made if need be.
            config: the resolved configuration: experiment, bench, frame, seeds. Plain data.
            provenance: what made it: version, commit, dirty, packages, machine, argv, clock. Plain data.
            models: name of a weights file -> its SHA-256.
            receivers: their names, in the bench's order.
            transmitters: how many the bench has; as many values has a ledger row for what every transmitter has.
            sources: name -> a file of a third party's scheme, goal or data set, or one that these load.
            flags: names of the bits of the ledger's `flags`, from bit 0 on.
            overwrite: replace an existing file.

        Raises:
            CaptureError: the file is there already.
            OutputError: it cannot be made.
            DiskFullError: no room.
            ShapeError: something in the dictionaries is no plain data; no receiver or transmitter; a name given twice.
        """
        path = Path(path)
        shape = CaptureShape(
            receivers=check_names(receivers, "receivers"), transmitters=transmitters, flags=check_names(flags, "flags")
        )
        texts: dict[str, Any] = {"config": config, "provenance": provenance, "models": models, "receivers": shape.receivers}
        texts["sources"] = {name: asdict(file) for name, file in (sources or {}).items()}
        written = {name: json_text(value, name) for name, value in texts.items()}
        if path.exists() and not overwrite:
            raise CaptureError(f"{path} exists already; choose another name, or ask to overwrite it")
        file = CommittedFile(path)
        writer = cls(file, shape)
        try:
            with file.committing():
                writer._make_tables()
                for name, text in written.items():
                    hdf5.write_text(file.h5, name, text)
            file.publish(overwrite=overwrite)
        except BaseException:
            file.discard()
            raise
        return writer

    def _make_tables(self) -> None:
        h5, rows = self._file.h5, schema.TABLE_ROWS_PER_CHUNK
        h5.attrs[schema.VERSION_ATTRIBUTE] = schema.VERSION
        h5.attrs[schema.TRANSMITTERS_ATTRIBUTE] = self.shape.transmitters
        h5.attrs[schema.FLAGS_ATTRIBUTE] = json_text(self.shape.flags, "flags")
        h5.attrs["complete"] = False
        h5.create_group("points")
        hdf5.extendable(h5, "samples", np.dtype("<i2"), (schema.SAMPLE_ROWS_PER_CHUNK, 2))
        hdf5.extendable(h5, "bursts", schema.BURSTS, (rows,))
        hdf5.extendable(h5, "frame_numbers", np.dtype("<i8"), (rows * 8,))
        hdf5.extendable(h5, "ledger", schema.ledger_dtype(self.shape.transmitters), (rows,))
        hdf5.extendable(h5, "events", schema.EVENTS, (rows,))
        h5.create_dataset("committed", data=self._committed)
        for table, codes in (("ledger", schema.FrameStatus), ("bursts", schema.FrameKind)):
            h5[table].attrs[codes.__name__] = json_text({member.name.lower(): int(member) for member in codes}, table)
        self._take_tables()

    def _take_tables(self) -> None:
        self._tables = {name: self._file.h5[name] for name in (*(schema.COMMITTED.names or ()), "committed")}

    def set_sources(self, sources: Mapping[str, SourceFile]) -> None:
        """Store files of a third party's code anew: some are opened only when it is first called.

        Raises:
            DiskFullError: no room; the capture is as before.
        """
        text = json_text({name: asdict(file) for name, file in sources.items()}, "sources")
        with self._file.committing():
            del self._file.h5["sources"]
            hdf5.write_text(self._file.h5, "sources", text)

    def add_point(
        self,
        name: str,
        *,
        attrs: Mapping[str, Any],
        symbols: NDArray[np.complex64],
        labels: Mapping[str, NDArray[Any]],
        receivers: Sequence[str] | None = None,
        side: Mapping[str, NDArray[Any]] | None = None,
        extra: Mapping[str, NDArray[Any]] | None = None,
    ) -> int:
        """Store what a point is about to send: one scheme at one SNR with fixed radio settings.

        Args:
            name: unique in this capture.
            attrs: plain data: scheme, SNR target, applied radio settings, calibration in force, …
            symbols: normalised transmitted symbols, complex64 [tx, task, use].
            labels: integer arrays [task].
            receivers: who listens, in the order of what is stored of them; None: all of the capture.
            side: what the encoder tells a decoder of a bound beside the air, arrays [task, …].
            extra: further arrays to keep, of any shape; `fade` (drawn fading) is complex64 [tx, task], and `length` (uses that
                a codeword takes) int64 [tx, task].

        Returns:
            the point's index, from 0.

        Raises:
            CaptureError: the name is taken.
            ShapeError: an array of another shape or dtype, or a receiver that the capture does not have.
            DiskFullError: no room; the capture is as before.
        """
        if name in self._points:
            raise CaptureError(f"{self.path} already has a point named {name!r}")
        if not name or "\0" in name:
            raise ShapeError(f"{name!r} cannot name a point: it must be non-empty, without NUL")
        folders = {"labels": labels, "side": side or {}, "extra": extra or {}}
        entry = point_entry(self.shape, attrs=attrs, symbols=symbols, receivers=receivers, folders=folders)
        index = len(self._points)
        with self._file.committing():
            group = self._file.h5.create_group(f"points/{index:04d}")
            group.attrs["name"] = name
            for key, text in entry.texts.items():
                hdf5.write_text(group, key, text)
            hdf5.write_array(group, "symbols", entry.symbols)
            for key, arrays in entry.folders.items():
                hdf5.write_arrays(group, key, arrays)
        self._points[name] = WrittenPoint(entry.receivers, entry.received_shape)
        return index

    def append_burst(
        self,
        point: int,
        heard: Mapping[str, HeardSamples],
        *,
        kind: BurstKind | schema.FrameKind,
        frame_numbers: Sequence[int] | NDArray[Any],
        ledger: Mapping[str, Sequence[Mapping[str, Any]]],
        events: Sequence[Mapping[str, Any]] = (),
        sent_at: Mapping[str, int | None] | None = None,
    ) -> int:
        """Append what the point's receivers heard of one burst and their ledger rows of its frames, all or nothing.

        Args:
            point: index given by `add_point`.
            heard: receiver -> what it heard. One that is missing, or has no samples, heard nothing; an event says why.
            kind: what it was sent for.
            frame_numbers: the frames sent in this burst.
            ledger: receiver -> one row for each of these frames, fields of `schema.ledger_dtype`;
                `point`, `burst`, `receiver` and, if missing, `kind` and `frame` are filled in.
            events: rows of what the radios reported, fields of `schema.EVENTS`; `point` and `exchange` are filled in.
            sent_at: receiver -> its device's sample at which the burst's first sample left transmitter 0, as far as the
                radios know; missing or None: not known. A record: no receiver may look for frames by it.

        Returns:
            the exchange's number in the capture, from 0.

        Raises:
            ShapeError: an array or a row that does not fit, a frame without its row, a receiver that does not listen.
            CaptureError: no such point.
            DiskFullError: no room; the capture is as before, and takes no more.
        """
        content = burst_rows(
            self.shape,
            heard,
            point=point,
            receivers=self._point(point).receivers,
            exchange=self._exchanges,
            before=self._committed[0],
            kind=kind,
            frame_numbers=frame_numbers,
            ledger=ledger,
            events=events,
            sent_at=sent_at or {},
        )
        after = self._committed.copy()
        with self._file.committing():
            for name, rows in content.items():
                hdf5.append(self._tables[name], int(after[0][name]), rows)
                after[name] += len(rows)
            self._tables["committed"].write_direct(after)
        self._committed = after
        self._file.holds = f"{after[0]['bursts']} bursts"
        self._exchanges += 1
        return self._exchanges - 1

    def add_extra(self, point: int, extra: Mapping[str, NDArray[Any]]) -> None:
        """Store further arrays of a point, of any shape, that are known only after its begin.

        Args:
            point: index given by `add_point`.
            extra: by names that it has not yet.

        Raises:
            CaptureError: no such point, or it has an array of such a name.
            DiskFullError: no room; the capture is as before, and takes no more.
        """
        self._point(point)
        kept = hdf5.check_arrays(extra)
        group = self._file.h5[f"points/{point:04d}"]
        if taken := sorted(set(kept) & set(group["extra"])):
            raise CaptureError(f"{self.path}: point {point} has an array {taken[0]!r} already")
        with self._file.committing():
            hdf5.write_arrays(group, "extra", kept)

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
            received_sha256: over the received symbols of all the point's receivers, in its order (`sha256_array`).
            received: the received symbols, complex64 [receiver, task, use], with the point's receivers, tasks and uses.
            valid: whether the point may be used, e.g. its SNR was reached.
            arrays: further arrays to keep, of any shape.

        Raises:
            CaptureError: no such point, or it is finished already.
            ShapeError: an array of another shape or dtype, or with another checksum than the one given.
            DiskFullError: no room; the capture is as before.
        """
        record = self._point(point)
        if record.finished:
            raise CaptureError(f"{self.path}: point {point} is finished already")
        if received is not None:
            if received.dtype != np.complex64 or received.shape != record.received_shape:
                raise ShapeError(
                    f"received must be complex64 [receiver, task, use] = {list(record.received_shape)}, "
                    f"not {received.dtype} {list(received.shape)}"
                )
            if sha256_array(received) != received_sha256:
                raise ShapeError(f"received_sha256 must be that of 'received', not {received_sha256!r}")
        text = json_text(dict(results), "results")
        kept = hdf5.check_arrays(arrays or {})
        with self._file.committing(sync=True):
            group = self._file.h5[f"points/{point:04d}"]
            hdf5.write_text(group, "results", text)
            group.attrs["received_sha256"] = received_sha256
            group.attrs["valid"] = bool(valid)
            if received is not None:
                hdf5.write_array(group, "received", received)
            hdf5.write_arrays(group, "arrays", kept)
        record.finished = True

    def finish(self, results: Mapping[str, Any]) -> None:
        """Store the results of the whole run and mark the capture complete."""
        text = json_text(dict(results), "results")
        with self._file.committing(sync=True):
            hdf5.write_text(self._file.h5, "results", text)
            self._file.h5.attrs["complete"] = True

    def close(self) -> None:
        """Close the file; without `finish` before it, the capture is incomplete, but usable.

        Raises:
            DiskFullError: no room for the last bytes; what was committed is readable.
        """
        self._file.close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._file.release()

    def _point(self, index: int) -> WrittenPoint:
        if not 0 <= index < len(self._points):
            raise CaptureError(f"{self.path} has points 0 to {len(self._points) - 1}, not {index}; add_point comes first")
        return list(self._points.values())[index]


@dataclass
class WrittenPoint:
    """A point, and whether it is over."""

    receivers: tuple[str, ...]
    received_shape: tuple[int, ...]
    finished: bool = False
