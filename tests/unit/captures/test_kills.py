"""Whatever ends the writer - a kill at any moment or between any two writes, a full disk, an exception - loses no commit.

Every test runs with one receiver and with two: what several receivers heard of a burst is committed together.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.captures import journal
from hil.errors import CaptureError, DiskFullError
from tests.unit.captures.support import BOTH, ONE, add_point, append, check_truth, finish_point, new_writer

ROOT = Path(__file__).resolve().parents[3]
RECEIVERS = [pytest.param(ONE, id="one"), pytest.param(BOTH, id="two")]


def child(code: str, *arguments: object) -> list[str]:
    """A Python process that runs `code` with the test's helpers as `t`."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport tests.unit.captures.support as t\n"
    return [sys.executable, "-W", "error", "-c", start + code, *map(str, arguments)]


@pytest.mark.parametrize("receivers", RECEIVERS)
def test_killed_at_every_single_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receivers: tuple[str, ...]) -> None:
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
    with new_writer(path, receivers) as writer:
        born = len(log)  # before that the file has no name yet
        done: list[tuple[int, int]] = []  # (length of the log, exchanges committed)
        for number in range(2):
            point = add_point(writer, number)
            for burst in range(3):
                append(writer, point, 3 * number + burst, 9_000)
                done.append((len(log), 3 * number + burst + 1))
            finish_point(writer, point, number)
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
                promised = max((exchanges for length, exchanges in done if length <= step + 1), default=0)
                assert check_truth(crashed) >= promised
    assert pending > 20
    assert crashed.read_bytes() == path.read_bytes()


KILLED = """
from pathlib import Path
with t.new_writer(Path(sys.argv[1]), sys.argv[2].split(",")) as writer:
    index = 0
    for number in range(1000):
        point = t.add_point(writer, number)
        for _ in range(20):
            t.append(writer, point, index, 5000 + 37 * (index % 50))
            index += 1
            print(index, flush=True)
        t.finish_point(writer, point, number)
"""


@pytest.mark.parametrize("receivers", RECEIVERS)
@pytest.mark.parametrize("seed", range(int(os.environ.get("HIL_KILLS", "4"))))
def test_killed_at_random_moments(tmp_path: Path, seed: int, receivers: tuple[str, ...]) -> None:
    path, generator = tmp_path / "capture.h5", random.Random(seed)
    with subprocess.Popen(child(KILLED, path, ",".join(receivers)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        time.sleep(generator.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        acknowledged = ["1", *process.stdout.read().split("\n")[:-1]][-1]
    assert process.returncode == -signal.SIGKILL
    assert check_truth(path) >= int(acknowledged)


@pytest.mark.parametrize("receivers", RECEIVERS)
def test_reading_while_it_is_written(tmp_path: Path, receivers: tuple[str, ...]) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, receivers) as writer:
        point = add_point(writer, 0)
        for index in range(3):
            append(writer, point, index, 20_000)
            assert check_truth(path) == index + 1


FULL = """
import resource, signal
from pathlib import Path
from hil.errors import CaptureError, DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
index = 0
try:
    with t.new_writer(Path(sys.argv[1]), sys.argv[2].split(",")) as writer:
        point = t.add_point(writer, 0)
        for index in range(1000):
            t.append(writer, point, index, 5000)
except DiskFullError as err:
    assert sys.argv[1] in str(err)
    try:
        t.append(writer, point, index, 10)
    except CaptureError:
        print(index)
"""


@pytest.mark.parametrize("receivers", RECEIVERS)
@pytest.mark.parametrize("limit", [100_000, 123_456, 400_001, 1_000_000])
def test_full_disk_leaves_what_was_committed(tmp_path: Path, limit: int, receivers: tuple[str, ...]) -> None:
    path = tmp_path / "capture.h5"
    done = subprocess.run(child(FULL, path, ",".join(receivers), limit), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert check_truth(path) == int(done.stdout)
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

    writer = new_writer(path, BOTH)
    append(writer, add_point(writer, 0), 0, 100)
    monkeypatch.setattr("hil.captures.hdf5.append", stop)
    with pytest.raises(KeyboardInterrupt), writer:
        append(writer, 0, 1, 100)
    assert check_truth(path) == 1
