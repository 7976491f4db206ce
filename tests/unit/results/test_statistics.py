"""Intervals and simultaneous tests: closed forms and coverage, on data whose truth is known."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from hil.errors import ShapeError
from hil.results.statistics import (
    Difference,
    bootstrap_interval,
    clustered_difference,
    holm_exceeds,
    paired_difference,
    simultaneous_intervals,
)


def test_clustered_difference_closed_form():
    """Two clusters of two tasks: the standard error by hand."""
    first = torch.tensor([1.0, 1.0, 0.0, 0.0])
    found = clustered_difference(first, torch.zeros(4), torch.tensor([5, 5, 9, 9]))
    # totals of (d − mean) are +1 and −1; variance 2 · 2/1 / 4² = 0.25
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(0.5)


def test_clustered_error_matches_the_spread_of_repeated_experiments():
    rng = np.random.default_rng(1)
    clusters = torch.arange(120).repeat_interleave(6)
    values, errors = [], []
    for _ in range(300):
        shared = np.repeat(rng.normal(size=120), 6)
        data = torch.from_numpy(shared + 0.5 * rng.normal(size=720))
        found = clustered_difference(data, torch.zeros(720), clusters)
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_simultaneous_intervals_cover_all_points_at_once():
    """Joint coverage of 24 true differences with unequal errors, 2,000 experiments: at least 95 %, less its own error."""
    rng = np.random.default_rng(2)
    errors = np.linspace(0.002, 0.012, 24)
    truth = rng.normal(0, 0.005, 24)
    covered = 0
    for _ in range(2000):
        seen = [Difference(value=float(v), error=float(e)) for v, e in zip(rng.normal(truth, errors), errors, strict=True)]
        intervals = simultaneous_intervals(seen)
        covered += all(low <= value <= high for (low, high), value in zip(intervals, truth, strict=True))
    assert covered / 2000 > 0.95 - 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_holm_stops_at_the_first_acceptance_and_keeps_its_level():
    z = NormalDist().inv_cdf(1 - 0.05 / 3 / 2)
    edge = [Difference(value=0.03 + (z - 0.01) * 0.01, error=0.01), Difference(value=0.05, error=0.0101)]
    assert holm_exceeds([*edge, Difference(value=0.0, error=0.01)], bound=0.03) == [False, False, False]
    clear = Difference(value=-0.2, error=0.01)
    assert holm_exceeds([clear, *edge], bound=0.03)[0] is True
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(2000):  # every true difference lies on the bound: the worst case
        seen = [Difference(value=float(v), error=0.01) for v in rng.normal(0.03, 0.01, 10)]
        wrong += any(holm_exceeds(seen, bound=0.03))
    assert wrong / 2000 < 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def clustered(rng, people=60, repeats=12):
    """Hits of people who differ: each has their own rate, with mean 0.7."""
    rates = rng.beta(7, 3, people)
    return torch.from_numpy(rng.random((people, repeats)) < rates[:, None]).reshape(-1)


def test_bootstrap_over_identities_covers_the_truth():
    rng = np.random.default_rng(5)
    identities = torch.arange(60).repeat_interleave(12)
    rounds, inside, width = 400, 0, 0.0
    for seed in range(rounds):
        low, high = bootstrap_interval(clustered(rng), identities, seed=seed, resamples=500)
        inside += low <= 0.7 <= high
        width += (high - low) / rounds
    assert 0.91 <= inside / rounds <= 0.98
    # The standard error has the closed form √((Var(rate) + E[rate(1−rate)]/12)/60).
    spread = 0.7 * 0.3 / 11
    expected = 2 * 1.96 * np.sqrt((spread + (0.21 - spread) / 12) / 60)
    assert width == pytest.approx(expected, rel=0.05)


def test_intervals_hang_on_people_not_on_repeats():
    rng = np.random.default_rng(6)
    values, identities = clustered(rng), torch.arange(60).repeat_interleave(12)
    once = bootstrap_interval(values, identities, seed=1)
    assert bootstrap_interval(values.repeat(5), identities.repeat(5), seed=1) == pytest.approx(once)
    assert bootstrap_interval(values, identities, seed=1) == once
    assert bootstrap_interval(values, identities, seed=2) != once
    assert bootstrap_interval(torch.ones(9), torch.arange(9)) == (1.0, 1.0)


def test_paired_differences_are_narrower_than_unpaired():
    rng = np.random.default_rng(7)
    identities = torch.arange(60).repeat_interleave(12)
    first = clustered(rng)
    second = first & torch.from_numpy(rng.random(len(first)) < 0.95)
    difference, low, high = paired_difference(first, second, identities)
    assert difference == pytest.approx(float(first.double().mean() - second.double().mean()))
    assert 0 < low < difference < high
    one = bootstrap_interval(first, identities)
    assert high - low < (one[1] - one[0]) / 2
    with pytest.raises(ShapeError, match="same tasks"):
        paired_difference(first, second[1:], identities)


@pytest.mark.parametrize(
    ("values", "identities", "options"),
    [
        (torch.zeros(0), torch.zeros(0).long(), {}),
        (torch.zeros(3), torch.zeros(2).long(), {}),
        (torch.zeros(3), torch.zeros(3).long(), {"level": 1.0}),
        (torch.zeros(3), torch.zeros(3).long(), {"resamples": 0}),
    ],
)
def test_bootstrap_refuses_what_it_cannot_do(values, identities, options):
    with pytest.raises(ShapeError):
        bootstrap_interval(values, identities, **options)
