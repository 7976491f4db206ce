"""Schemes against each other at equal SNR: on answers made by hand, whose difference and direction are known."""

import math

import numpy as np
import pytest
import torch

from hil.results.compare import Answer, Condition, comparison_rows
from hil.results.curves import Reading
from tests.unit.results.answers import GOALS, sample_of

CLUSTERS = torch.arange(200).repeat_interleave(4)
AIR = Condition(goal="shares", receiver=None, source="air", snr_basis="link", energy="per_use")
ERRORS = Condition(**{**vars(AIR), "goal": "errors"})


def shares(mean, seed=0, count=800):
    return torch.from_numpy((np.random.default_rng(seed).random(count) < mean).astype(np.float64))


def exactly(mean, count=800):
    """A share that is exactly this, the same people right in all of them."""
    order = torch.from_numpy(np.random.default_rng(9).permutation(count))
    return (order < round(mean * count)).double()


def answer(values, target=3.0, snr_db=None, name="right", **errors):
    reading = Reading(snr_db=target if snr_db is None else snr_db, **errors)
    return Answer(snr_db_target=target, sample=sample_of(**{name: values}), reading=reading)


def compared(found, noiseless=None, condition=AIR):
    """Scheme -> answers, under one condition."""
    without = {key: sample_of(right=values) for key, values in (noiseless or {}).items()}
    return comparison_rows({condition: found}, without, CLUSTERS, GOALS)


def expit(value):
    return 1 / (1 + math.exp(-value))


def test_each_pair_of_schemes_is_compared_on_the_same_tasks():
    first, second, third = shares(0.7), shares(0.6, 1), shares(0.5, 2)
    rows, means = compared({"a": [answer(first)], "b": [answer(second)], "c": [answer(third)]})
    assert [(item.first, item.second) for item in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert means == []  # of one SNR
    for item, one, other in zip(rows, (first, first, second), (second, third, third), strict=True):
        assert item.difference == pytest.approx(float((one - other).mean()))
        assert item.values == pytest.approx((float(one.mean()), float(other.mean())))
        error = (one - other).view(200, 4).mean(1).numpy().std(ddof=1) / 200**0.5
        assert item.ci[1] - item.ci[0] == pytest.approx(2 * 1.972 * error, rel=0.01)
        assert item.simultaneous_ci[0] < item.ci[0] < item.difference < item.ci[1] < item.simultaneous_ci[1]
    item = rows[0]
    assert (item.goal, item.source, item.energy, item.snr_db_target, item.snr_db, item.snr_gap_db) == (
        "shares", "air", "per_use", 3.0, 3.0, 0.0,
    )  # fmt: skip
    assert item.family == "3 comparisons: shares, over the air, per_use"


def test_schemes_are_compared_where_their_measured_snrs_are_equal():
    """Both lie on one curve, log odds ½ a dB, but b was measured 0.4 dB lower: nothing is between them."""
    measured = {
        name: [answer(exactly(expit(0.5 * (snr - off))), snr, snr_db=snr - off) for snr in (-3.0, 0.0, 3.0)]
        for name, off in (("a", 0.0), ("b", 0.4))
    }
    rows, means = compared(measured)
    assert [item.snr_db for item in rows] == pytest.approx([-3.2, -0.2, 2.8])
    assert [item.snr_gap_db for item in rows] == pytest.approx([0.4] * 3)
    for item in rows:
        assert abs(item.difference) < 0.002  # as targets alone have it: 0.05
        assert item.direction == "undetermined"
    (pair,) = [item for item in means if item.second == "b"]
    assert abs(pair.value) < 0.002
    assert pair.direction == "undetermined"


def test_what_is_far_from_the_others_snr_is_not_compared():
    rows, _ = compared({"a": [answer(shares(0.5), 3.0, snr_db=3.0)], "b": [answer(shares(0.9, 1), 3.0, snr_db=6.0)]})
    assert rows == []


@pytest.mark.parametrize("errors", [{"own_db": 0.3}, {"shared_db": 0.3, "pool": "rx"}])
def test_errors_of_the_snr_are_in_the_interval_unless_both_share_them(errors):
    """a rises by ½ a dB in log odds, b by a tenth."""
    measured = {
        name: [answer(exactly(expit(slope * snr)), snr, **errors) for snr in (-3.0, 0.0, 3.0)]
        for name, slope in (("a", 0.5), ("b", 0.1))
    }
    exact = {
        name: [answer(one.sample.tasks.values["right"], one.snr_db_target) for one in own] for name, own in measured.items()
    }
    before, after = compared(exact)[0][1], compared(measured)[0][1]
    assert before.difference == pytest.approx(after.difference)
    slopes = [0.25 * 0.5, 0.25 * 0.1]  # of the share at 0 dB
    together, apart = slopes[0] - slopes[1], math.hypot(*slopes)
    extra = 0.3 * (together if "pool" in errors else apart)  # one error of the pool moves both
    half = [(item.ci[1] - item.ci[0]) / 2 / 1.972 for item in (before, after)]
    assert half[1] == pytest.approx(math.hypot(half[0], extra), rel=0.03)


def test_a_direction_is_what_the_simultaneous_interval_supports():
    base = shares(0.5, 1)
    for share, one, other in ((0.5, "undetermined", "undetermined"), (0.7, "first", "second")):
        better = shares(share, 2)
        assert compared({"a": [answer(better)], "b": [answer(base)]})[0][0].direction == one
        assert compared({"b": [answer(base)], "a": [answer(better)]})[0][0].direction == other
    rng = np.random.default_rng(3)
    loss = torch.from_numpy(rng.normal(size=800))
    found, _ = compared(
        {"a": [answer(loss, name="loss")], "b": [answer(loss + 0.5, name="loss")]}, condition=ERRORS
    )  # fmt: skip
    assert found[0].difference == pytest.approx(-0.5)
    assert found[0].direction == "first"  # less is better


def test_over_the_air_a_scheme_is_compared_with_itself_without_noise():
    air, without = shares(0.5), shares(0.9, 1)
    (found,), _ = compared({"a": [answer(air)]}, {("shares", "a", None): without})
    assert (found.first, found.second, found.snr_gap_db, found.direction) == ("a", "noiseless", None, "second")
    assert found.difference == pytest.approx(float((air - without).mean()))
    simulated = Condition(**{**vars(AIR), "source": "simulation"})
    assert compared({"a": [answer(air)]}, {("shares", "a", None): without}, simulated) == ([], [])
    assert compared({"a": [answer(air)]}, {("shares", "a", "far"): without}) == ([], [])  # another receiver's


def test_means_over_snrs_have_intervals_of_their_own():
    measured = {
        name: [answer(shares(mean, seed + k), snr) for k, (snr, mean) in enumerate(own)]
        for seed, (name, own) in enumerate(
            {"a": [(0.0, 0.5), (3.0, 0.6), (6.0, 0.7)], "b": [(0.0, 0.4), (3.0, 0.5)]}.items(), start=1
        )
    }
    rows, means = compared(measured)
    (pair,) = [item for item in means if item.second is not None]
    assert (pair.first, pair.second, pair.snrs, pair.snr_db) == ("a", "b", 2, (0.0, 3.0))
    assert pair.value == pytest.approx(sum(item.difference for item in rows) / 2)
    assert pair.family == rows[0].family  # three claims: two SNRs and the mean
    own = {item.first: item for item in means if item.second is None}
    values = [float(one.sample.tasks.values["right"].mean()) for one in measured["a"]]
    assert own["a"].value == pytest.approx(sum(values) / 3)
    assert (own["a"].snrs, own["a"].direction, own["a"].simultaneous_ci) == (3, None, None)
    low, high = own["a"].ci
    together = sum(one.sample.tasks.values["right"] for one in measured["a"]) / 3
    error = float(together.view(200, 4).mean(1).std()) / 200**0.5
    assert high - low == pytest.approx(2 * 1.97 * error, rel=0.02)


def test_conditions_are_never_mixed():
    far = Condition(**{**vars(AIR), "receiver": "far"})
    rows, means = comparison_rows({AIR: {"a": [answer(shares(0.5))]}, far: {"b": [answer(shares(0.5))]}}, {}, CLUSTERS, GOALS)
    assert (rows, means) == ([], [])
