"""What must hold in a capture: each check yields a line for each thing that does not."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures.entries import TX_TASK_ARRAYS
from hil.captures.reader import Capture
from hil.captures.records import PointRecord
from hil.captures.rows import sha256_array
from hil.captures.schema import FrameKind, FrameStatus
from hil.errors import CaptureFormatError

__all__ = ["CHECKS", "FOUNDATIONS", "Check"]

Check = Callable[[Capture], Iterable[str]]


def _counters(capture: Capture) -> Iterable[str]:
    stored = capture.stored_rows
    for name, count in capture.committed.items():
        if not 0 <= count <= stored[name]:
            yield f"{count} {name} are committed, but {stored[name]} are there"


def _groups(capture: Capture) -> Iterable[str]:
    names = [point.name for point in capture.points]
    if len(set(names)) != len(names):
        yield f"points share a name: {names}"
    for point in capture.points:
        strangers = [name for name in point.receivers if name not in capture.receivers]
        if strangers:
            yield f"point {point.index} names receiver {strangers[0]!r}; the capture has {', '.join(capture.receivers)}"


def _owners_of_bursts(capture: Capture) -> Iterable[str]:
    table, points, receivers = capture.burst_table(), len(capture.points), len(capture.receivers)
    yield from _rows((table["point"] < 0) | (table["point"] >= points), "burst", f"belongs to no point of the {points}")
    yield from _rows(
        (table["receiver"] < 0) | (table["receiver"] >= receivers), "burst", f"is of no receiver of the {receivers}"
    )
    yield from _rows(~np.isin(table["kind"], [int(kind) for kind in FrameKind]), "burst", "is of an unknown kind")
    steps = np.diff(table["exchange"].astype(np.int64), prepend=-1)
    apart = (steps < 0) | (steps > 1) | (np.arange(len(steps)) == 0) & (steps != 1)
    yield from _rows(apart, "burst", "is neither of the exchange of the burst before it, nor of the next")


def _bursts(capture: Capture) -> Iterable[str]:
    table = capture.burst_table()
    yield from _end_to_end(capture, table["offset"], table["count"], "samples", "burst")
    told = np.isin(table["exchange"], capture.events()["exchange"])
    yield from _rows((table["count"] < 0) | ((table["count"] == 0) & ~told), "burst", "has no samples, and no event says why")


def _exchanges(capture: Capture) -> Iterable[str]:
    table = capture.burst_table()
    first = _first_rows(table)
    lead = table[first]
    yield from _end_to_end(capture, lead["first_number"], lead["numbers"], "frame_numbers", "exchange")
    for name in ("point", "kind", "first_number", "numbers"):
        yield from _rows(table[name] != lead[name][table["exchange"]], "burst", f"has another '{name}' than its exchange")
    listening = [[capture.receivers.index(name) for name in point.receivers] for point in capture.points]
    for rows in np.split(table, first[1:]) if len(table) else ():
        heard, due = rows["receiver"].tolist(), listening[int(rows["point"][0])]
        if heard != due:
            yield f"exchange {rows['exchange'][0]} has bursts of receivers {heard}, its point has {due}"


def _first_rows(table: NDArray[Any]) -> NDArray[np.intp]:
    """Row of the first burst of each exchange; their numbers go up one by one (`_owners_of_bursts`)."""
    return np.flatnonzero(np.diff(table["exchange"].astype(np.int64), prepend=-1))


def _end_to_end(capture: Capture, first: NDArray[Any], count: NDArray[Any], what: str, owner: str) -> Iterable[str]:
    first, count = first.astype(np.int64), count.astype(np.int64)
    ends = np.concatenate([[0], first + count])
    for index in np.flatnonzero(first != ends[:-1]):
        yield f"{owner} {index} begins at row {first[index]} of '{what}', the one before ends at {ends[index]}"
    if ends[-1] != capture.committed[what]:
        yield f"the {owner}s hold {ends[-1]} {what}, {capture.committed[what]} are committed"


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
    yield from _rows(~np.isin(ledger["status"], [int(status) for status in FrameStatus]), "ledger row", "has an unknown status")
    yield from _belongs(ledger, ledger["burst"], table, ("point", "receiver"), "ledger row", "burst")
    named: dict[int, Counter[int]] = {}
    for index, frame in zip(ledger["burst"].tolist(), ledger["frame"].tolist(), strict=True):
        named.setdefault(index, Counter())[frame] += 1
    for burst in capture.bursts():
        sent, rows = burst.frame_numbers.tolist(), named.get(burst.index, Counter())
        if Counter(sent) != rows:
            yield f"burst {burst.index} sent frames {sent[:8]}, its ledger rows name {sorted(rows.elements())[:8]}"


def _events(capture: Capture) -> Iterable[str]:
    events, table = capture.events(), capture.burst_table()
    yield from _belongs(events, events["exchange"], table[_first_rows(table)], ("point",), "event", "exchange")


def _belongs(
    rows: NDArray[Any], owner: NDArray[Any], owners: NDArray[Any], fields: Iterable[str], what: str, owner_name: str
) -> Iterable[str]:
    """Rows name an owner that there is, and the same `fields` as it."""
    known = (owner >= 0) & (owner < len(owners))
    yield from _rows(~known, what, f"belongs to no {owner_name} of the {len(owners)}")
    for name in fields:
        astray = np.zeros(len(rows), bool)
        astray[known] = owners[name][owner[known]] != rows[name][known]
        yield from _rows(astray, what, f"names another {name} than its {owner_name}")


def _rows(wrong: NDArray[np.bool_], what: str, problem: str) -> Iterable[str]:
    for index in np.flatnonzero(wrong):
        yield f"{what} {index} {problem}"


def _texts(capture: Capture) -> Iterable[str]:
    for name in ("config", "provenance", "models", "sources", "flags", "results"):
        try:
            getattr(capture, name)
        except CaptureFormatError as err:
            yield str(err)
    if capture.complete and capture.results is None:
        yield "the capture is marked complete, but has no results"


def _points(capture: Capture) -> Iterable[str]:
    for point in capture.points:
        whole = True
        for name in ("attrs", "symbols", "labels", "side", "extra", "arrays", "results", "received"):
            try:
                getattr(point, name)
            except CaptureFormatError as err:
                yield f"point {point.index} ({point.name}): {err}"
                whole = False
        if whole:
            yield from (f"point {point.index} ({point.name}): {problem}" for problem in _shapes(point, capture.transmitters))


def _shapes(point: PointRecord, transmitters: int) -> Iterable[str]:
    symbols, received = point.symbols, point.received
    if symbols.ndim != 3 or len(symbols) > transmitters:
        yield f"symbols are {list(symbols.shape)}, must be [tx, task, use] with at most {transmitters} transmitters"
        return
    tasks = symbols.shape[1]
    for name, column in point.labels.items():
        if column.shape != (tasks,):
            yield f"label '{name}' has {list(column.shape)} values for {tasks} tasks"
    for name, array in point.side.items():
        if array.shape[:1] != (tasks,):
            yield f"side '{name}' is {list(array.shape)} for {tasks} tasks"
    for name, array in point.extra.items():
        if name in TX_TASK_ARRAYS and array.shape != symbols.shape[:2]:
            yield f"extra '{name}' is {list(array.shape)}, must be [tx, task] = {list(symbols.shape[:2])}"
    if received is not None:
        if received.shape != (due := (len(point.receivers), *symbols.shape[1:])):
            yield f"received is {list(received.shape)}, must be [receiver, task, use] = {list(due)}"
        if sha256_array(received) != point.received_sha256:
            yield "the received symbols do not have the SHA-256 stored with them"


FOUNDATIONS: tuple[Check, ...] = (_counters, _groups, _owners_of_bursts)
"""Where one of these finds something, what follows would stumble over it."""
CHECKS: tuple[Check, ...] = (_bursts, _exchanges, _samples, _ledger, _events, _texts, _points)
