"""What goes into a capture comes out of it, of one receiver and of several."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hil.captures import Capture, FrameKind, SourceFile, sha256_array, verify
from hil.errors import CaptureError, ShapeError
from tests.unit.captures.support import (
    BOTH,
    TASKS,
    Heard,
    add_point,
    burst_samples,
    check_truth,
    fill,
    new_writer,
    source,
    symbols,
)


def test_round_trip_of_one_receiver(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "capture.h5"
    fill(path)
    assert check_truth(path) == 12
    with Capture.open(path) as capture:
        assert (capture.version, capture.file_version, capture.complete) == (2, 2, True)
        assert (capture.receivers, capture.transmitters, capture.flags) == (("rx",), 2, ())
        assert (capture.config, capture.results, capture.models) == ({"seed": 7}, {"points": 3}, {"a": "ff" * 32})
        assert (capture.provenance, capture.sources) == ({"version": "0"}, {})
        point = capture.points[1]
        assert (point.name, point.valid, point.attrs) == ("noma@1dB", True, {"snr_db": 1.0, "gain_db": [1, 2]})
        assert point.receivers == ("rx",)
        assert point.labels["identity"].tolist() == list(range(TASKS))
        assert point.side["length"].shape == (TASKS, 3)
        assert point.extra["phase"].tolist() == [0.5] * 5
        np.testing.assert_array_equal(point.extra["fade"], symbols(1)[:, :, 0])
        assert point.extra["length"].dtype == np.int64
        assert point.results == {"top1": 0.5}
        bursts = list(capture.bursts(1))
        assert [burst.index for burst in bursts] == [burst.exchange for burst in bursts] == [4, 5, 6, 7]
        assert {burst.kind for burst in bursts} == {FrameKind.FRAME}
        assert bursts[0].sent_at == 400_040
        events = capture.events()
        assert events["exchange"].tolist() == [0, 3, 6, 9]
        assert events["kind"][0] == b"overflow"
        assert capture.events(1)["exchange"].tolist() == [6]
    with h5py.File(path, "r") as plain:  # and for any other HDF5 reader
        assert (plain.attrs["hil_capture_version"], plain.attrs["transmitters"]) == (2, 2)
        assert plain["samples"].fletcher32
        assert plain["samples"].dtype == np.int16
    assert [entry.name for entry in path.parent.iterdir()] == ["capture.h5"]


def test_ledger_rows_and_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path)
    with Capture.open(path) as capture:
        ledger = capture.ledger(1)
    assert ledger["frame"].tolist() == list(range(8, 16))
    assert ledger["status"].tolist() == [1, 2] * 4
    assert ledger["snr_db"][::2].tolist() == [[5.0, 6.0]] * 4
    assert np.isnan(ledger["snr_db"][1::2]).all()
    assert ledger["start"].tolist() == [3, -1] * 4
    assert (ledger["sent"].all(), ledger["receiver"].any()) == (True, False)
    for name in ("noise", "observed_over_stated", "evm_db", "metric"):
        assert np.isnan(ledger[name]).all()
    for name in ("clipped", "clipped_low", "clipped_high", "late", "underflow", "overflow", "flags"):
        assert not ledger[name].any()


def test_what_one_receiver_heard_and_all_of_an_exchange(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    fill(path, receivers=BOTH)
    assert check_truth(path) == 12
    with Capture.open(path) as capture:
        far = list(capture.bursts(2, "far"))
        assert [burst.exchange for burst in far] == [8, 9, 10, 11]
        assert {burst.receiver for burst in far} == {"far"}
        assert [burst.sent_at for burst in far] == [None] * 4
        np.testing.assert_array_equal(far[1].samples, burst_samples(9, far[1].count, 1))
        assert capture.committed["frame_numbers"] == 24  # sent once, whoever listens
        assert [row["frame"] for row in capture.ledger(2, "near")] == list(range(16, 24))
        assert set(capture.ledger(receiver="far")["burst"].tolist()) == set(range(1, 24, 2))
        assert len(capture.ledger()) == 48
        exchange = list(capture.exchanges(1))[2]
        assert (exchange.index, exchange.point, list(exchange.heard)) == (6, 1, ["near", "far"])
        assert capture.counts == {
            "samples": sum(burst.count for burst in capture.bursts()),
            "exchanges": 12, "bursts": 24, "frames": 24, "ledger_rows": 48, "events": 4,
        }  # fmt: skip
        with pytest.raises(CaptureError, match=r"no receiver 'rx'; it has near, far"):
            list(capture.bursts(receiver="rx"))
        with pytest.raises(CaptureError, match="no receiver 'rx'"):
            capture.ledger(receiver="rx")


def test_a_point_of_some_receivers_in_an_order_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    out = np.stack([symbols(0)[0], symbols(0)[1] * 2])
    with new_writer(path, ("a", "b", "c")) as writer:
        point = writer.add_point("p", attrs={}, symbols=symbols(0), labels={}, receivers=("c", "a"))
        heard = {"a": Heard(burst_samples(0, 10), 5), "c": Heard(burst_samples(1, 20), 6)}
        ledger = {"a": [{"status": "lost"}], "c": [{"status": "scored"}]}
        writer.append_burst(point, heard, kind="sounding", frame_numbers=[3], ledger=ledger, sent_at={"a": 7, "c": None})
        writer.finish_point(point, results={}, received_sha256=sha256_array(out), received=out)
    assert verify(path).ok
    with Capture.open(path) as capture:
        (exchange,) = capture.exchanges()
        assert [(name, burst.start, burst.sent_at, burst.count) for name, burst in exchange.heard.items()] == [
            ("c", 6, None, 20),
            ("a", 5, 7, 10),
        ]
        assert exchange.kind is FrameKind.SOUNDING
        assert capture.points[0].receivers == ("c", "a")
        assert capture.ledger(receiver="a")["status"].tolist() == [2]
        np.testing.assert_array_equal(capture.points[0].received, out)


def test_a_receiver_that_heard_nothing_is_explained_by_an_event(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    burst: dict[str, Any] = {"kind": "frame", "frame_numbers": [0], "ledger": {name: [{}] for name in BOTH}}
    with new_writer(path, BOTH) as writer:
        point = add_point(writer, 0)
        near = Heard(burst_samples(0, 50), 9)
        for heard in ({}, {"near": near}, {"near": near, "far": Heard(np.zeros((0, 2), np.int16), 77)}):
            with pytest.raises(ShapeError, match="unless an event says why"):
                writer.append_burst(point, heard, **burst)
            writer.append_burst(point, heard, **burst, events=[{"kind": "timeout", "radio": "far", "detail": "x" * 200}])
    assert verify(path).ok
    with Capture.open(path) as capture:
        assert [(burst.count, burst.start) for burst in capture.bursts(receiver="far")] == [(0, -1)] * 3
        assert [burst.count for burst in capture.bursts(receiver="near")] == [0, 50, 50]
        assert len(capture.ledger()) == 6
        assert capture.events()["detail"][0] == b"x" * 128


def test_many_transmitters(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, transmitters=9) as writer:
        point = writer.add_point("p", attrs={}, symbols=symbols(0, 9), labels={})
        row = {"snr_db": np.arange(9), "cfo_hz": [1.5], "delay_samples": 2.5}
        heard = {"rx": Heard(burst_samples(0, 5), 0)}
        writer.append_burst(point, heard, kind="frame", frame_numbers=[0], ledger={"rx": [row]})
        with pytest.raises(ShapeError, match=r"snr_db.*at most 9 values"):
            writer.append_burst(point, heard, kind="frame", frame_numbers=[0], ledger={"rx": [{"snr_db": [0.0] * 10}]})
        with pytest.raises(ShapeError, match="at most 9 transmitters"):
            writer.add_point("q", attrs={}, symbols=symbols(0, 10), labels={})
    assert verify(path).ok
    with Capture.open(path) as capture:
        (ledger,) = capture.ledger()
        assert capture.transmitters == 9
        assert ledger["snr_db"].tolist() == list(range(9))
        assert ledger["cfo_hz"][0] == 1.5
        assert ledger["delay_samples"][0] == 2.5
        assert np.isnan(ledger["cfo_hz"][1:]).all()


def test_flags_by_name_and_by_number(tmp_path: Path) -> None:
    path = tmp_path / "capture.h5"
    with new_writer(path, flags=("dc", "iq_image", "tone")) as writer:
        point = add_point(writer, 0)
        burst: dict[str, Any] = {"heard": {"rx": Heard(burst_samples(0, 5), 0)}, "kind": "frame"}
        rows = [{"flags": ["tone", "dc"]}, {"flags": 2}, {"flags": []}, {}]
        writer.append_burst(point, **burst, frame_numbers=range(4), ledger={"rx": rows})
        with pytest.raises(ShapeError, match=r"no flag 'clip'; this capture has dc, iq_image, tone"):
            writer.append_burst(point, **burst, frame_numbers=[0], ledger={"rx": [{"flags": ["clip"]}]})
    with Capture.open(path) as capture:
        assert capture.flags == ("dc", "iq_image", "tone")
        assert capture.ledger()["flags"].tolist() == [0b101, 2, 0, 0]
    with pytest.raises(ShapeError, match="at most 32"):
        new_writer(tmp_path / "other.h5", flags=[f"f{index}" for index in range(33)])


def test_sources_keep_code_and_know_files(tmp_path: Path) -> None:
    code, weights = tmp_path / "scheme.py", tmp_path / "weights.bin"
    code.write_bytes("x = 'ä'\r\n".encode())
    weights.write_bytes(b"\xff\x00")
    files = {"scheme.py": SourceFile.read(code, text=True), "weights.bin": SourceFile.read(weights, text=False)}
    assert SourceFile.read(weights, text=True).text is None  # no UTF-8: its checksum still refuses another
    path = tmp_path / "capture.h5"
    new_writer(path, sources=files).close()
    with Capture.open(path) as capture:
        assert capture.sources == files
        assert capture.sources["scheme.py"].text == "x = 'ä'\r\n"
        assert capture.sources["weights.bin"].sha256 == hashlib.sha256(b"\xff\x00").hexdigest()
    with pytest.raises(ShapeError, match="SHA-256"):
        dataclasses.replace(source("a"), text="b")
    with pytest.raises(CaptureError, match=r"gone\.py"):
        SourceFile.read(tmp_path / "gone.py", text=True)


def test_text_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    odd = b"caf\xe9".decode("utf-8", "surrogateescape")  # as Python gives a file's name of other bytes
    path = tmp_path / "capture.h5"
    with new_writer(path, provenance={"argv": [odd, "naïve"]}) as writer:
        point = add_point(writer, 0)
        events = [{"kind": "failure", "detail": odd}]
        writer.append_burst(point, {}, kind="frame", frame_numbers=[], ledger={}, events=events)
    with Capture.open(path) as capture:
        assert capture.provenance == {"argv": [odd, "naïve"]}
        assert capture.events()["detail"][0] == b"caf?"


def test_hash_is_of_the_bytes() -> None:
    array = np.arange(6, dtype=np.int16)
    by_hand = hashlib.sha256(bytes([0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0])).hexdigest()
    assert sha256_array(array) == sha256_array(array.astype(">i2")) == sha256_array(array.reshape(2, 3))
    assert sha256_array(array) == by_hand
    assert sha256_array(array.reshape(2, 3).T) != sha256_array(array)


def test_arrays_may_come_while_a_point_is_sent(tmp_path: Path) -> None:
    """What is known only then, such as an alignment; a name that is taken is refused, and the capture goes on."""
    path = tmp_path / "capture.h5"
    with new_writer(path) as writer:
        point = add_point(writer, 0)
        writer.add_extra(point, {"alignment.0": np.arange(3.0)})
        with pytest.raises(CaptureError, match=r"has an array 'alignment\.0' already"):
            writer.add_extra(point, {"alignment.0": np.arange(4.0)})
        writer.add_extra(point, {"alignment.1": np.ones((2, 2), np.complex64)})
        with pytest.raises(CaptureError, match="add_point comes first"):
            writer.add_extra(point + 1, {"alignment.0": np.arange(3.0)})
    with Capture.open(path) as capture:
        extra = capture.points[0].extra
        assert sorted(extra) == ["alignment.0", "alignment.1", "fade", "length", "phase"]
        assert extra["alignment.0"].tolist() == [0, 1, 2]
        assert extra["alignment.1"].dtype == np.complex64
    assert verify(path).ok
