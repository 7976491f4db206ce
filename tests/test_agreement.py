"""The statistics behind "air and simulation agree": closed forms and coverage, on data whose truth is known."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from hil.agreement import Difference, clustered_difference, holm_exceeds, simultaneous_intervals

from hil.results import agreement_rows, comparison_rows


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


def test_agreement_and_comparison_rows():
    identities = torch.arange(400) // 4
    row = {"scheme": "x", "snr_db_target": 3.0}
    air, simulated = torch.full((400,), 0.9), torch.full((400,), 0.8)
    (found,) = agreement_rows([(row, air, simulated, identities)])
    assert found["difference"] == pytest.approx(0.1)
    assert found["outside_3_points"]
    shares = {("air", "link", "per_use", 3.0): {"a": air.double(), "b": simulated.double()}}
    rows = comparison_rows(shares, {"a": torch.ones(400).double(), "b": simulated.double()}, identities)
    pairs = {(item["first"], item["second"]): item["difference"] for item in rows}
    assert pairs == pytest.approx({("a", "b"): 0.1, ("a", "noiseless"): -0.1, ("b", "noiseless"): 0.0})
