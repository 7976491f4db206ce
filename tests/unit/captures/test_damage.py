"""Files that are no captures, or no longer: named, found, and never an exception of HDF5's."""

from __future__ import annotations

import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from hil.captures import Capture, verify
from hil.errors import CaptureError, CaptureFormatError, UnsupportedVersionError
from tests.unit.captures.support import BOTH, burst_samples, check_truth, fill, symbols

OLD = Path(__file__).resolve().parents[2] / "golden" / "v1" / "written" / "capture.h5"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "capture.h5", receivers=BOTH)
    return tmp_path / "capture.h5"


@pytest.mark.parametrize("keep_share", [0.0, 0.0005, 0.1, 0.5, 0.9, 0.9999])
def test_truncated(path: Path, keep_share: float) -> None:
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


def test_missing_parts_and_newer_version(path: Path) -> None:
    with h5py.File(path, "r+") as raw:
        del raw["ledger"]
    with pytest.raises(CaptureFormatError, match="'ledger' is missing"):
        Capture.open(path)
    with h5py.File(path, "r+") as raw:
        raw.attrs["hil_capture_version"] = 3
    with pytest.raises(UnsupportedVersionError, match=r"version 3.*version 2.*upgrade hil"):
        Capture.open(path)


def test_a_closed_capture_says_so(path: Path) -> None:
    with Capture.open(path) as capture:
        burst = next(capture.bursts())
    with pytest.raises(CaptureError, match="closed"):
        _ = burst.samples


def test_the_source_is_never_changed(path: Path) -> None:
    before, stat = path.read_bytes(), path.stat()
    path.chmod(0o444)
    check_truth(path)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stat.st_mtime_ns


def test_a_flipped_bit_is_found(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    with Capture.open(path) as capture:
        ledger, table = capture.ledger(), capture.burst_table()
    spots = {
        "samples": burst_samples(5, 100, 1).tobytes(),
        "ledger": ledger[3:5].tobytes(),
        "bursts": table[2:4].tobytes(),
        "config": b'{"seed": 7}',
        "receivers": b'["near", "far"]',
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


@pytest.mark.parametrize("version", [1, 2])
def test_verify_survives_any_damage(tmp_path: Path, version: int) -> None:
    path, generator = tmp_path / "capture.h5", random.Random(3)
    if version == 1:
        path.write_bytes(OLD.read_bytes())
    else:
        fill(path, points=2, bursts=2, count=200, receivers=BOTH)
    whole = path.read_bytes()
    for _ in range(150):
        damaged, at = bytearray(whole), generator.randrange(len(whole) - 64)
        damaged[at : at + 16] = generator.randbytes(16)
        path.write_bytes(damaged)
        report = verify(path)  # whatever it says; never an exception
        assert report.path == str(path)


def test_zeros_in_place_of_samples_are_found(path: Path) -> None:
    with h5py.File(path, "r+") as raw:
        raw["samples"][:700] = 0
        raw["ledger"][3] = np.zeros(1, raw["ledger"].dtype)[0]
    problems = " ".join(verify(path).problems)
    assert "burst 0 is all zeros" in problems
    assert "burst 1 sent frames" in problems
    with h5py.File(path, "r+") as raw:
        raw["committed"][0] = (10**6, 12, 24, 24, 4)
    assert "are committed" in " ".join(verify(path).problems)
