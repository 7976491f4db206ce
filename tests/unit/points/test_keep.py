"""What is written of a burst: its samples, a row of the ledger for each receiver, and what the radios said."""

import numpy as np
import pytest

from hil.captures import Capture, CaptureWriter, FrameKind, FrameStatus
from hil.errors import RadioTimeoutError, ReferenceLostError, TransmitRefusedError
from hil.points.keep import keep_burst, keep_failure, sounding_row
from hil.radios.burst import BurstReception, Heard
from hil.radios.contract import StreamEvent


def heard(n, start, seed=0):
    return Heard(samples=np.random.default_rng(seed).integers(-9, 9, (n, 2)).astype(np.int16), start=start)


def event(kind, radio="rx", count=1):
    return StreamEvent(kind=kind, radio=radio, channel=0, position=1234, count=count)


@pytest.fixture
def kept(tmp_path):
    """Write one point with what the function does to it, and give the capture."""
    opened = []

    def run(write, receivers=("near", "far")):
        path = tmp_path / f"{len(opened)}.h5"
        writer = CaptureWriter.create(
            path, config={}, provenance={}, models={}, receivers=receivers, transmitters=2, overwrite=True
        )
        with writer:
            point = writer.add_point("p", attrs={}, symbols=np.zeros((2, 0, 1), np.complex64), labels={})
            write(writer, point)
        opened.append(Capture.open(path))
        return opened[-1]

    yield run
    for capture in opened:
        capture.close()


def row(number=5, status="scored"):
    return {"frame": number, "status": status, "detected": status == "scored"}


def test_each_receivers_samples_and_rows_lie_together(kept):
    got = BurstReception(
        heard={"near": heard(20, 700), "far": heard(30, 9000, 1)}, events=(), sent_at=(750, None), one_time=True
    )
    rows = {"near": row(), "far": row(status="lost")}
    capture = kept(lambda writer, point: keep_burst(writer, got, point, "frame", 5, rows))
    near, far = next(capture.bursts(0, "near")), next(capture.bursts(0, "far"))
    assert np.array_equal(near.samples, got.heard["near"].samples)
    assert np.array_equal(far.samples, got.heard["far"].samples)
    assert (near.start, far.start) == (700, 9000)
    assert (near.kind, list(near.frame_numbers)) == (FrameKind.FRAME, [5])
    assert capture.ledger(0, "near")["status"].tolist() == [FrameStatus.SCORED]
    assert capture.ledger(0, "far")["status"].tolist() == [FrameStatus.LOST]
    table = capture.burst_table()
    assert table["sent_at"].tolist() == [750, 750]  # on one clock, so each receiver's own sample of it


def test_where_clocks_are_not_one_nobody_knows_when_it_was_sent(kept):
    got = BurstReception(heard={"near": heard(20, 700), "far": heard(5, 1)}, events=(), sent_at=(750, None))
    capture = kept(lambda writer, point: keep_burst(writer, got, point, "frame", 5, {"near": row(), "far": row()}))
    assert capture.burst_table()["sent_at"].tolist() == [-1, -1]


def test_what_the_radios_said_is_counted_and_kept(kept):
    events = (event("late", "tx0"), event("underflow", "tx0"), event("underflow", "tx1"), event("overflow"), event("gap"))
    got = BurstReception(heard={"near": heard(20, 0), "far": heard(20, 0)}, events=events, sent_at=(None, None))
    rows = {"near": row(status="lost"), "far": row()}
    capture = kept(lambda writer, point: keep_burst(writer, got, point, "frame", 5, rows))
    for name, status in (("near", FrameStatus.OVERFLOW), ("far", FrameStatus.SCORED)):  # lost, and samples are missing
        (found,) = capture.ledger(0, name)
        assert (found["late"], found["underflow"], found["overflow"]) == (1, 2, 2)
        assert found["status"] == status
    assert sorted(capture.events()["kind"].tolist()) == [b"gap", b"late", b"overflow", b"underflow", b"underflow"]
    assert set(capture.events()["sample"]) == {1234}


def test_a_burst_that_failed_has_a_row_no_samples_and_the_errors_words(kept):
    err = RadioTimeoutError("no answer in 2 s", radio="rx")
    rows = {"near": {"status": "lost"}, "far": {"status": "lost"}}
    capture = kept(lambda writer, point: keep_failure(writer, err, point, "sounding", 9, rows))
    assert capture.burst_table()["count"].tolist() == [0, 0]
    assert capture.ledger(0)["frame"].tolist() == [9, 9]
    (told,) = capture.events()
    assert (told["kind"], told["radio"], told["detail"]) == (b"timeout", b"rx", b"no answer in 2 s")
    unlock = kept(lambda writer, point: keep_failure(writer, ReferenceLostError("x"), point, "frame", 9, rows))
    assert unlock.events()["kind"].tolist() == [b"unlock"]


def test_what_the_limits_forbade_left_no_trace_on_the_air_and_none_here(kept):
    err = TransmitRefusedError("too loud")
    capture = kept(lambda writer, point: keep_failure(writer, err, point, "frame", 9, {"near": row(), "far": row()}))
    assert len(capture.ledger(0)) == len(capture.events()) == len(capture.burst_table()) == 0


def test_a_sounding_that_was_not_heard_is_lost_or_late():
    assert sounding_row(None, 7, 100, whole=True) == {"frame": 7, "status": "lost", "detected": False}
    assert sounding_row(None, 7, 100, whole=False)["status"] == "late"
