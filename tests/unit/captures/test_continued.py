"""A capture that is written on: what is there is handed out and not written twice, and what departs from it is refused."""

import os
import signal

import numpy as np
import pytest

from hil.captures import Capture, ContinuedWriter, verify
from hil.errors import CaptureError, EarlierFailureError, RadioTimeoutError
from hil.points.past import received_before
from tests.unit.captures.support import BOTH, add_point, append, burst_samples, new_writer


def started(path, bursts=3):
    """One point with bursts, its writer killed."""
    child = os.fork()
    if not child:
        writer = new_writer(path, BOTH)
        add_point(writer, 0)
        for index in range(bursts):
            append(writer, 0, index, 40)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_what_is_on_record_is_passed_and_what_is_new_is_written(tmp_path):
    started(tmp_path / "x.h5")
    with ContinuedWriter.reopen(tmp_path / "x.h5") as writer:
        assert add_point(writer, 0) == 0
        for index in range(3):
            assert writer.on_record == 3 - index
            for number, name in enumerate(BOTH):
                heard = writer.recorded.heard[name]
                np.testing.assert_array_equal(heard.samples, burst_samples(index, 40 + 3 * number, number))
                assert heard.start == index * 100_000 + number
            assert append(writer, 0, index, 40) == index
        assert writer.recorded is None
        assert append(writer, 0, 3, 40) == 3
        assert add_point(writer, 1) == 1
        append(writer, 1, 4, 40)
        assert len(writer.note_session({"n": 1})) == 1
        assert len(writer.note_session({"n": 2})) == 2
    assert verify(tmp_path / "x.h5").ok
    with Capture.open(tmp_path / "x.h5") as capture:
        assert [one.frame_numbers.tolist() for one in capture.exchanges()] == [[2 * n, 2 * n + 1] for n in range(5)]
        assert [one.name for one in capture.points] == ["noma@0dB", "noma@1dB"]


def test_another_course_is_refused(tmp_path):
    started(tmp_path / "x.h5")
    with ContinuedWriter.reopen(tmp_path / "x.h5") as writer, pytest.raises(CaptureError, match="would be another"):
        add_point(writer, 1)
    with ContinuedWriter.reopen(tmp_path / "x.h5") as writer:
        add_point(writer, 0)
        with pytest.raises(CaptureError, match="exchange 0 is"):
            append(writer, 0, 1, 40)
    assert verify(tmp_path / "x.h5").counts["exchanges"] == 3


def test_a_complete_capture_takes_nothing_more(tmp_path):
    with new_writer(tmp_path / "x.h5") as writer:
        writer.finish({})
    with pytest.raises(CaptureError, match="complete"):
        ContinuedWriter.reopen(tmp_path / "x.h5")


@pytest.mark.parametrize(("kind", "error"), [("timeout", RadioTimeoutError), ("disconnect", EarlierFailureError)])
def test_a_radio_that_failed_fails_again_in_the_record(tmp_path, kind, error):
    with new_writer(tmp_path / "x.h5") as writer:
        add_point(writer, 0)
        writer.append_burst(
            0,
            {},
            kind="frame",
            frame_numbers=[5],
            ledger={"rx": [{"status": "lost"}]},
            events=[{"kind": kind, "detail": "gone"}],
        )
    with ContinuedWriter.reopen(tmp_path / "x.h5") as writer, pytest.raises(error, match="gone"):
        received_before(writer, 2)
