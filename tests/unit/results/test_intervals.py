"""Intervals: closed forms of each scale, and families that are covered at once. Coverage by simulation: test_coverage.py."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hil.goals.contract import Metric
from hil.results.estimate import Estimate, estimate
from hil.results.intervals import ALIKE, PRIOR, Claims, interval, judged, spread
from hil.results.student import student_quantile
from tests.unit.results.answers import sample_of

HITS = Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True)
LEVEL = Metric(name="level", unit="dB", better="higher", worst=0.0, headline=True)


def levels(count, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=count))


def test_of_many_independent_tasks_it_is_the_textbooks():
    values = levels(4000)
    low, high = interval(estimate(LEVEL, sample_of(level=values), torch.arange(4000)))
    mean, error = float(values.mean()), float(values.std()) / 4000**0.5
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=1e-3 * error)
    half = interval(estimate(LEVEL, sample_of(level=values), torch.arange(4000)), level=0.5)
    assert half[1] - half[0] == pytest.approx(2 * 0.6745 * error, rel=1e-3)


def test_of_few_clusters_it_is_students_drawn_towards_the_usual():
    """Eight equal clusters of two tasks with totals ±1: kurtosis 1, so seven degrees of freedom and one of the prior."""
    values = torch.tensor([1.0, -1.0]).repeat_interleave(8)
    found = estimate(LEVEL, sample_of(level=values), torch.arange(16) // 2)
    own = 1 / 7  # variance of eight cluster means ±1
    usual = (1 / 16) * (
        ALIKE["value"] * 2 + 1 - ALIKE["value"]
    )  # of independent tasks, times the design effect of two in a cluster
    variance = (7 * own + PRIOR["value"] * usual) / (7 + PRIOR["value"])
    t = float(student_quantile(0.05, 7 + PRIOR["value"]))
    low, high = interval(found)
    assert high == pytest.approx(t * variance**0.5)
    assert low == pytest.approx(-high)


def test_a_variance_that_hangs_on_one_cluster_has_two_degrees_of_freedom():
    contributions = np.zeros((100, 2))
    contributions[:, 0] = 0.1 * (-1.0) ** np.arange(100)
    contributions[0, 1] = 1.0
    variance, freedom = spread(
        contributions, contributions, np.zeros((0, 2)), np.zeros(0),
        distinct=np.full(2, 100.0), effective=np.full(2, 100.0), kind="value", pseudo=0.0,
    )  # fmt: skip
    assert variance.tolist() == pytest.approx([1.0, 1.0])
    prior = PRIOR["value"]  # clusters that are added
    assert freedom[0] == pytest.approx(99 + prior)
    assert freedom[1] == pytest.approx(2 * 100 / 99 + prior, rel=1e-6)  # 2 n/(kurtosis − 1), kurtosis n


def test_shares_stay_between_nothing_and_all():
    hits = torch.zeros(400)
    hits[:6] = 1
    found = estimate(HITS, sample_of(hit=hits), torch.arange(400))
    low, high = interval(found)
    assert 0 < low < 0.015 < high < 0.05
    assert high - 0.015 > 0.015 - low  # skewed away from the end
    odds = [math.log(end / (1 - end)) for end in (low, 0.015, high)]
    assert odds[2] - odds[1] == pytest.approx(odds[1] - odds[0])


@pytest.mark.parametrize("count", [8, 40, 400])
def test_all_right_is_not_certain(count):
    """Wilson's interval with one answer a cluster: n/(n + t²) … 1."""
    ones = interval(estimate(HITS, sample_of(hit=torch.ones(4 * count)), torch.arange(4 * count) // 4))
    t = float(student_quantile(0.05, count - 1 + PRIOR["value"]))
    assert ones == pytest.approx((count / (count + t * t), 1.0), rel=2e-2)
    nothing = interval(estimate(HITS, sample_of(hit=torch.zeros(4 * count)), torch.arange(4 * count) // 4))
    assert nothing == pytest.approx((1 - ones[0], 0.0)[::-1])


def test_of_one_cluster_nothing_is_said():
    assert interval(estimate(HITS, sample_of(hit=[1.0, 0.0, 1.0]), torch.zeros(3, dtype=torch.int64))) is None
    undefined = Estimate(value=math.nan, unit="1", clusters=np.ones(9), tasks=np.ones(9), distinct=9, effective=9.0)
    assert interval(undefined) is None


def test_what_frames_share_widens_with_their_own_degrees_of_freedom():
    rng = np.random.default_rng(3)
    frame = torch.arange(1200) // 200
    values = torch.from_numpy(rng.normal(size=6)[frame] + 0.1 * rng.normal(size=1200))
    found = estimate(LEVEL, sample_of(level=values, frame=frame), torch.arange(1200))
    low, high = interval(found)
    means = values.view(6, 200).mean(1)
    error = float(means.std()) / 6**0.5
    assert high - low == pytest.approx(2 * 2.5706 * error, rel=0.03)  # t of five


# --- families


def claims_of_all(estimates, weights, others=None, unit="dB"):
    weights = np.asarray(weights, float)
    values = np.array([one.value for one in estimates])
    others = np.zeros((len(weights), 0)) if others is None else np.asarray(others, float)
    return Claims(values=weights @ values, unit=unit, weights=weights, others=others)


def independent(count, seed=1):
    return [estimate(LEVEL, sample_of(level=levels(2000, seed + k)), torch.arange(2000)) for k in range(count)]


def width(found):
    return found.simultaneous_ci[1] - found.simultaneous_ci[0]


def test_one_claim_is_its_own_family():
    estimates = independent(2)
    (found,) = judged(estimates, claims_of_all(estimates, [[1, -1]]))
    assert found.value == pytest.approx(estimates[0].value - estimates[1].value)
    assert found.simultaneous_ci == pytest.approx(found.ci)
    assert found.error == pytest.approx((2 / 2000) ** 0.5, rel=0.05)
    assert judged(estimates, claims_of_all(estimates, np.zeros((0, 2)))) == []


def test_a_family_of_independent_claims_is_as_wide_as_sidak_says_and_of_equal_ones_as_one():
    """Φ⁻¹((1 + .95^⅛)/2) = 2.7268 of eight independent claims, 1.96 of eight that are the same."""
    estimates = independent(8)
    apart = judged(estimates, claims_of_all(estimates, np.eye(8)))
    assert width(apart[0]) / (2 * apart[0].error) == pytest.approx(2.727, rel=0.01)
    assert apart[0].ci[1] - apart[0].ci[0] == pytest.approx(2 * 1.96 * apart[0].error, rel=0.01)
    same = judged(estimates, claims_of_all(estimates, np.eye(8)[[0] * 8]))
    assert width(same[0]) / (2 * same[0].error) == pytest.approx(1.96, rel=0.01)


def test_errors_of_other_axes_are_added_and_shared():
    """Two claims of one estimate, with an error of 0.1 that both share: fully dependent."""
    estimates = independent(1)
    (alone,) = judged(estimates, claims_of_all(estimates, [[1]]))
    both = judged(estimates, claims_of_all(estimates, [[1], [1]], [[0.1], [0.1]]))
    assert both[0].error == pytest.approx(math.hypot(alone.error, 0.1))
    assert width(both[0]) == pytest.approx(2 * 1.96 * both[0].error, rel=0.01)
    opposed = judged(estimates, claims_of_all(estimates, [[1], [1]], [[0.1, 0.0], [0.0, 0.1]]))
    assert width(opposed[0]) > 1.1 * width(both[0])


def test_equal_answers_are_not_certainly_equal():
    """Two schemes that agreed on all of 40 tasks: a disagreement on one or two was possible."""
    one = estimate(HITS, sample_of(hit=torch.arange(40) % 2 == 0), torch.arange(40))
    (found,) = judged([one, one], claims_of_all([one, one], [[1, -1]], unit="share"))
    assert found.value == 0.0
    assert 0 < found.ci[1] < 3 / 40
    assert found.ci == (-found.ci[1], found.ci[1])
    assert judged([one, one], claims_of_all([one, one], [[1, -1]], unit="share")) == [found]  # the same drawings every time


def test_a_difference_on_one_person_in_hundreds_is_no_wider_than_bounded_values_allow():
    """Of 400 people one differs, and what 18 frames add is in doubt: Student's quantile of one degree is hundreds."""
    rng = np.random.default_rng(5)
    clean = torch.from_numpy(rng.random(800) < 0.9).double()
    other = clean.clone()
    other[0] = 1 - other[0]
    noisy = [torch.from_numpy(rng.random(800) < 0.5).double() for _ in range(60)]
    own = [estimate(HITS, sample_of(hit=one), torch.arange(800) // 2) for one in (clean, other, *noisy)]
    chance = 0.9 * 0.1 / 800
    own[1] = replace(own[1], doubt=chance**2 / 34)
    weights = np.zeros((61, 62))
    weights[:, 0], weights[np.arange(61), np.arange(61) + 1] = 1, -1
    found = judged(own, claims_of_all(own, weights, unit="share"))
    assert 0.03 < found[0].simultaneous_ci[1] < 0.2
    assert found[0].simultaneous_ci[1] > found[0].ci[1]
    free = [replace(one, bounded=False) for one in own]
    before = judged(free, claims_of_all(free, weights, unit="share"))
    assert before[1:] == found[1:]
    assert before[0].simultaneous_ci[1] > 0.5


def test_a_family_in_which_nothing_varies_is_bonferronis():
    """Three schemes at chance, all tasks missed: no draw differs, so the level of each is that of three claims."""
    estimates = [estimate(HITS, sample_of(hit=torch.zeros(48)), torch.arange(48) // 2) for _ in range(3)]
    claims = Claims(values=np.zeros(3), weights=np.eye(3), others=np.zeros((3, 0)), kind="value", unit="share")
    for item in judged(estimates, claims):
        assert item.value == 0.0
        assert item.simultaneous_ci[1] >= item.ci[1] > 0


def test_differences_of_shares_end_at_one():
    ones = estimate(HITS, sample_of(hit=[1.0, 1.0, 1.0, 0.0]), torch.arange(4))
    none = estimate(HITS, sample_of(hit=[0.0, 0.0, 0.0, 1.0]), torch.arange(4))
    (found,) = judged([ones, none], claims_of_all([ones, none], [[1, -1]], unit="share"))
    assert -1 <= found.ci[0] < found.ci[1] == 1.0
