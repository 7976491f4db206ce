"""Runs whose schemes share the air, measured twice: the same in replay, and what is kept of one that is stopped in between."""

import contextlib

import numpy as np
import pytest

from hil.captures import Capture, FrameKind
from hil.radios.bench import find_bench
from hil.runs.config import RunConfig
from hil.runs.replay import config_of, replay
from hil.runs.run import run_on_air
from hil.runs.work import load_work
from tests.conftest import DATASET

SCHEMES = ("jscc-single", "jscc-noma")


class Listener:
    """A report that stops the run after so many frames, if at all."""

    def __init__(self, stop_after=None):
        self.points, self._left = [], stop_after

    def say(self, text):
        pass

    def point(self, row):
        self.points.append(row)

    @contextlib.contextmanager
    def stage(self, name, total):
        yield self._frame if name == "on the air" else lambda steps: None

    def _frame(self, steps):
        if self._left is not None:
            self._left -= steps
            if self._left <= 0:
                self._left = None
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def work(untrained):
    return load_work(asked(untrained), receivers=["rx"])


def asked(untrained, **more):
    return RunConfig(
        schemes=SCHEMES, goals=("retrieval",), dataset=DATASET, snr_db=(6.0, 12.0), tasks=48, distinct_tasks=12, draws=1,
        frame={"tasks_per_frame": 6}, models=str(untrained), repeat=2, **more,
    )  # fmt: skip


def measured(work, untrained, path, **more):
    listener = Listener(more.pop("stop_after", None))
    saved = []
    try:
        run_on_air(
            work.resolved(asked(untrained, **more)), find_bench("builtin"), work, capture=path, report=listener,
            save=saved.append,
        )  # fmt: skip
    except KeyboardInterrupt:
        assert saved[0].status == "stopped"
    return saved[0], listener


def again(path, work):
    with Capture.open(path) as capture:
        return replay(capture, config_of(capture, {}), work, Listener())


def air(document):
    return [row for row in document.points if row.source == "air"]


@pytest.fixture(scope="module")
def run(work, untrained, tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "capture.h5"
    return (path, *measured(work, untrained, path))


def order_of(path):
    """Point of each frame, in the order sent."""
    with Capture.open(path) as capture:
        ledger = capture.ledger()
        return ledger["point"][ledger["kind"] == FrameKind.FRAME].tolist()


def test_all_snrs_are_measured_once_before_the_first_one_again(run):
    order = order_of(run[0])
    assert len(order) == 4 * 16
    visits = np.reshape(order, (4, 16))
    assert [sorted(set(visit)) for visit in visits.tolist()] == [[1, 2], [3, 4], [1, 2], [3, 4]]
    assert all(visit != sorted(visit) for visit in visits.tolist())  # frames of both, mixed
    assert visits[0].tolist() != visits[2].tolist()


def test_a_row_is_both_measurements_and_says_what_each_gave(run):
    _, document, listener = run
    rows = air(document)
    assert [(row.snr_db_target, row.scheme) for row in rows] == [(snr, name) for snr in (6.0, 12.0) for name in SCHEMES]
    assert [row.tasks for row in rows] == [96] * 4
    assert [row.frames["scored"] for row in rows] == [16] * 4
    assert len(listener.points) == 4
    for row, item in zip(rows, document.repeats, strict=True):
        assert (item.scheme, item.snr_db_target, item.visits) == (row.scheme, row.snr_db_target, 2)
        assert np.mean(item.values) == pytest.approx(row.headline[1].value)
        assert item.snr_db == pytest.approx([row.snr_db_target] * 2, abs=1.2)
        assert np.std(item.values, ddof=1) == pytest.approx(item.deviation)


def test_a_replay_finds_the_same(run, work):
    path, document, _ = run
    found = again(path, work)
    assert found.verification["verified"] == "bits"
    assert found.received_sha256 == document.received_sha256
    assert [row.model_dump() for row in air(found)] == [row.model_dump() for row in air(document)]
    assert found.repeats == document.repeats


def test_one_scheme_after_the_other_on_demand(work, untrained, tmp_path):
    measured(work, untrained, tmp_path / "c.h5", interleave=False, stop_after=16)
    assert order_of(tmp_path / "c.h5") == [1] * 8 + [2] * 8


def test_what_was_sent_of_a_stopped_run_is_scored_as_a_replay_does(work, untrained, tmp_path):
    """Stopped in the second SNR's second measurement: the first SNR is whole, two points are cut short."""
    path = tmp_path / "capture.h5"
    document, _ = measured(work, untrained, path, stop_after=56)
    rows = air(document)
    assert [row.model_extra["ended"] is None for row in rows] == [True, True, False, False]
    for row, item in zip(rows[2:], document.ended_points, strict=True):
        sent = row.frames["sent"]
        assert row.model_extra["ended"] == f"cut short after {sent} of 16 frames ({6 * sent} of 96 tasks): the run was stopped"
        assert (item["scheme"], item["frames_sent"], item["why"]) == (row.scheme, sent, row.model_extra["ended"])
    assert sum(row.frames["sent"] for row in rows) == 56
    found = again(path, work)
    assert [row.model_dump() for row in air(found)] == [row.model_dump() for row in rows]
    assert found.received_sha256 == document.received_sha256
