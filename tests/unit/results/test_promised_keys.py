"""Rows: every key that scripts read is there, flat and typed, and each number is the one that the tasks give."""

import json
import math

import pytest
import torch

from hil.goals.contract import PerTask
from hil.results.document import MetricValue, ResultsDocument, rounded
from hil.results.rows import mean_uses, reference_row, scored_row, simulated_row
from hil.results.sample import Sample
from tests.unit.results.answers import Errors, Shares, answered, subject

PROMISED = (
    "scheme", "access", "kind", "source", "snr_basis", "snr_db_target", "snr_db", "snr_eff_db", "tasks", "distinct_tasks",
    "identities", "dropped_tasks", "energy", "uses", "snr_train_db", "csi", "fading", "training_seed", "frames",
)  # fmt: skip
"""Keys of a point that scripts read (design, "Outputs that scripts read"), whatever the goal."""
AIR = {
    "snr_basis": "link", "snr_db_target": 3.0, "snr_db": [2.9], "snr_eff_db": 2.5, "energy": "per_use", "fading": "none",
    "frames": {"sent": 2, "scored": 1, "lost": 1, "gated": 0},
}  # fmt: skip


def plain(row):
    """The row as results.json has it."""
    return json.loads(json.dumps(ResultsDocument(status="complete", points=[row]).to_dict()))["points"][0]


def drawn(values, *, draws, index=None, name="right"):
    """Each task's value in every noise draw the same."""
    count = len(values)
    own = torch.arange(count) if index is None else index
    tasks = PerTask(values={name: values.repeat(draws)}, scored=torch.ones(count * draws, dtype=torch.bool))
    return Sample(tasks=tasks, index=own.repeat(draws), draw=torch.arange(draws).repeat_interleave(count))


def air_row(**more):
    tasks = answered([1, 0, 1, 1, 0, 0, 1, 0], lost=[4, 5])
    index = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
    return plain(scored_row(subject(**more), tasks, index, source="air", **AIR))


def test_a_row_has_all_that_scripts_read():
    row = air_row()
    assert set(PROMISED) <= set(row)
    for key in ("right", "right_ci", "right_scored", "rank", "way", "goal", "goal_version", "receiver", "metrics"):
        assert key in row
    assert row["scheme"] == "mine"
    assert (row["access"], row["kind"], row["goal"], row["goal_version"]) == ("single", "measured", "shares", 4)
    assert (row["uses"], row["snr_train_db"], row["training_seed"]) == ([4], "uniform", 5)
    assert row["csi"] == {"tx": "none", "rx": "snr"}
    assert row["way"] == "short"  # the goal's option, flat
    assert (row["snr_db"], row["snr_eff_db"], row["frames"]["lost"]) == ([2.9], 2.5, 1)


def test_its_numbers_are_those_of_the_tasks():
    row = air_row()
    assert row["right"] == row["metrics"]["right"]["value"] == 0.5  # a lost task is a miss
    assert row["right_scored"] == row["metrics"]["right"]["scored"] == pytest.approx(4 / 6)
    low, high = row["right_ci"]
    assert low <= 0.5 <= high
    assert row["right_ci"] == row["metrics"]["right"]["ci"]
    assert row["rank"] == row["metrics"]["rank"]["value"] == 9.5
    assert "rank_ci" not in row
    assert row["metrics"]["rank"]["ci"] is not None
    assert row["metrics"]["right"] == {
        **row["metrics"]["right"], "n": 8, "unit": "share", "better": "higher", "headline": True,
    }  # fmt: skip
    assert (row["tasks"], row["distinct_tasks"], row["identities"], row["dropped_tasks"]) == (8, 6, 3, 3)


def test_nothing_received_is_null_and_not_nan():
    tasks = answered([0, 0], lost=[0, 1])
    found = scored_row(subject(), tasks, torch.arange(2), source="air", **{**AIR, "snr_db": [math.nan], "snr_eff_db": math.nan})
    row = plain(found)
    assert (row["snr_db"], row["snr_eff_db"]) == ([None], None)
    assert (row["right"], row["right_scored"]) == (0.0, None)
    nobody = plain(scored_row(subject(), answered([]), torch.zeros(0).long(), source="air", **AIR))
    assert (nobody["right"], nobody["right_ci"], nobody["tasks"]) == (None, None, 0)


def test_a_simulation_has_the_headline_only_and_says_so():
    share = torch.tensor([1.0, 0.5, 0.25, 0.25, 0.0, 1.0], dtype=torch.float64)
    row = plain(
        simulated_row(
            subject(),
            drawn(share, draws=20),
            basis="effective",
            snr_db_target=3.0,
            snr_db=[2.5],
            snr_eff_db=2.5,
            energy="per_use",
        )
    )
    assert set(PROMISED) <= set(row)
    assert (row["source"], row["snr_basis"], row["draws"]) == ("simulation", "effective", 20)
    assert row["right"] == row["right_scored"] == 0.5
    assert row["rank"] is None
    assert set(row["metrics"]) == {"right"}
    assert (row["tasks"], row["distinct_tasks"], row["identities"]) == (120, 6, 3)
    assert (row["frames"], row["fading"]) == (None, "none")


def test_a_simulation_of_repeated_tasks_counts_each_distinct_one_once():
    index = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
    share = torch.ones(8, dtype=torch.float64)
    row = plain(simulated_row(subject(), drawn(share, draws=2, index=index), basis="link", snr_db_target=0.0, snr_db=[0.0]))
    assert (row["tasks"], row["distinct_tasks"], row["identities"]) == (16, 6, 3)


def test_a_constant_needs_no_scheme():
    row = plain(reference_row(Shares(), Shares.metrics, "chance", 0.1, clusters=torch.arange(40)))
    assert (row["scheme"], row["kind"], row["source"], row["right"], row["right_ci"]) == (
        "chance",
        "bound",
        "noiseless",
        0.1,
        None,
    )
    assert (row["goal"], row["tasks"], row["access"]) == ("shares", 40, None)
    assert row["metrics"]["right"]["n"] == 40
    assert set(PROMISED) | {"way", "right", "right_ci"} <= set(row)
    assert row["way"] is None


def test_a_scheme_without_uses_has_no_options_and_no_uses():
    """A noiseless reference sends nothing: what may be chosen of the goal does not touch it."""
    who = subject(occupied=torch.zeros(2, 0, dtype=torch.bool), kind="bound")
    row = plain(scored_row(who, answered([1, 1]), torch.arange(2), source="noiseless"))
    assert (row["uses"], row["way"], row["kind"], row["source"]) == (None, None, "bound", "noiseless")
    assert set(PROMISED) <= set(row)


def test_uses_are_each_transmitters_and_the_mean_where_codewords_vary():
    who = subject(occupied=torch.tensor([[True, True, True, False], [False, False, False, True]]))
    assert plain(scored_row(who, answered([1]), torch.arange(1), source="noiseless"))["uses"] == [3, 1]
    assert mean_uses(who.plan, None) == [3, 1]
    assert mean_uses(who.plan, torch.tensor([[3, 2, 1], [1, 1, 1]])) == [2.0, 1.0]


def test_the_headline_is_found_whatever_its_unit():
    values = torch.tensor([3.0, 5.0], dtype=torch.float64)
    found = simulated_row(subject(goal=Errors()), drawn(values, draws=1, name="loss"), basis="link")
    name, value = found.headline
    assert name == "loss"
    assert isinstance(value, MetricValue)
    assert (value.value, value.unit, value.better) == (4.0, "dB", "lower")
    assert plain(found)["loss"] == 4.0


def test_strict_json_has_no_nan_in_any_depth():
    deep = {"a": [math.nan, {"b": math.inf, "c": (1.0, -math.inf)}], "d": "NaN", "e": 3, "f": True}
    assert rounded(deep) == {"a": [None, {"b": None, "c": [1.0, None]}], "d": "NaN", "e": 3, "f": True}
