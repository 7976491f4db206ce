"""Captures: round trip, kills at random moments and at every single write, full disks, damage, versions."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.captures import (
    Capture,
    CapturePlan,
    CaptureWriter,
    FrameKind,
    FrameStatus,
    check_disk,
    journal,
    keep,
    manifest_problem,
    plan_capture,
    sha256_array,
    verify,
)
from hil.captures.upgrade import upgrade
from hil.cli.captures import captures as cli
from hil.errors import CaptureError, CaptureFormatError, DiskFullError, ShapeError, UnsupportedVersionError

TASKS, USES = 12, 8


def burst_samples(index: int, count: int) -> np.ndarray:
    """Values that tell where they belong; never zero."""
    return ((np.arange(2 * count) + 977 * index) % 30_000 + 1).astype(np.int16).reshape(count, 2)


def symbols(index: int) -> np.ndarray:
    generator = np.random.default_rng(index)
    return generator.standard_normal((2, TASKS, USES, 2)).astype(np.float32).view(np.complex64)[..., 0]


def new_writer(path: Path, **more: bool) -> CaptureWriter:
    return CaptureWriter.create(path, config={"seed": 7}, versions={"hil": "0"}, models={"a": "ff" * 32}, **more)


def add_point(writer: CaptureWriter, index: int) -> int:
    return writer.add_point(
        f"noma@{index}dB",
        attrs={"snr_db": float(index), "gain_db": [1, 2]},
        symbols=symbols(index),
        labels={"identity": np.arange(TASKS)},
        extra={"phase": np.full(5, 0.5)},
    )


def append(writer: CaptureWriter, point: int, index: int, count: int) -> int:
    return writer.append_burst(
        point,
        burst_samples(index, count),
        start=index * 100_000,
        kind="frame",
        frame_numbers=[2 * index, 2 * index + 1],
        ledger=[
            {"status": "scored", "detected": True, "snr_db": [5.0, 6.0], "start": 3},
            {"status": FrameStatus.LOST, "snr_eff_db": -1.5},
        ],
        events=[{"kind": "overflow", "radio": "rx", "sample": 5, "count": 9}] if index % 3 == 0 else [],
    )


def fill(path: Path, points: int = 3, bursts: int = 4, count: int = 700) -> None:
    with new_writer(path) as writer:
        for number in range(points):
            point = add_point(writer, number)
            for burst in range(bursts):
                append(writer, point, number * bursts + burst, count + burst)
            received = symbols(number)[0]
            writer.finish_point(point, results={"top1": 0.5}, received_sha256=sha256_array(received), received=received)
        writer.finish({"points": points})


def check_truth(path: Path) -> int:
    """Every committed burst holds what was sent, and `verify` agrees; returns the count of bursts."""
    report = verify(path)
    assert report.ok, report.problems
    with Capture.open(path) as capture:
        for burst in capture.bursts():
            np.testing.assert_array_equal(burst.samples, burst_samples(burst.index, burst.count))
            np.testing.assert_array_equal(burst.frame_numbers, [2 * burst.index, 2 * burst.index + 1])
        for point in capture.points:
            np.testing.assert_array_equal(point.symbols, symbols(point.index))
        assert len(capture.ledger()) == 2 * capture.committed["bursts"]
        return capture.committed["bursts"]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "capture.h5"
    fill(path)
    assert check_truth(path) == 12
    with Capture.open(path) as capture:
        assert (capture.version, capture.complete, capture.config, capture.results) == (1, True, {"seed": 7}, {"points": 3})
        assert capture.models == {"a": "ff" * 32}
        assert capture.versions == {"hil": "0"}
        point = capture.points[1]
        assert (point.name, point.valid, point.attrs) == ("noma@1dB", True, {"snr_db": 1.0, "gain_db": [1, 2]})
        assert point.labels["identity"].tolist() == list(range(TASKS))
        assert point.extra["phase"].tolist() == [0.5] * 5
        assert point.received is not None
        assert sha256_array(point.received) == point.received_sha256
        assert point.results == {"top1": 0.5}
        bursts = list(capture.bursts(1))
        assert [burst.index for burst in bursts] == [4, 5, 6, 7]
        assert bursts[0].kind is FrameKind.FRAME
        ledger = capture.ledger(1)
        assert ledger["frame"].tolist() == list(range(8, 16))
        assert ledger["status"].tolist() == [1, 2] * 4
        assert ledger["snr_db"][0, :2].tolist() == [5.0, 6.0]
        assert np.isnan(ledger["snr_db"][0, 2:]).all()
        assert ledger["start"].tolist() == [3, -1] * 4
        events = capture.events()
        assert events["burst"].tolist() == [0, 3, 6, 9]
        assert events["kind"][0] == b"overflow"
    with h5py.File(path, "r") as plain:  # and for any other HDF5 reader
        assert plain.attrs["hil_capture_version"] == 1
        assert plain["samples"].fletcher32
        assert plain["samples"].dtype == np.int16
    assert [entry.name for entry in path.parent.iterdir()] == ["capture.h5"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_any_burst_sizes(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.h5"
        with new_writer(path) as writer:
            point = add_point(writer, 0)
            for index, count in enumerate(counts):
                append(writer, point, index, count)
        assert check_truth(path) == len(counts)
        with Capture.open(path) as capture:
            assert [burst.count for burst in capture.bursts()] == counts
            assert not capture.complete
            assert capture.points[0].results is None


def test_killed_at_every_single_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replay the writes to the disk one by one, each also torn in half: every prefix is a capture with all it had."""
    log: list[tuple[int, bytes | None]] = []
    real_write, real_truncate = os.pwrite, os.ftruncate

    def pwrite(fd: int, data: memoryview | bytes, offset: int) -> int:
        log.append((offset, bytes(data)))
        return real_write(fd, data, offset)

    def ftruncate(fd: int, size: int) -> None:
        log.append((size, None))
        real_truncate(fd, size)

    monkeypatch.setattr(journal.os, "pwrite", pwrite)
    monkeypatch.setattr(journal.os, "ftruncate", ftruncate)
    path, crashed = tmp_path / "whole.h5", tmp_path / "crashed.h5"
    with new_writer(path) as writer:
        born = len(log)  # before that the file has no name yet
        done: list[tuple[int, int]] = []  # (length of the log, bursts committed)
        for number in range(2):
            point = add_point(writer, number)
            for burst in range(3):
                append(writer, point, 3 * number + burst, 9_000)
                done.append((len(log), 3 * number + burst + 1))
            writer.finish_point(point, results={}, received_sha256="", received=symbols(number)[0])
        writer.finish({})
    monkeypatch.undo()
    assert len(log) > 100
    pending = 0
    with crashed.open("w+b") as disk:
        for step, (offset, data) in enumerate(log):
            if data is not None and step >= born and len(data) > journal.USERBLOCK:
                disk.seek(offset)
                disk.write(data[: len(data) // 2])
                disk.flush()
                check_truth(crashed)
            if data is None:
                disk.truncate(offset)
            else:
                disk.seek(offset)
                disk.write(data)
            disk.flush()
            if step >= born:
                pending += journal.has_pending_journal(crashed)
                promised = max((bursts for length, bursts in done if length <= step + 1), default=0)
                assert check_truth(crashed) >= promised
    assert pending > 20
    assert crashed.read_bytes() == path.read_bytes()


KILLED = """
import sys; sys.path.insert(0, sys.argv[2])
from pathlib import Path
import test_captures as t
with t.new_writer(Path(sys.argv[1])) as writer:
    index = 0
    for number in range(1000):
        point = t.add_point(writer, number)
        for _ in range(20):
            t.append(writer, point, index, 5000 + 37 * (index % 50))
            index += 1
            print(index, flush=True)
        writer.finish_point(point, results={"n": number}, received_sha256="", received=t.symbols(number)[0])
"""


def kill_at_random(path: Path, generator: random.Random) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        time.sleep(generator.uniform(0, 0.25))
        child.send_signal(signal.SIGKILL)
        acknowledged = ["1", *child.stdout.read().split("\n")[:-1]][-1]
    assert child.returncode == -signal.SIGKILL
    assert check_truth(path) >= int(acknowledged)


@pytest.mark.parametrize("seed", range(int(os.environ.get("HIL_KILLS", "6"))))
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    kill_at_random(tmp_path / "capture.h5", random.Random(seed))


def test_reading_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path) as writer:
        point = add_point(writer, 0)
        for index in range(3):
            append(writer, point, index, 20_000)
            assert check_truth(path) == index + 1


FULL = """
import resource, signal, sys; sys.path.insert(0, sys.argv[2])
from pathlib import Path
import test_captures as t
from hil.errors import DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
index = 0
try:
    with t.new_writer(Path(sys.argv[1])) as writer:
        point = t.add_point(writer, 0)
        for index in range(1000):
            t.append(writer, point, index, 5000)
except DiskFullError as err:
    assert sys.argv[1] in str(err)
    try:
        t.append(writer, point, index, 10)
    except t.CaptureError:
        print(index)
"""


@pytest.mark.parametrize("limit", [100_000, 123_456, 400_001, 1_000_000])
def test_full_disk_leaves_what_was_committed(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "capture.h5"
    command = [sys.executable, "-W", "error", "-c", FULL, str(path), str(Path(__file__).parent), str(limit)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")
    assert check_truth(path) == int(child.stdout)
    assert path.stat().st_size <= limit


def test_disk_full_before_the_first_byte(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DiskFullError, match=r"capture\.h5"):
            new_writer(tmp_path / "capture.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_between_commits_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    writer = new_writer(path)
    append(writer, add_point(writer, 0), 0, 100)
    with pytest.raises(ZeroDivisionError), writer:
        raise ZeroDivisionError
    assert check_truth(path) == 1
    with pytest.raises(CaptureError, match="closed"):
        append(writer, 0, 1, 100)


def test_interrupted_inside_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture.h5"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    writer = new_writer(path)
    append(writer, add_point(writer, 0), 0, 100)
    monkeypatch.setattr("hil.captures.writer._append", stop)
    with pytest.raises(KeyboardInterrupt), writer:
        append(writer, 0, 1, 100)
    assert check_truth(path) == 1


def test_plan_refuses_a_disk_too_small(tmp_path: Path) -> None:
    plan = plan_capture(samples=1_000_000, sample_rate_hz=1e6, frames=100, bursts=50)
    assert plan.bytes > 4_000_000
    assert plan.duration_s == 1.0
    check_disk(plan, tmp_path / "not" / "there" / "capture.h5")
    huge = CapturePlan(samples=1, bytes=10**18, duration_s=1.0)
    with pytest.raises(DiskFullError, match="90%"):
        check_disk(huge, tmp_path / "capture.h5")


def test_plan_is_an_upper_bound_and_close(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path, points=2, bursts=10, count=50_000)
    count = sum(50_000 + burst for _ in range(2) for burst in range(10))
    plan = plan_capture(samples=count, sample_rate_hz=1e6, frames=40, bursts=20, symbols=2 * 2 * 96, received=2 * 96)
    assert path.stat().st_size <= plan.bytes <= 1.4 * path.stat().st_size


@pytest.mark.parametrize("keep_share", [0.0, 0.0005, 0.1, 0.5, 0.9, 0.9999])
def test_truncated(tmp_path: Path, keep_share: float) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep_share * len(whole))])
    with pytest.raises(CaptureFormatError, match=r"capture\.h5"):
        Capture.open(path)
    assert not verify(path).ok


def test_not_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with pytest.raises(CaptureFormatError, match="no such capture"):
        Capture.open(path)
    path.write_bytes(b"PK\x03\x04" * 1000)
    with pytest.raises(CaptureFormatError, match="not HDF5"):
        Capture.open(path)
    with h5py.File(path, "w") as other:
        other["x"] = 1
    with pytest.raises(CaptureFormatError, match="hil_capture_version"):
        Capture.open(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CaptureFormatError):
        Capture.open(path)


def test_missing_parts_and_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    with h5py.File(path, "r+") as raw:
        del raw["ledger"]
    with pytest.raises(CaptureFormatError, match="'ledger' is missing"):
        Capture.open(path)
    with h5py.File(path, "r+") as raw:
        raw.attrs["hil_capture_version"] = 2
    with pytest.raises(UnsupportedVersionError, match=r"version 2.*version 1.*upgrade hil"):
        Capture.open(path)


def test_the_source_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    before, stat = path.read_bytes(), path.stat()
    path.chmod(0o444)
    check_truth(path)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stat.st_mtime_ns


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    whole = bytearray(path.read_bytes())
    with Capture.open(path) as capture:
        ledger, table = capture.ledger(), capture.burst_table()
    spots = {
        "samples": burst_samples(5, 100).tobytes(),
        "ledger": ledger[3:5].tobytes(),
        "bursts": table[2:4].tobytes(),
        "config": b'{"seed": 7}',
        "symbols": symbols(1)[1].tobytes(),
    }
    for name, content in spots.items():
        assert whole.count(content) >= 1, name
        damaged = whole.copy()
        damaged[whole.index(content) + 2] ^= 4
        path.write_bytes(damaged)
        report = verify(path)
        assert not report.ok, name
        assert name in " ".join(report.problems)


def test_verify_survives_any_damage(tmp_path: Path) -> None:
    path, generator = tmp_path / "capture.h5", random.Random(3)
    fill(path, points=2, bursts=2, count=200)
    whole = path.read_bytes()
    for _ in range(150):
        damaged, at = bytearray(whole), generator.randrange(len(whole) - 64)
        damaged[at : at + 16] = generator.randbytes(16)
        path.write_bytes(damaged)
        verify(path)  # a report, whatever it says; never an exception


def test_zeros_in_place_of_samples_are_found(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    with h5py.File(path, "r+") as raw:
        raw["samples"][:700] = 0
        raw["ledger"][3] = np.zeros(1, raw["ledger"].dtype)[0]
    problems = " ".join(verify(path).problems)
    assert "burst 0 is all zeros" in problems
    assert "burst 1 sent frames" in problems
    with h5py.File(path, "r+") as raw:
        raw["committed"][0] = (10**6, 12, 24, 24, 4)
    assert "are committed" in " ".join(verify(path).problems)


def test_versions_are_upgraded_step_by_step() -> None:
    steps = {
        1: lambda tree: {"signal": tree["samples"]} | {key: value for key, value in tree.items() if key != "samples"},
        2: lambda tree: tree | {"events": tree.get("events", [])},
    }
    old = {"@hil_capture_version": 1, "samples": [1, 2]}
    new = upgrade(old, Path("old.h5"), target=3, steps=steps)
    assert new == {"@hil_capture_version": 3, "signal": [1, 2], "events": []}
    assert old == {"@hil_capture_version": 1, "samples": [1, 2]}
    with pytest.raises(CaptureFormatError, match="no way from 2 to 3"):
        upgrade(old, Path("old.h5"), target=3, steps={1: steps[1]})
    with pytest.raises(UnsupportedVersionError, match=r"old\.h5"):
        upgrade({"@hil_capture_version": 4}, Path("old.h5"), target=3, steps=steps)


def test_wrong_arguments(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with pytest.raises(ShapeError, match="config"):
        CaptureWriter.create(path, config={"x": object()}, versions={}, models={})
    with new_writer(path) as writer:
        with pytest.raises(CaptureError, match="exists already"):
            new_writer(path)
        with pytest.raises(CaptureError, match="add_point"):
            append(writer, 0, 0, 10)
        point = add_point(writer, 0)
        with pytest.raises(CaptureError, match="already has a point"):
            add_point(writer, 0)
        with pytest.raises(ShapeError, match="complex64"):
            writer.add_point("x", attrs={}, symbols=np.zeros((1, 2, 3)), labels={})
        with pytest.raises(ShapeError, match="label 'a'"):
            writer.add_point("x", attrs={}, symbols=symbols(0), labels={"a": np.zeros(3, int)})
        good = {"start": 0, "kind": "frame", "frame_numbers": [0]}
        with pytest.raises(ShapeError, match="int16"):
            writer.append_burst(point, np.zeros((3, 2)), **good, ledger=[{}])
        with pytest.raises(ShapeError, match="its ledger row"):
            writer.append_burst(point, burst_samples(0, 3), **good, ledger=[])
        with pytest.raises(ShapeError, match="unknown field 'colour'"):
            writer.append_burst(point, burst_samples(0, 3), **good, ledger=[{"colour": 1}])
        with pytest.raises(ShapeError, match="scored"):
            writer.append_burst(point, burst_samples(0, 3), **good, ledger=[{"status": "fine"}])
        with pytest.raises(ShapeError, match="snr_db"):
            writer.append_burst(point, burst_samples(0, 3), **good, ledger=[{"snr_db": [1.0] * 5}])
        writer.finish_point(point, results={}, received_sha256="")
        with pytest.raises(CaptureError, match="finished already"):
            writer.finish_point(point, results={}, received_sha256="")
    assert verify(path).ok  # none of these left a trace
    assert verify(path).counts["bursts"] == 0
    new_writer(path, overwrite=True).close()
    assert verify(path).counts["points"] == 0


def test_hash_is_of_the_bytes() -> None:
    array = np.arange(6, dtype=np.int16)
    by_hand = hashlib.sha256(bytes([0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0])).hexdigest()
    assert sha256_array(array) == sha256_array(array.astype(">i2")) == sha256_array(array.reshape(2, 3))
    assert sha256_array(array) == by_hand
    assert sha256_array(array.reshape(2, 3).T) != sha256_array(array)


def test_keep_moves_and_lists(tmp_path: Path) -> None:
    run, shelf = tmp_path / "runs" / "first", tmp_path / "captures"
    fill(run / "capture.h5")
    kept = keep(run, shelf, note="a trial")
    assert kept == shelf / "first.h5"
    assert not (run / "capture.h5").exists()
    manifest = json.loads((shelf / "manifest.json").read_text())
    assert manifest["first.h5"]["note"] == "a trial"
    assert manifest_problem(kept) is None
    fill(run / "capture.h5", points=1)
    with pytest.raises(CaptureError, match="--name"):
        keep(run, shelf)
    with kept.open("ab") as file:
        file.write(b"x")
    assert "SHA-256" in str(manifest_problem(kept))


def test_keep_makes_plain_hdf5_of_a_capture_killed_inside_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture.h5"
    writer = new_writer(path)
    append(writer, add_point(writer, 0), 0, 9000)
    real, copies = os.pwrite, []

    def pwrite(fd: int, data: memoryview | bytes, offset: int) -> int:
        copies.append(path.read_bytes())
        return real(fd, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "pwrite", pwrite)
        append(writer, 0, 1, 9000)
    writer.close()
    path.write_bytes(copies[-2])  # some pages in place, some not
    assert verify(path).pending_journal
    kept = keep(path, tmp_path / "captures")
    assert not journal.has_pending_journal(kept)
    assert check_truth(kept) == 2
    with h5py.File(kept, "r") as plain:
        np.testing.assert_array_equal(plain["samples"][9000:18_000], burst_samples(1, 9000))


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_HOME", raising=False)
    fill(tmp_path / "runs" / "first" / "capture.h5")
    path = str(tmp_path / "runs" / "first" / "capture.h5")
    runner = CliRunner()
    good = runner.invoke(cli, ["verify", path])
    assert (good.exit_code, "12 bursts" in good.output) == (0, True)
    info = json.loads(runner.invoke(cli, ["info", path, "--json"]).output)
    assert info["points"][0]["frames"] == {"scored": 4, "lost": 4}
    assert "point 2 noma@2dB: 4 bursts" in runner.invoke(cli, ["info", path]).output
    assert runner.invoke(cli, ["keep", "first"]).exit_code == 0
    kept = Path("captures/first.h5")
    assert runner.invoke(cli, ["verify", str(kept), "--json"]).exit_code == 0
    kept.write_bytes(kept.read_bytes()[:5000])
    bad = runner.invoke(cli, ["verify", str(kept)])
    assert bad.exit_code == 1
    assert "truncated" in bad.output
