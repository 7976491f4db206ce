"""Check a capture from its first byte to its last committed one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures.journal import has_pending_journal
from hil.captures.reader import Capture
from hil.captures.schema import FrameKind, FrameStatus
from hil.errors import CaptureFormatError

__all__ = ["Report", "verify"]

_MOST = 20  # problems of one kind that are worth a line each


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `verify` found.

    Attributes:
        path: the file.
        version: of its format, 0 if it did not open.
        complete: whether the run came to its end.
        pending_journal: the writer was killed inside a commit; hil reads the file whole, other HDF5 readers may not.
        counts: committed samples, bursts, frames, events; points, finished points.
        problems: one line each; empty if all is well.
    """

    path: str
    version: int = 0
    complete: bool = False
    pending_journal: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """No problems."""
        return not self.problems


def verify(path: str | Path) -> Report:
    """Read everything that is committed, and check that it agrees with itself.

    Checksums of every chunk and burst, counters against datasets, bursts against samples, ledger and events against bursts
    and points, and every JSON text. Damage is reported, not raised.
    """
    path = Path(path)
    try:
        capture = Capture.open(path)
    except CaptureFormatError as err:
        return Report(path=str(path), problems=(str(err),))
    problems: list[str] = []

    def attempt(check: Callable[[Capture], Iterable[str]]) -> None:
        try:
            found = list(check(capture))
        except CaptureFormatError as err:
            found = [str(err)]
        problems.extend(found[:_MOST])
        if len(found) > _MOST:
            problems.append(f"… and {len(found) - _MOST} more like it")

    with capture:
        counts = dict(capture.committed)
        for check in (_counters, _groups, _bursts, _samples, _ledger, _events, _texts, _points):
            attempt(check)
            if problems and check in (_counters, _groups):
                break  # the rest would stumble over these
        else:
            counts |= {"points": len(capture.points), "finished_points": sum(point.finished for point in capture.points)}
        return Report(
            path=str(path),
            version=capture.file_version,
            complete=capture.complete,
            pending_journal=has_pending_journal(path),
            counts=counts,
            problems=tuple(dict.fromkeys(problems)),
        )


def _counters(capture: Capture) -> Iterable[str]:
    stored = capture.stored_rows
    for name, count in capture.committed.items():
        if not 0 <= count <= stored[name]:
            yield f"{count} {name} are committed, but {stored[name]} are there"


def _groups(capture: Capture) -> Iterable[str]:
    names = [point.name for point in capture.points]
    if len(set(names)) != len(names):
        yield f"points share a name: {names}"


def _bursts(capture: Capture) -> Iterable[str]:
    table = capture.burst_table()
    points = len(capture.points)
    kinds = [int(kind) for kind in FrameKind]
    for what, total in (("samples", ("offset", "count")), ("frame_numbers", ("first_number", "numbers"))):
        first, count = table[total[0]].astype(np.int64), table[total[1]].astype(np.int64)
        ends = np.concatenate([[0], first + count])
        for index in np.flatnonzero(first != ends[:-1]):
            yield f"burst {index} begins at row {first[index]} of '{what}', the one before ends at {ends[index]}"
        if ends[-1] != capture.committed[what]:
            yield f"the bursts hold {ends[-1]} {what}, {capture.committed[what]} are committed"
    told = np.isin(np.arange(len(table)), capture.events()["burst"])
    yield from _rows((table["count"] < 0) | ((table["count"] == 0) & ~told), "burst", "has no samples, and no event says why")
    yield from _rows((table["point"] < 0) | (table["point"] >= points), "burst", f"belongs to no point of the {points}")
    yield from _rows(~np.isin(table["kind"], kinds), "burst", "is of an unknown kind")


def _samples(capture: Capture) -> Iterable[str]:
    for burst in capture.bursts():
        try:
            samples = np.ascontiguousarray(burst.samples)
        except CaptureFormatError as err:
            yield f"burst {burst.index} cannot be read: {err}"
            continue
        if zlib.crc32(samples.view(np.uint8).data) != burst.crc32:
            yield f"the samples of burst {burst.index} do not have the checksum stored with them"
        if len(samples) and not samples.any():
            yield f"burst {burst.index} is all zeros"


def _ledger(capture: Capture) -> Iterable[str]:
    ledger, table = capture.ledger(), capture.burst_table()
    yield from _owners(ledger, table, "ledger row")
    yield from _rows(~np.isin(ledger["status"], [int(status) for status in FrameStatus]), "ledger row", "has an unknown status")
    numbers = {burst.index: set(burst.frame_numbers.tolist()) for burst in capture.bursts()}
    named: dict[int, set[int]] = {index: set() for index in numbers}
    for row in ledger:
        named.setdefault(int(row["burst"]), set()).add(int(row["frame"]))
    for index, sent in numbers.items():
        if sent != named[index]:
            yield f"burst {index} sent frames {sorted(sent)[:8]}, its ledger rows name {sorted(named[index])[:8]}"


def _events(capture: Capture) -> Iterable[str]:
    yield from _owners(capture.events(), capture.burst_table(), "event")


def _owners(rows: NDArray[Any], bursts: NDArray[Any], what: str) -> Iterable[str]:
    known = (rows["burst"] >= 0) & (rows["burst"] < len(bursts))
    yield from _rows(~known, what, f"belongs to no burst of the {len(bursts)}")
    astray = np.zeros(len(rows), bool)
    astray[known] = bursts["point"][rows["burst"][known]] != rows["point"][known]
    yield from _rows(astray, what, "names another point than its burst")


def _rows(wrong: NDArray[np.bool_], what: str, problem: str) -> Iterable[str]:
    for index in np.flatnonzero(wrong):
        yield f"{what} {index} {problem}"


def _texts(capture: Capture) -> Iterable[str]:
    for name in ("config", "versions", "models", "results"):
        try:
            getattr(capture, name)
        except CaptureFormatError as err:
            yield str(err)


def _points(capture: Capture) -> Iterable[str]:
    for point in capture.points:
        for name in ("attrs", "symbols", "labels", "extra", "arrays", "results", "received"):
            try:
                value = getattr(point, name)
            except CaptureFormatError as err:
                yield f"point {point.index} ({point.name}): {err}"
                continue
            if name == "labels":
                tasks = point.symbols.shape[1] if point.symbols.ndim == 3 else -1
                for label, column in value.items():
                    if column.shape != (tasks,):
                        yield f"point {point.index}: label '{label}' has {list(column.shape)} values for {tasks} tasks"
    if capture.complete and capture.results is None:
        yield "the capture is marked complete, but has no results"
