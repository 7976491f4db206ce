"""Runs over virtual radios that misbehave: what is told, what is kept, and what a replay makes of it."""

import contextlib

import numpy as np
import pytest

from benchmarks.faults import fault_bench
from hil.captures import Capture, FrameStatus
from hil.captures.verify import verify
from hil.errors import DriverMissingError, RadioError
from hil.radios.virtual.process import serve
from hil.registry import DRIVERS
from hil.runs.config import RunConfig
from hil.runs.replay import config_of, replay
from hil.runs.run import run_on_air
from hil.runs.work import load_work
from tests.conftest import DATASET

pytestmark = pytest.mark.filterwarnings("ignore")
SNRS = (6.0, 12.0, 18.0)


class Listener:
    """A report that calls back after each point."""

    def __init__(self, after_point):
        self.said, self.points, self.saved, self._after_point = [], [], [], after_point

    def say(self, text):
        self.said.append(text)

    @contextlib.contextmanager
    def stage(self, name, total):
        yield lambda steps: None

    def point(self, row):
        self.points.append(row)
        self._after_point(len(self.points))


@pytest.fixture(scope="module")
def work(untrained):
    return load_work(asked(untrained), receivers=["rx"])


def asked(untrained):
    return RunConfig(
        schemes=("single",), dataset=DATASET, snr_db=SNRS, tasks=72, distinct_tasks=12, frame={"tasks_per_frame": 12}, draws=1,
        models=str(untrained),
    )  # fmt: skip


def measure(served, work, untrained, path, after_point):
    """The run's results as plain data, what was told, and the documents that were saved."""
    listener = Listener(after_point)
    config = work.resolved(asked(untrained))
    results = run_on_air(config, served.bench, work, capture=path, report=listener, save=listener.saved.append)
    return results.to_dict(), listener


def again_from(capture, work):
    return replay(capture, config_of(capture, {}), work, Listener(lambda _: None)).to_dict()


@pytest.fixture(params=["uhd", "soapy", "pluto"])
def served(request):
    try:
        DRIVERS.load(request.param)
        with serve(fault_bench(request.param)) as air:
            yield air
    except DriverMissingError as err:
        pytest.skip(str(err))


def test_two_deadlines_that_pass_end_the_point_and_not_the_run(served, work, untrained, tmp_path):
    """A receiver that is silent for five seconds: the second point is given up, the third is measured."""
    path = tmp_path / "capture.h5"
    driver = served.bench.radios["rx"].driver

    def after_point(points):
        if points != 1:
            return
        if driver == "uhd":  # which gives a device up whose control port is silent for so long; so only the stream is
            served.fault("rx", "drop", count=14_000)
        else:  # while the next burst is awaited
            served.fault("rx", "slow", duration_s=5.0, at_s=served.ask("status")["air_s"] + 0.06)

    results, listener = measure(served, work, untrained, path, after_point)
    assert [(item["snr_db_target"], item["frames_planned"]) for item in results["ended_points"]] == [(12.0, 6)]
    assert "radio 'rx': " in results["ended_points"][0]["why"]
    assert any("ended after" in text for text in listener.said)
    air = {row["snr_db_target"]: row for row in results["points"] if row["source"] == "air"}
    assert air[6.0]["ended"] is None
    assert air[6.0]["frames"] == {"sent": 6, "scored": 6, "lost": 0, "gated": 0}
    assert air[18.0]["ended"] is None
    assert air[18.0]["frames"]["scored"] >= 5
    assert air[12.0]["ended"] == results["ended_points"][0]["why"]
    assert air[12.0]["frames"]["lost"] == 2
    assert air[12.0]["tasks"] == 12 * air[12.0]["frames"]["sent"] < 72
    assert {item["snr_db_target"] for item in results["agreement"]} == {6.0, 18.0}
    assert verify(path).problems == ()
    with Capture.open(path) as capture:
        assert capture.complete
        timeouts = capture.events()[capture.events()["kind"] == b"timeout"]
        assert len(timeouts) == 2
        assert set(timeouts["radio"]) == {b"rx"}
        assert (np.array([burst.count for burst in capture.bursts()])[timeouts["exchange"]] == 0).all()
        again = again_from(capture, work)
    assert again["received_sha256"] == results["received_sha256"]
    assert again["verification"]["verified"] == "bits"
    old = {row["snr_db_target"]: row for row in again["points"] if row["source"] == "air"}
    assert {target: (row["top1"], row["tasks"], row["ended"]) for target, row in old.items()} == {
        target: (row["top1"], row["tasks"], row["ended"]) for target, row in air.items()
    }


def test_a_lost_radio_ends_the_run_and_the_capture_says_why(served, work, untrained, tmp_path):
    path = tmp_path / "capture.h5"
    with pytest.raises(RadioError, match="radio '"):
        measure(served, work, untrained, path, lambda points: served.fault("rx", "disconnect") if points == 1 else None)
    assert verify(path).problems == ()
    with Capture.open(path) as capture:
        assert not capture.complete
        assert {b"disconnect", b"timeout"} & set(capture.events()["kind"])
        frames = capture.ledger(1)
        assert (frames["status"] == FrameStatus.SCORED).sum() == 6  # the first point is whole
        again = again_from(capture, work)
    assert next(row["frames"]["scored"] for row in again["points"] if row["source"] == "air") == 6
    assert not any(radio["transmitting"] for radio in served.ask("status")["radios"].values())


def test_a_frame_whose_transmitter_ran_dry_is_not_scored(served, work, untrained, tmp_path):
    """An underflow inside a frame: told, not scored, and the same in replay. A Pluto's burst is sent again instead."""
    path = tmp_path / "capture.h5"
    driver = served.bench.radios["rx"].driver
    results, _ = measure(
        served, work, untrained, path, lambda points: served.fault("tx0", "underflow", samples=700) if points == 1 else None
    )
    air = {row["snr_db_target"]: row for row in results["points"] if row["source"] == "air"}
    assert air[12.0]["frames"] == {
        "sent": 6,
        "scored": 6 if driver == "pluto" else 5,
        "lost": 0 if driver == "pluto" else 1,
        "gated": 0,
    }
    assert air[12.0]["snr_eff_db"] > 9
    with Capture.open(path) as capture:
        assert b"underflow" in set(capture.events()["kind"])
        frames = capture.ledger()
        assert frames["underflow"].sum() >= 1
        assert (frames["status"] == FrameStatus.LATE).sum() == (0 if driver == "pluto" else 1)
        assert again_from(capture, work)["received_sha256"] == results["received_sha256"]
