"""The slope that says whether memory grows."""

import math

import numpy as np
import pytest

from benchmarks.growth import slope


def test_a_line_has_its_slope_and_no_error():
    times = np.linspace(3.0, 4.0, 500)
    rise, error = slope(times, 120.0 + 7.0 * times)
    assert rise == pytest.approx(7.0)
    assert error == pytest.approx(0.0, abs=1e-9)


def test_the_interval_holds_the_slope_as_often_as_it_says():
    draw, times = np.random.default_rng(5), np.linspace(0.0, 1.0, 400)
    held = 0
    for _ in range(1000):
        rise, error = slope(times, 2.0 * times + draw.normal(size=400))
        held += abs(rise - 2.0) <= error
    assert held / 1000 == pytest.approx(0.95, abs=0.021)  # three standard errors


@pytest.mark.parametrize("times", [[0.0, 1.0], [*np.linspace(0, 0.1, 50), 1.0]])
def test_too_few_samples_say_nothing(times):
    assert all(math.isnan(value) for value in slope(times, [1.0] * len(times)))
