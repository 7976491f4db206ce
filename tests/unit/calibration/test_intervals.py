"""Intervals against scipy's quantiles and against repeated draws."""

import numpy as np
import pytest
from scipy.stats import t

from hil.calibration.intervals import Part, interval_db, mean_interval, slope_interval, student_975


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 23, 100, 1e6])
def test_student_quantile(freedom):
    assert student_975(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=0.012)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    means = [mean_interval(rng.normal(3.0, 2.0, 12))[1] for _ in range(2000)]
    assert np.mean([low <= 3.0 <= high for low, high in means]) == pytest.approx(0.95, abs=0.015)
    times = np.arange(20.0)
    slopes = [slope_interval(times, 0.5 * times + rng.normal(0, 1, 20))[1] for _ in range(2000)]
    assert np.mean([low <= 0.5 <= high for low, high in slopes]) == pytest.approx(0.95, abs=0.015)


def test_a_power_in_decibels():
    """1 % of relative standard error and no doubt about it is ±1.96 · 0.0434 dB."""
    low, high = interval_db(10.0, Part(1e-4, 1e9))
    assert (high + low) / 2 == pytest.approx(10.0)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.0434294, rel=1e-3)
