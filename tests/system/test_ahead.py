"""Simulating while the air is busy: the same results, and nothing goes on when a run is stopped."""

import threading

import pytest

import hil
from hil.runs import ahead
from hil.runs.progress import Silent
from tests.conftest import DATASET

SETTINGS = {
    "schemes": ("single", "noma"), "dataset": DATASET, "snr_db": (0.0, 12.0), "tasks": 24, "distinct_tasks": 12, "draws": 3,
    "frame": {"tasks_per_frame": 12},
}  # fmt: skip


class Stops(Silent):
    """A report to which somebody presses Ctrl-C at the second point."""

    seen = 0

    def point(self, row):
        self.seen += 1
        if self.seen == 2:
            raise KeyboardInterrupt


def threads():
    return [one.name for one in threading.enumerate() if one.name.startswith("simulation")]


def test_what_is_simulated_ahead_is_what_is_simulated_at_the_end(untrained, tmp_path, monkeypatch):
    given = []
    of = ahead.Ahead.of
    monkeypatch.setattr(ahead.Ahead, "of", lambda self, point: given.append(of(self, point)) or given[-1])
    documents = []
    for number, ours in enumerate((True, False)):
        monkeypatch.setattr(ahead, "_is_ours", lambda contender, ours=ours: ours)
        documents.append(hil.run(**SETTINGS, models=str(untrained), out=tmp_path, name=str(number)).to_dict())
    assert [one is None for one in given] == [False] * 4 + [True] * 4
    for key in ("points", "agreement", "comparisons", "means"):
        assert documents[0][key] == documents[1][key]
    assert not threads()


def test_a_run_that_is_stopped_leaves_no_simulation_behind(untrained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        hil.run(**SETTINGS | {"draws": 2000}, models=str(untrained), out=tmp_path, name="stopped", report=Stops())
    assert not threads()
    assert hil.load_results(tmp_path / "stopped" / "results.json").to_dict()["status"] == "stopped"
