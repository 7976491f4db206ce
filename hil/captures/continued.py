"""Write on in the capture of a run that was killed or ended: what it has on record is handed out again, and written once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import hdf5, schema
from hil.captures.commit import CommittedFile
from hil.captures.entries import BurstKind, CaptureShape, HeardSamples
from hil.captures.reader import Capture
from hil.captures.rows import code, json_text
from hil.captures.writer import CaptureWriter, WrittenPoint
from hil.errors import CaptureError

__all__ = ["FAILURES", "ContinuedWriter", "RecordedExchange", "RecordedSamples"]

FAILURES = ("timeout", "unlock", "disconnect", "failure")
"""Kinds of events that say why an exchange has no samples."""


@dataclass(frozen=True, kw_only=True)
class RecordedSamples:
    """What a receiver heard: raw I/Q int16 [n, 2]; the device's sample that it starts with; and at which it was sent."""

    samples: NDArray[np.int16]
    start: int
    sent_at: int | None


@dataclass(frozen=True, kw_only=True)
class RecordedExchange:
    """An exchange that is on record.

    Attributes:
        heard: by receiver, in the point's order.
        events: rows of `schema.EVENTS`, as dictionaries.
        whole: no transmitter said that a part of it went out late.
        failure: (kind, radio, detail) where a radio failed and nothing was received; None: it did not.
    """

    heard: Mapping[str, RecordedSamples]
    events: Sequence[Mapping[str, Any]]
    whole: bool
    failure: tuple[str, str, str] | None


class ContinuedWriter(CaptureWriter):
    """A capture to which a run goes on writing: made by `ContinuedWriter.reopen`.

    The run does again what it did, and this writer takes what it wrote already for written: it checks that it is the same.
    `recorded` has the exchange that comes next, so that nobody needs to send it. Exchanges of kind "calibration", by which a
    resumed run looks whether its calibration still holds, are no part of this.
    """

    @classmethod
    def reopen(cls, path: str | Path) -> ContinuedWriter:
        """Open a capture that is not complete; its writer must be gone.

        Raises:
            CaptureFormatError: no capture.
            CaptureError: it is complete, or of an older version.
            OutputError: it may not be written to.
        """
        path = Path(path)
        with Capture.open(path) as capture:
            if capture.complete:
                raise CaptureError(f"{path} is complete; nothing can be added to it")
            if capture.file_version != schema.VERSION:
                raise CaptureError(f"{path} is of an older format (version {capture.file_version}); measure in a new run")
            shape = CaptureShape(receivers=capture.receivers, transmitters=capture.transmitters, flags=capture.flags)
            points = {
                one.name: WrittenPoint(one.receivers, (len(one.receivers), *one.symbols.shape[1:]), one.finished)
                for one in capture.points
            }
            record = _Record(capture)
        writer = cls(CommittedFile(path, append=True), shape)
        writer._take_tables()
        writer._committed = np.asarray(writer._tables["committed"][:])
        writer._exchanges, writer._points, writer._record = record.exchanges, points, record
        return writer

    _record: _Record
    _passed = 0
    _taken = 0

    @property
    def on_record(self) -> int:
        """Exchanges that this run has not gone through again yet."""
        return len(self._record.rows) - self._passed

    @property
    def recorded(self) -> RecordedExchange | None:
        """The exchange that is next; None: all that is on record is passed."""
        if not self.on_record:
            return None
        rows = self._record.rows[self._passed]
        heard = {}
        for row in self._record.bursts[rows]:
            first, sent_at = int(row["offset"]), int(row["sent_at"])
            samples = np.asarray(self._tables["samples"][first : first + int(row["count"])], np.int16)
            heard[self.shape.receivers[row["receiver"]]] = RecordedSamples(
                samples=samples, start=int(row["start"]), sent_at=None if sent_at == -1 else sent_at
            )
        events = [_plain(event) for event in self._record.events_of(rows)]
        late = schema.FrameStatus.LATE in self._record.ledger_of(rows)["status"]
        failed = next((one for one in events if one["kind"] in FAILURES), None)
        nothing = failed is not None and not any(len(one.samples) for one in heard.values())
        failure = (failed["kind"], failed["radio"], failed["detail"]) if failed is not None and nothing else None
        return RecordedExchange(heard=heard, events=events, whole=not late, failure=failure)

    def note_session(self, about: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Keep when and from where the run goes on (plain data); with what is noted of earlier times."""
        known = self._file.h5
        before = json.loads(bytes(known["sessions"][0])) if "sessions" in known else []
        noted = [*before, dict(about)]
        text = json_text(noted, "sessions")
        with self._file.committing():
            if "sessions" in known:
                del known["sessions"]
            hdf5.write_text(known, "sessions", text)
        return noted

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
        """As `CaptureWriter.add_point`; the same point that is there already is taken for stored."""
        index, known = self._taken, list(self._points)
        self._taken += 1
        if index >= len(known):
            return super().add_point(
                name, attrs=attrs, symbols=symbols, labels=labels, receivers=receivers, side=side, extra=extra
            )
        stored = self._file.h5[f"points/{index:04d}/symbols"]
        if known[index] != name or not np.array_equal(stored[()], symbols):
            raise self._departs(f"point {index} is '{known[index]}' there, and would be another '{name}' now")
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
        """As `CaptureWriter.append_burst`; what is on record is compared with it, and not written again."""
        if not self.on_record or code(schema.FrameKind, kind, "kind") == schema.FrameKind.CALIBRATION:
            return super().append_burst(
                point, heard, kind=kind, frame_numbers=frame_numbers, ledger=ledger, events=events, sent_at=sent_at
            )
        rows = self._record.rows[self._passed]
        first, known = self._record.bursts[rows[0]], self._record.ledger_of(rows)
        status = [code(schema.FrameStatus, row["status"], "status") for one in ledger.values() for row in one]
        now = (point, code(schema.FrameKind, kind, "kind"), list(map(int, frame_numbers)), status)
        then = (first["point"], first["kind"], self._record.numbers_of(first), known["status"].tolist())
        if now != then:
            raise self._departs(f"exchange {first['exchange']} is {then} there (point, kind, frames, status), and {now} now")
        self._passed += 1
        return int(first["exchange"])

    def add_extra(self, point: int, extra: Mapping[str, NDArray[Any]]) -> None:
        """As `CaptureWriter.add_extra`; what is there already is taken for stored."""
        there = set(self._file.h5[f"points/{point:04d}"].get("extra", ()))
        if new := {name: values for name, values in extra.items() if name not in there}:
            super().add_extra(point, new)

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
        """As `CaptureWriter.finish_point`; what is there of a finished point stays, unless it was received with other bits.

        Another machine, or kernels that were not compiled yet, may round otherwise; the run's results rest on the bits of now.
        """
        record, group = self._point(point), self._file.h5[f"points/{point:04d}"]
        if record.finished:
            if str(group.attrs["received_sha256"]) == received_sha256:
                return
            with self._file.committing():
                for name in {"results", "received", "arrays"} & set(group):
                    del group[name]
            record.finished = False
        super().finish_point(
            point, results=results, received_sha256=received_sha256, received=received, valid=valid, arrays=arrays
        )

    def _departs(self, how: str) -> CaptureError:
        return CaptureError(
            f"{self.path} cannot be gone on with: {how}; resume with the hil and on the machine that began it, or score what "
            "is there with hil replay"
        )


class _Record:
    """The tables of what is on record."""

    def __init__(self, capture: Capture) -> None:
        self.bursts, self._ledger, self._events = capture.burst_table(), capture.ledger(), capture.events()
        self._numbers = [one.frame_numbers.tolist() for one in capture.exchanges()]
        self.exchanges = int(self.bursts["exchange"][-1]) + 1 if len(self.bursts) else 0
        edges = np.flatnonzero(np.diff(self.bursts["exchange"].astype(np.int64), prepend=-1))
        groups = np.split(np.arange(len(self.bursts)), edges[1:]) if len(edges) else []
        self.rows = [rows for rows in groups if self.bursts["kind"][rows[0]] != schema.FrameKind.CALIBRATION]

    def ledger_of(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Its rows of one exchange's bursts, which lie together."""
        first, last = np.searchsorted(self._ledger["burst"], [rows[0], rows[-1] + 1])
        return self._ledger[first:last]

    def events_of(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Its events."""
        number = self.bursts["exchange"][rows[0]]
        first, last = np.searchsorted(self._events["exchange"], [number, number + 1])
        return self._events[first:last]

    def numbers_of(self, burst: Any) -> list[int]:
        """The frames that were sent in a burst's exchange."""
        return [int(number) for number in self._numbers[int(burst["exchange"])]]


def _plain(event: Any) -> dict[str, Any]:
    """A row of the events as plain values."""
    texts = {name: bytes(event[name]).decode("utf-8", "replace") for name in ("kind", "radio", "detail")}
    return texts | {name: int(event[name]) for name in ("channel", "sample", "count")}
