"""Claims: what they are made of, and which way they point."""

import pytest

from hil.goals.contract import Metric
from hil.results.curves import Reading, SnrErrors, Spot
from hil.results.family import Claim, claims_of, direction_of

MORE = Metric(name="hit", unit="share", better="higher", worst=0.0)
LESS = Metric(name="loss", unit="dB", better="lower", worst=99.0)


def spot(value, weights, slope=None, doubt=0.0):
    return Spot(value=value, weights=weights, slope=slope or {}, doubt=doubt)


def between(target=0.0):
    first = ("a", spot(0.7, {0: 0.5, 1: 0.5}, {0: -0.2}, doubt=0.01))
    second = ("b", spot(0.6, {1: 0.25, 2: 1.0}, {0: -0.1, 2: -0.3}, doubt=0.02))
    return Claim.between(first, second, target=target, snr_db=target + 0.1, gap_db=0.2)


def test_a_difference_takes_the_second_away():
    claim = between()
    assert claim.value == pytest.approx(0.1)
    assert claim.values == (0.7, 0.6)
    assert claim.weights == pytest.approx({0: 0.5, 1: 0.25, 2: -1.0})
    assert claim.slope == pytest.approx({0: -0.1, 2: 0.3})
    assert claim.doubt == pytest.approx(0.03)
    assert (claim.targets, claim.snr_db, claim.gap_db) == ((0.0,), (0.1,), (0.2,))


def test_a_mean_adds_up_the_same_estimates():
    mean = Claim.mean([between(0.0), between(3.0)])
    assert mean.value == pytest.approx(0.1)
    assert mean.weights == pytest.approx(between().weights)
    assert mean.doubt == pytest.approx(0.03)
    assert (mean.targets, mean.snr_db) == ((0.0, 3.0), (0.1, 3.1))


def test_claims_as_arrays():
    doubtful, sure = between(), Claim.between(("a", spot(0.7, {0: 1.0})), ("b", spot(0.6, {2: 1.0})), target=0.0, snr_db=0.0)
    errors = SnrErrors({0: Reading(snr_db=0.0, own_db=0.5), 2: Reading(snr_db=0.0, own_db=0.1)})
    made = claims_of([doubtful, sure], errors, estimates=4, unit="share")
    for row, expected in zip(made.weights, [[0.5, 0.25, -1.0, 0.0], [1.0, 0.0, -1.0, 0.0]], strict=True):
        assert row == pytest.approx(expected)
    assert made.others[0] == pytest.approx([-0.05, 0.03, 0.03])  # two SNRs, and the doubt of the one that has any
    assert made.others[1] == pytest.approx([0.0, 0.0, 0.0])
    assert made.values == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("ends", "more", "less"),
    [
        ((0.1, 0.2), "first", "second"),
        ((-0.2, -0.1), "second", "first"),
        ((-0.1, 0.2), "undetermined", "undetermined"),
        ((0.0, 0.2), "undetermined", "undetermined"),
        ((float("nan"), float("nan")), "undetermined", "undetermined"),
    ],
)
def test_directions(ends, more, less):
    assert (direction_of(ends, MORE), direction_of(ends, LESS)) == (more, less)
