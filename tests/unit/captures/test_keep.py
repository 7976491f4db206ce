"""Captures that are kept on the bench, and their manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from hil.captures import journal, keep, manifest_problem, verify
from hil.errors import CaptureError
from tests.unit.captures.support import BOTH, add_point, append, burst_samples, check_truth, fill, new_writer


def test_keep_moves_and_lists(tmp_path: Path) -> None:
    run, shelf = tmp_path / "runs" / "first", tmp_path / "captures"
    fill(run / "capture.h5", receivers=BOTH)
    kept = keep(run, shelf, note="a trial")
    assert kept == shelf / "first.h5"
    assert not (run / "capture.h5").exists()
    entry = json.loads((shelf / "manifest.json").read_text())["first.h5"]
    assert (entry["note"], entry["version"], entry["complete"]) == ("a trial", 2, True)
    assert (entry["counts"]["exchanges"], entry["counts"]["bursts"], entry["counts"]["frames"]) == (12, 24, 24)
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
