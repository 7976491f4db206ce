"""Captures whose parts do not agree with each other: `verify` names each case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hil.captures import verify
from tests.unit.captures.support import BOTH, fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "capture.h5", receivers=BOTH)
    return tmp_path / "capture.h5"


def edit(name: str, row: int, field: str, value: int) -> Callable[[Any], None]:
    """A change of one field of a table."""

    def change(raw: Any) -> None:
        table = raw[name][:]
        table[field][row] = value
        raw[name][:] = table

    return change


def drop_last_burst(raw: Any) -> None:
    committed = raw["committed"][:]
    with_samples = int(raw["bursts"]["count"][-1])
    committed["bursts"] -= 1
    committed["samples"] -= with_samples
    committed["ledger"] -= 2
    raw["committed"][:] = committed


def swap_receivers(raw: Any) -> None:
    for name in ("bursts", "ledger"):
        table = raw[name][:]
        table["receiver"] = 1 - table["receiver"]
        raw[name][:] = table


def rewrite(group: str, name: str, text: bytes) -> Callable[[Any], None]:
    def change(raw: Any) -> None:
        del raw[group][name]
        raw[group].create_dataset(name, data=np.array([text]))

    return change


DISAGREEMENTS = {
    "crc": (edit("bursts", 3, "crc32", 1), "samples of burst 3 do not have the checksum"),
    "an exchange without one of its receivers": (
        drop_last_burst,
        "exchange 11 has bursts of receivers [0], its",
    ),
    "receivers in another order": (swap_receivers, "exchange 0 has bursts of receivers [1, 0], its point has [0, 1]"),
    "a burst of a receiver twice": (edit("bursts", 1, "receiver", 0), "exchange 0 has bursts of receivers [0, 0]"),
    "a burst of no receiver": (edit("bursts", 1, "receiver", 2), "burst 1 is of no receiver of the 2"),
    "a burst of no point": (edit("bursts", 1, "point", 3), "burst 1 belongs to no point of the 3"),
    "a burst of an unknown kind": (edit("bursts", 1, "kind", 9), "burst 1 is of an unknown kind"),
    "an exchange of two kinds": (edit("bursts", 1, "kind", 1), "burst 1 has another 'kind' than its exchange"),
    "an exchange of two points": (edit("bursts", 1, "point", 1), "burst 1 has another 'point' than its exchange"),
    "exchanges that skip": (edit("bursts", 23, "exchange", 13), "burst 23 is neither of the exchange"),
    "a first exchange that is not 0": (edit("bursts", 0, "exchange", 1), "burst 0 is neither of the exchange"),
    "samples with a hole": (edit("bursts", 2, "offset", 5), "burst 2 begins at row 5 of 'samples'"),
    "frames with a hole": (edit("bursts", 2, "first_number", 5), "exchange 1 begins at row 5 of 'frame_numbers'"),
    "a ledger row of no burst": (edit("ledger", 2, "burst", 99), "ledger row 2 belongs to no burst of the 24"),
    "a ledger row of another burst": (edit("ledger", 2, "burst", 0), "burst 1 sent frames [0, 1], its ledger rows name [1]"),
    "a ledger row of another receiver": (
        edit("ledger", 2, "receiver", 0),
        "ledger row 2 names another receiver",
    ),
    "a ledger row of another point": (edit("ledger", 2, "point", 1), "ledger row 2 names another point than its burst"),
    "a ledger row twice": (edit("ledger", 2, "frame", 1), "burst 1 sent frames [0, 1], its ledger rows name [1, 1]"),
    "a ledger row of an unknown fate": (edit("ledger", 2, "status", 99), "ledger row 2 has an unknown status"),
    "an event of no exchange": (edit("events", 1, "exchange", 12), "event 1 belongs to no exchange of the 12"),
    "an event of another point": (edit("events", 1, "point", 2), "event 1 names another point than its exchange"),
    "a silent receiver without a word": (edit("bursts", 23, "count", 0), "burst 23 has no samples, and no event says why"),
    "a point with a stranger": (rewrite("points/0001", "receivers", b'["near", "rx"]'), "point 1 names receiver 'rx'"),
    "a text that is no JSON": (rewrite("/", "provenance", b"{"), "'provenance' is no valid JSON"),
    "code of another checksum": (
        rewrite("/", "sources", b'{"a": {"sha256": "00", "text": "x"}}'),
        "'sources' is damaged",
    ),
}


@pytest.mark.parametrize(("change", "problem"), DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_what_does_not_agree_is_named(path: Path, change: Callable[[Any], None], problem: str) -> None:
    assert verify(path).ok
    with h5py.File(path, "r+") as raw:
        change(raw)
    assert problem in "\n".join(verify(path).problems)


def reshape(name: str, array: np.ndarray) -> Callable[[Any], None]:
    def change(raw: Any) -> None:
        del raw["points/0001"][name]
        raw["points/0001"].create_dataset(name, data=array)

    return change


POINTS = {
    "labels/identity": (np.arange(3), "label 'identity' has [3] values for 12 tasks"),
    "side/length": (np.zeros((3, 2)), "side 'length' is [3, 2] for 12 tasks"),
    "extra/fade": (np.zeros((12, 2), np.complex64), "extra 'fade' is [12, 2], must be [tx, task] = [2, 12]"),
    "symbols": (np.zeros((3, 12, 8), np.complex64), "symbols are [3, 12, 8]"),
    "received": (np.zeros((1, 12, 8), np.complex64), "received is [1, 12, 8], must be [receiver, task, use] = [2, 12, 8]"),
}


@pytest.mark.parametrize("name", POINTS)
def test_arrays_of_a_point_that_do_not_fit_are_named(path: Path, name: str) -> None:
    array, problem = POINTS[name]
    with h5py.File(path, "r+") as raw:
        reshape(name, array)(raw)
    assert problem in "\n".join(verify(path).problems)


def test_received_symbols_that_were_changed_are_found(path: Path) -> None:
    with h5py.File(path, "r+") as raw:
        raw["points/0002/received"][1, 3, 4] += 1
    assert "do not have the SHA-256 stored with them" in "\n".join(verify(path).problems)
