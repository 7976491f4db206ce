"""Symbols against what was sent, and the spread of samples: both kernels give what the definitions say."""

import numpy as np
import pytest

from hil.phy.kernels import kernels


def gaussian(draw, *shape):
    return (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize("fast", [False, True])
def test_sums_are_those_of_the_definition(fast):
    if fast:
        pytest.importorskip("numba")
    draw = np.random.default_rng(3)
    many, tasks, uses, active, rows = 2, 7, 10, 6, 12
    symbols, target = gaussian(draw, tasks, uses), gaussian(draw, tasks, uses)
    channel, sent = gaussian(draw, many, tasks, uses), gaussian(draw, many, tasks, uses)
    noise_var = draw.uniform(0.1, 2, (tasks, uses)).astype(np.float32)
    carrier, row = draw.integers(0, active, (tasks, uses)), draw.integers(0, rows, (tasks, uses))
    nobody = np.s_[:, 4]  # a use in which nobody sends
    symbols[nobody] = target[nobody] = channel[:, :, 4] = noise_var[nobody] = 0
    carrier[nobody], row[nobody] = active, rows
    first, count = 2, 4
    places = np.stack([carrier[:count].ravel(), row[:count].ravel()])
    by_carrier, by_row, gram = np.ones(active + 1), np.ones(rows + 1), np.ones((many, many + 1), complex)
    left, off = kernels(fast).against.compare(
        first, count, symbols, noise_var, channel, sent, target, places, by_carrier, by_row, gram
    )
    some = slice(first, first + count)
    parts = (channel[:, some] * sent[:, some]).astype(complex)
    heard, weight = symbols[some].astype(complex), 1 / np.where(noise_var[some] > 0, noise_var[some], np.inf)
    errors = np.abs(heard - parts.sum(0)) ** 2
    assert left == pytest.approx(errors.sum(), rel=1e-5)
    assert off == pytest.approx((np.abs(heard - target[some]) ** 2).sum(), rel=1e-5)
    for index in range(active):
        assert by_carrier[index] == pytest.approx((errors * weight)[carrier[:count] == index].sum(), rel=1e-5)
    for index in range(rows):
        assert by_row[index] == pytest.approx((errors * weight)[row[:count] == index].sum(), rel=1e-5)
    for j in range(many):
        assert gram[j, many] == pytest.approx((parts[j].conj() * heard * weight).sum(), rel=1e-4)
        for k in range(many):
            assert gram[j, k] == pytest.approx((parts[j].conj() * parts[k] * weight).sum(), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("fast", [False, True])
def test_kurtosis_tells_cut_peaks_from_whole_ones(fast):
    if fast:
        pytest.importorskip("numba")
    kurtosis = kernels(fast).against.kurtosis
    draw = np.random.default_rng(4)
    whole = draw.normal((3000, -500), 800, (40_000, 2)).round()
    assert kurtosis(whole.astype(np.int16)) == pytest.approx(0, abs=4 * (24 / 80_000) ** 0.5)
    cut = np.clip(whole - whole.mean(0), -1000, 1000)
    exact = 2 * len(cut) * (cut**4).sum() / (cut**2).sum() ** 2 - 3
    assert kurtosis(cut.astype(np.int16)) == pytest.approx(exact, abs=2e-3)
    assert exact < -0.3
    assert kurtosis(np.zeros((0, 2), np.int16)) == 0
    assert kurtosis(np.full((9, 2), 7, np.int16)) == 0
