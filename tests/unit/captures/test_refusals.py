"""What does not fit into a capture is refused before anything is written, and leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.captures import sha256_array, verify
from hil.errors import CaptureError, ShapeError
from tests.unit.captures.support import (
    BOTH,
    TASKS,
    USES,
    Heard,
    add_point,
    append,
    burst_samples,
    new_writer,
    symbols,
)


def test_wrong_capture(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    for more, message in (
        ({"config": {"x": object()}}, "config"),
        ({"receivers": ()}, "a receiver and a transmitter, not 0 and 2"),
        ({"transmitters": 0}, "a receiver and a transmitter, not 1 and 0"),
        ({"receivers": ("a", "a")}, "each given once"),
        ({"receivers": "rx"}, "receivers must be names"),
        ({"receivers": ("a", "")}, "receivers must be names"),
        ({"flags": ("a", "a")}, "flags must be names"),
    ):
        with pytest.raises(ShapeError, match=message):
            new_writer(path, **more)
    assert list(tmp_path.iterdir()) == []
    with new_writer(path), pytest.raises(CaptureError, match="exists already"):
        new_writer(path)
    new_writer(path, overwrite=True).close()
    assert verify(path).counts["points"] == 0


def test_wrong_points_leave_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, BOTH) as writer:
        add_point(writer, 0)
        with pytest.raises(CaptureError, match="already has a point"):
            add_point(writer, 0)
        good: dict[str, Any] = {"attrs": {}, "symbols": symbols(0), "labels": {}}
        for more, message in (
            ({"symbols": np.zeros((1, 2, 3))}, "complex64"),
            ({"labels": {"a": np.zeros(3, int)}}, "label 'a'"),
            ({"labels": {"a": np.zeros(TASKS)}}, "label 'a'"),
            ({"labels": {"a/b": np.zeros(TASKS, int)}}, "cannot name an array"),
            ({"extra": {"@a": np.zeros(TASKS, int)}}, "cannot name an array"),
            ({"extra": {"a": np.array(["x"])}}, "must hold numbers"),
            ({"extra": {"fade": np.ones((2, TASKS))}}, r"'fade' must be complex64 \[tx, task\]"),
            ({"extra": {"length": np.ones((1, TASKS), np.int64)}}, r"'length' must be int64 \[tx, task\]"),
            ({"side": {"a": np.zeros(TASKS - 1)}}, "side 'a'"),
            ({"side": {"a": np.zeros(())}}, "side 'a'"),
            ({"receivers": ("near", "rx")}, "some of near, far"),
            ({"receivers": ()}, "some of near, far"),
            ({"receivers": ("far", "far")}, "each given once"),
            ({"attrs": {"x": {1, 2}}}, "attrs must be plain data"),
        ):
            with pytest.raises(ShapeError, match=message):
                writer.add_point("x", **good | more)
        with pytest.raises(ShapeError, match="name a point"):
            writer.add_point("a\0b", **good)
    assert verify(path).ok
    assert verify(path).counts["points"] == 1


def test_wrong_bursts_leave_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, BOTH) as writer:
        with pytest.raises(CaptureError, match="add_point comes first"):
            append(writer, 0, 0, 10)
        point = writer.add_point("p", attrs={}, symbols=symbols(0), labels={}, receivers=["near"])
        good: dict[str, Any] = {"heard": {"near": Heard(burst_samples(0, 3), 0)}, "ledger": {"near": [{}]}}
        good |= {"kind": "frame", "frame_numbers": [0]}
        for more, message in (
            ({"heard": {"near": Heard(np.zeros((3, 2)), 0)}}, "int16"),
            (
                {"heard": {"near": Heard(burst_samples(0, 3), 0), "far": Heard(burst_samples(0, 3), 0)}},
                "heard names receiver 'far'",
            ),
            ({"ledger": {"near": [{}], "far": [{}]}}, "ledger names receiver 'far'"),
            ({"sent_at": {"far": 3}}, "sent_at names receiver 'far'"),
            ({"ledger": {}}, "1 frames, 0 rows of 'near'"),
            ({"ledger": {"near": [{}, {}]}}, "1 frames, 2 rows"),
            ({"ledger": {"near": [{"colour": 1}]}}, "unknown field 'colour'"),
            ({"ledger": {"near": [{"status": "fine"}]}}, "scored"),
            ({"ledger": {"near": [{"snr_db": [1.0] * 3}]}}, "snr_db"),
            ({"ledger": {"near": [{"clipped": 2.5}]}}, "a whole number"),
            ({"ledger": {"near": [{"clipped": 2**31}]}}, "a whole number"),
            ({"ledger": {"near": [{"flags": -1}]}}, "a whole number"),
            ({"ledger": {"near": [{"flags": ["dc"]}]}}, "no flag 'dc'; this capture has none"),
            ({"events": [{"burst": 1}]}, "unknown field 'burst'"),
            ({"kind": "noise"}, "frame, sounding, calibration"),
        ):
            with pytest.raises(ShapeError, match=message):
                writer.append_burst(point, **good | more)
    assert verify(path).ok
    assert verify(path).counts["bursts"] == 0


def test_wrong_results_leave_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, BOTH) as writer:
        point = add_point(writer, 0)
        out = np.ones((2, TASKS, USES), np.complex64)
        good: dict[str, Any] = {"results": {}, "received": out, "received_sha256": sha256_array(out)}
        for more, message in (
            ({"received": out[0]}, r"\[receiver, task, use\] = \[2, 12, 8\]"),
            ({"received": out.astype(complex)}, "complex64"),
            ({"received_sha256": ""}, "must be that of 'received'"),
            ({"received": out * 2}, "must be that of 'received'"),
            ({"arrays": {"a": np.array([None])}}, "must hold numbers"),
        ):
            with pytest.raises(ShapeError, match=message):
                writer.finish_point(point, **good | more)
        writer.finish_point(point, **good)
        with pytest.raises(CaptureError, match="finished already"):
            writer.finish_point(point, **good)
    assert verify(path).ok
