"""What a run keeps in memory of points that are through."""

import pytest

import hil
import hil.runs.run
from hil.runs.steps import Measured
from tests.conftest import DATASET


@pytest.mark.parametrize("fading", ["none", "emulated"])
def test_a_point_that_is_scored_holds_nothing_of_its_uses_and_results_are_the_same(untrained, tmp_path, monkeypatch, fading):
    settings = {
        "schemes": ("single",), "dataset": DATASET, "snr_db": (12.0,), "tasks": 48, "distinct_tasks": 12, "draws": 2,
        "frame": {"tasks_per_frame": 12}, "models": str(untrained), "out": tmp_path, "fading": fading,
    }  # fmt: skip
    held = []
    beside = hil.runs.run.beside_point

    def noted(point, *given, **more):
        held.append((point.first.symbols.numel(), point.first.channel.numel(), point.sent.symbols.shape[1]))
        beside(point, *given, **more)

    monkeypatch.setattr(hil.runs.run, "beside_point", noted)
    light = hil.run(**settings, name="light").to_dict()
    monkeypatch.setattr(Measured, "without_uses", lambda self, distinct=None: self)
    heavy = hil.run(**settings, name="heavy").to_dict()
    sent = 12 if fading == "none" else 48  # each task has a fade of its own, under which it is simulated
    assert held == [(0, 0, sent), (48 * 64, 48 * 64, 48)]
    for key in ("points", "agreement", "comparisons", "means", "received_sha256"):
        assert light[key] == heavy[key]
