"""Quantiles and tails against published tables and closed forms."""

import math

import numpy as np
import pytest

from hil.results.student import chi_square_tail, normal_quantile, normal_tail, student_quantile

TABLE = {
    # Two-sided: tail -> degrees of freedom -> t (any printed table).
    0.05: {1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 10: 2.2281, 30: 2.0423, 120: 1.9799},
    0.01: {1: 63.6567, 2: 9.9248, 5: 4.0321, 10: 3.1693, 30: 2.7500},
    0.001: {2: 31.5991, 5: 6.8688, 10: 4.5869, 30: 3.6460},
}
CASES = [(tail, freedom, t) for tail, row in TABLE.items() for freedom, t in row.items()]


@pytest.mark.parametrize(("tail", "freedom", "t"), CASES)
def test_quantiles_are_those_of_the_table(tail, freedom, t):
    assert float(student_quantile(tail, freedom)) == pytest.approx(t, rel=3e-4)


def test_with_many_degrees_of_freedom_it_is_the_normal():
    assert float(normal_quantile(0.05)) == pytest.approx(1.959964, abs=1e-6)
    assert float(student_quantile(0.05, 1e8)) == pytest.approx(1.959964, rel=1e-4)


def test_it_falls_with_every_degree_of_freedom_and_rises_with_every_smaller_tail():
    freedom = np.geomspace(1, 300, 400)
    for tail in (0.3, 0.05, 1e-3, 1e-5):
        assert (np.diff(student_quantile(tail, freedom)) < 1e-3 * student_quantile(tail, freedom)[:-1]).all()
    tails = np.geomspace(1e-6, 0.5, 200)
    for one in (1.0, 1.5, 2.7, 8.0, 90.0):
        assert (np.diff(student_quantile(tails, one)) < 0).all()


def test_between_one_and_two_it_is_at_most_four_per_cent_too_large():
    """1.5 degrees: P(|t| > x) by numerical integration of the density."""
    freedom = 1.5
    t = float(student_quantile(0.05, freedom))
    grid = np.linspace(0, t, 200_001)
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    density = scale * (1 + grid**2 / freedom) ** (-(freedom + 1) / 2)
    inside = (density[:-1] + density[1:]).sum() * (grid[1] - grid[0])  # both sides
    assert 0.95 - 1e-3 <= inside <= 0.95 + 0.004


def test_tails():
    assert float(normal_tail(1.959964)) == pytest.approx(0.05, abs=1e-6)
    assert normal_tail(np.array([-1.0, 1.0])).tolist() == pytest.approx([0.317311, 0.317311], abs=1e-6)
    assert chi_square_tail(3.841459, 1) == pytest.approx(0.05, abs=1e-6)
    assert chi_square_tail(18.307038, 10) == pytest.approx(0.05, abs=1e-6)
    assert chi_square_tail(2.0, 2) == pytest.approx(math.exp(-1), abs=1e-9)
    assert (chi_square_tail(5.0, 0), chi_square_tail(-1.0, 3)) == (1.0, 1.0)
