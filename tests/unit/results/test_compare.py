"""What rows say together: air against simulation, schemes pairwise, who is first; on answers made by hand."""

import numpy as np
import pytest
import torch

from hil.goals.contract import PerTask
from hil.results.compare import Condition, Pair, agreement_rows, comparison_rows, summary
from hil.results.sample import Sample
from tests.unit.results.answers import Errors, Shares, row

GOALS = {"shares": Shares(), "errors": Errors()}
CLUSTERS = torch.arange(200).repeat_interleave(4)
AIR = Condition(goal="shares", receiver=None, source="air", snr_basis="link", energy="per_use", snr_db_target=3.0)


def shares(mean, seed=0, count=800):
    return torch.from_numpy((np.random.default_rng(seed).random(count) < mean).astype(np.float64))


def sample(values, name="right"):
    """Every distinct task answered once."""
    tasks = PerTask(values={name: values}, scored=torch.ones(len(values), dtype=torch.bool))
    return Sample(tasks=tasks, index=torch.arange(len(values)))


def agreed(air, simulated, **more):
    goal = more.pop("goal", "shares")
    metric = {"metric": "loss", "unit": "dB", "better": "lower"} if goal == "errors" else {}
    name = "loss" if goal == "errors" else "right"
    pair = {"air": sample(air, name), "simulated": sample(simulated, name)}
    return Pair(row=row(goal=goal, **metric, **more), **pair, clusters=CLUSTERS)


# --- agreement


def test_the_difference_is_the_mean_over_tasks_and_its_error_is_over_people():
    air, simulated = shares(0.6), shares(0.6, 1)
    (found,) = agreement_rows([agreed(air, simulated)], GOALS, basis="effective")
    delta = (air - simulated).view(200, 4).sum(1).numpy()
    assert found.difference == pytest.approx(float((air - simulated).mean()))
    assert found.standard_error == pytest.approx(delta.std(ddof=1) * np.sqrt(200) / 800, rel=1e-3)
    assert found.simultaneous_ci[0] == pytest.approx(found.difference - 1.96 * found.standard_error, abs=1e-4)
    assert (found.scheme, found.goal, found.snr_db_target, found.snr_basis) == ("a", "shares", 3.0, "effective")
    assert (found.bound, found.outside_bound) == (0.03, False)


def test_intervals_widen_with_the_number_of_points_of_one_goal():
    one = agreed(shares(0.5), shares(0.5, 1))
    alone = agreement_rows([one], GOALS, basis="effective")[0]
    of_eight = agreement_rows([one] * 8, GOALS, basis="effective")[0]
    width = [found.simultaneous_ci[1] - found.simultaneous_ci[0] for found in (alone, of_eight)]
    assert width[1] / width[0] == pytest.approx(2.7344 / 1.96, rel=1e-3)  # Φ⁻¹(1 − .05/16) over Φ⁻¹(.975)
    other = agreed(shares(0.5), shares(0.5, 1), goal="errors")
    mixed = agreement_rows([one, other], GOALS, basis="effective")
    assert mixed[0].simultaneous_ci == alone.simultaneous_ci  # each goal by itself


@pytest.mark.parametrize(("gap", "outside"), [(0.0, False), (0.03, False), (0.2, True)])
def test_what_lies_beyond_the_bound_is_said(gap, outside):
    simulated = shares(0.5, 1)
    air = simulated.clone()
    air[: int(gap * 800)] = 1 - air[: int(gap * 800)]  # tasks that turn, all one way below
    air[: int(gap * 800)] = 1.0
    simulated[: int(gap * 800)] = 0.0
    (found,) = agreement_rows([agreed(air, simulated)], GOALS, basis="channel")
    assert found.difference == pytest.approx(gap, abs=1e-9)
    assert found.outside_bound is outside


def test_the_bound_has_the_headlines_unit():
    (found,) = agreement_rows([agreed(shares(0.5), shares(0.5), goal="errors")], GOALS, basis="effective")
    assert found.bound == 0.3  # dB


# --- comparisons


def compared(shares_of, noiseless=None):
    samples = {condition: {name: sample(values) for name, values in own.items()} for condition, own in shares_of.items()}
    without = {key: sample(values) for key, values in (noiseless or {}).items()}
    return comparison_rows(samples, without, CLUSTERS, GOALS)


def test_each_pair_of_schemes_is_compared_on_the_same_tasks():
    first, second, third = shares(0.7), shares(0.6, 1), shares(0.5, 2)
    rows = compared({AIR: {"a": first, "b": second, "c": third}})
    assert [(item.first, item.second) for item in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    for item, one, other in zip(rows, (first, first, second), (second, third, third), strict=True):
        assert item.difference == pytest.approx(float((one - other).mean()))
        low, high = item.ci
        assert low < item.difference < high
        error = (one - other).view(200, 4).sum(1).numpy().std(ddof=1) * np.sqrt(200) / 800
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.12)  # the bootstrap of a mean
    assert (rows[0].goal, rows[0].source, rows[0].energy, rows[0].snr_db_target) == ("shares", "air", "per_use", 3.0)


def test_over_the_air_a_scheme_is_compared_with_itself_without_noise():
    air, without = shares(0.5), shares(0.9, 1)
    (found,) = compared({AIR: {"a": air}}, {("shares", "a", None): without})
    assert (found.first, found.second) == ("a", "noiseless")
    assert found.difference == pytest.approx(float((air - without).mean()))
    simulated = Condition(**{**vars(AIR), "source": "simulation"})
    assert compared({simulated: {"a": air}}, {("shares", "a", None): without}) == []
    assert compared({AIR: {"a": air}}, {("shares", "a", "far"): without}) == []  # another receiver's


def test_conditions_are_never_mixed():
    others = {Condition(**{**vars(AIR), "snr_db_target": 6.0}): {"b": shares(0.5)}, AIR: {"a": shares(0.5)}}
    assert compared(others) == []


# --- summary


def test_schemes_are_ordered_from_best_to_worst():
    rows = [row("a", value=0.5), row("b", value=0.7), row("c", value=0.6)]
    (order,) = summary(rows, [])["order"]
    assert order["schemes"] == ["b", "c", "a"]
    assert order["metric"] == "right"
    assert order["right"] == [0.7, 0.6, 0.5]
    assert (order["goal"], order["source"], order["snr_db_target"], order["energy"]) == ("shares", "air", 3.0, "per_use")


def test_where_less_is_better_the_least_is_first():
    of = {"goal": "errors", "metric": "loss", "unit": "dB", "better": "lower"}
    (order,) = summary([row("a", value=5.0, **of), row("b", value=3.0, **of), row("c", value=4.0, **of)], [])["order"]
    assert order["schemes"] == ["b", "c", "a"]
    assert order["loss"] == [3.0, 4.0, 5.0]


def test_a_scheme_without_a_figure_is_last():
    of = {"goal": "errors", "metric": "loss", "unit": "dB", "better": "lower"}
    for more in ({}, of):
        (order,) = summary([row("a", value=None, **more), row("b", value=0.2, **more), row("c", value=0.4, **more)], [])[
            "order"
        ]
        assert order["schemes"][-1] == "a"


def test_orders_are_kept_apart():
    rows = [
        row("a"), row("b"), row("a", snr_db_target=6.0), row("b", goal="other"), row("a", source="simulation"),
        row("b", energy="per_task"), row("a", receiver="far"), row("x", snr_db_target=None, source="noiseless"),
    ]  # fmt: skip
    assert len(summary(rows, [])["order"]) == 1  # a and b, once together


def test_the_gap_and_the_loss_of_each_scheme():
    pairs = [agreed(shares(0.5), shares(0.5, 1)), agreed(shares(0.6), shares(0.4, 1))]
    agreement = agreement_rows(pairs, GOALS, basis="effective")
    rows = [row("a", receiver_loss_db=0.3), row("a", snr_db_target=6.0, receiver_loss_db=0.7), row("b")]
    schemes = summary(rows, agreement)["schemes"]
    mean = sum(item.difference for item in agreement) / 2
    assert schemes["a"]["mean_air_minus_simulation"] == pytest.approx(mean)
    assert schemes["a"]["mean_air_minus_simulation_by_goal"] == {"shares": pytest.approx(mean)}
    assert schemes["a"]["largest_receiver_loss_db"] == 0.7
    assert schemes["b"] == {
        "mean_air_minus_simulation": None, "mean_air_minus_simulation_by_goal": {}, "largest_receiver_loss_db": None,
    }  # fmt: skip
