"""A reader beside the writer: what it takes in is what was committed, whatever the writer does meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.captures import Capture, Tail, journal
from hil.errors import CaptureFormatError
from tests.conftest import ROOT
from tests.unit.captures.support import BOTH, add_point, append, burst_samples, fill, finish_point, new_writer
from tests.unit.captures.test_kills import KILLED, child

Log = list[tuple[int, bytes | None]]


def check(tail: Tail) -> int:
    """Rows are those of the exchanges so far, in order, with their samples; returns how many bursts there are."""
    bursts, ledger, near = tail.bursts, tail.ledger, len(tail.receivers)
    index = np.arange(len(bursts))
    np.testing.assert_array_equal(bursts["exchange"], index // max(near, 1))
    np.testing.assert_array_equal(bursts["start"], bursts["exchange"] * 100_000 + bursts["receiver"])
    np.testing.assert_array_equal(ledger["burst"], np.arange(len(ledger)) // 2)
    assert len(ledger) == 2 * len(bursts)
    assert [one.name for one in tail.points] == [f"noma@{number}dB" for number in range(len(tail.points))]
    assert len(bursts) == 0 or bursts["point"].max() < len(tail.points)
    if len(bursts):
        last = len(bursts) - 1
        samples = tail.samples(last)
        if samples is not None:
            expected = burst_samples(int(bursts[last]["exchange"]), len(samples), int(bursts[last]["receiver"]))
            np.testing.assert_array_equal(samples, expected)
    return len(bursts)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Log, int, int]:
    """All writes of a short run; how many come before the file has its name; how many bursts it has."""
    log: Log = []
    real_write, real_truncate = os.pwrite, os.ftruncate

    def pwrite(fd: int, data: memoryview | bytes, offset: int) -> int:
        log.append((offset, bytes(data)))
        return real_write(fd, data, offset)

    def ftruncate(fd: int, size: int) -> None:
        log.append((size, None))
        real_truncate(fd, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal.os, "pwrite", pwrite)
        patch.setattr(journal.os, "ftruncate", ftruncate)
        with new_writer(tmp_path_factory.mktemp("tail") / "whole.h5", BOTH) as writer:
            born = len(log)
            for number in range(2):
                point = add_point(writer, number)
                for burst in range(3):
                    append(writer, point, 3 * number + burst, 9_000)
                finish_point(writer, point, number)
            writer.finish({})
    return log, born, 12


class Disk:
    """The file as it stands after so many writes."""

    def __init__(self, path: Path, log: Log) -> None:
        self.path, self._log, self.step = path, log, 0
        path.touch()

    def advance(self, count: int) -> None:
        with self.path.open("r+b") as disk:
            for offset, data in self._log[self.step : self.step + count]:
                if data is None:
                    disk.truncate(offset)
                else:
                    disk.seek(offset)
                    disk.write(data)
        self.step = min(self.step + count, len(self._log))


def test_between_any_two_writes(written, tmp_path):
    log, born, bursts = written
    disk = Disk(tmp_path / "growing.h5", log)
    disk.advance(born)
    tail, seen = Tail(disk.path), 0
    while disk.step < len(log):
        tail.look()
        assert check(tail) >= seen
        seen = check(tail)
        disk.advance(1)
    tail.look()
    assert check(tail) == bursts
    assert tail.complete


@pytest.mark.parametrize("where", ["opened", "noted"])
@pytest.mark.parametrize("ahead", [1, 25])
def test_writes_in_the_midst_of_a_look_are_never_taken_for_data(written, tmp_path, ahead, where):
    """They come after the file was opened, or after its state was noted, and before its tables are read."""
    log, born, bursts = written
    disk = Disk(tmp_path / "growing.h5", log)
    disk.advance(born)
    threw_away = 0

    class Overtaken(Tail):
        @contextmanager
        def _opened(self) -> Iterator[Any]:
            with super()._opened() as h5:
                disk.advance(left.pop() if left and where == "opened" else 0)
                yield h5

        def _state(self, counters: int) -> tuple[bytes, bytes]:
            state = super()._state(counters)
            disk.advance(left.pop() if left and where == "noted" else 0)
            return state

    kept = Overtaken(disk.path)
    while disk.step + ahead < len(log):
        for tail in (Overtaken(disk.path), kept):
            left = [ahead]
            threw_away += tail._tried() is None
            check(tail)
        disk.advance(3)
    assert threw_away > 0 or ahead == 1
    disk.advance(len(log))
    kept.look()
    assert check(kept) == bursts


def test_beside_a_writer_at_full_speed(tmp_path):
    path = tmp_path / "capture.h5"
    with subprocess.Popen(child(KILLED, path, ",".join(BOTH)), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
            tail, news, looks = Tail(path), 0, 40
            for _ in range(looks):
                news += tail.look()
                check(tail)
                time.sleep(0.02)
        finally:
            process.kill()
    assert news > looks // 2
    assert len(tail.bursts) > 50
    assert tail.config == {"seed": 7}
    assert not tail.complete


def test_a_run_that_was_killed_inside_a_commit_is_read_from_its_journal(written, tmp_path):
    log, born, _ = written
    disk = Disk(tmp_path / "killed.h5", log)
    disk.advance((born + len(log)) // 2)
    while not journal.has_pending_journal(disk.path):
        disk.advance(1)
    tail = Tail(disk.path)
    assert tail.look()
    assert check(tail) > 0


def test_another_capture_in_its_place_is_begun_anew(tmp_path):
    path = tmp_path / "capture.h5"
    tail = Tail(path)
    assert not tail.look()  # not there yet
    fill(path, points=2)
    assert tail.look()
    assert tail.complete
    fill(tmp_path / "new.h5", points=1, receivers=BOTH)
    (tmp_path / "new.h5").replace(path)
    assert tail.look()
    assert (tail.generation, tail.receivers, len(tail.points)) == (1, BOTH, 1)
    assert check(tail) == 8


def test_an_older_format_reads_the_same():
    path = ROOT / "tests/golden/v1/single/capture.h5"
    tail = Tail(path)
    assert tail.look()
    with Capture.open(path) as capture:
        np.testing.assert_array_equal(tail.bursts, capture.burst_table())
        np.testing.assert_array_equal(tail.samples(1), next(one for one in capture.bursts() if one.index == 1).samples)
    beside = Tail(path)  # another page's
    assert beside.look()
    np.testing.assert_array_equal(tail.samples(2), beside.samples(2))


def test_a_file_that_is_no_capture_is_named(tmp_path):
    path = tmp_path / "notes.h5"
    path.write_text("nothing of the kind" * 100)
    tail = Tail(path)
    with pytest.raises(CaptureFormatError, match=r"notes\.h5 is not a capture"):
        any(tail.look() for _ in range(100))
