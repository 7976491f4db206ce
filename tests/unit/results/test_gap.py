"""dB at an equal headline: on logistic curves whose distance is known."""

import math

import numpy as np
import pytest
import torch

from hil.results.compare import Answer, Condition, equal_headline
from hil.results.curves import Reading
from hil.results.gap import round_levels
from tests.unit.results.answers import GOALS, sample_of

CLUSTERS = torch.arange(500).repeat_interleave(4)
AIR = Condition(goal="shares", receiver=None, source="air", snr_basis="link", energy="per_use")
SNRS = (-6.0, -3.0, 0.0, 3.0, 6.0)


def curve(shift_db, uniform, *, top=None, own_db=0.0):
    """Answers to 2,000 tasks whose share of right ones is logistic in the SNR, 0.5 at `shift_db`."""
    shares = [1 / (1 + math.exp(-0.4 * (snr - shift_db))) for snr in SNRS] if top is None else top
    values = [(uniform < share).double() for share in shares]
    return [
        Answer(snr_db_target=snr, sample=sample_of(right=value), reading=Reading(snr_db=snr, own_db=own_db))
        for snr, value in zip(SNRS, values, strict=True)
    ]


def uniform(seed):
    return torch.from_numpy(np.random.default_rng(seed).random(2000))


def gaps(first, second):
    return equal_headline({AIR: {"a": first, "b": second}}, CLUSTERS, GOALS)[0]


def test_intervals_hold_the_true_distance():
    """Of 60 experiments whose curves lie 1.5 dB apart; 95 % of nominal 95, within three standard errors of that."""
    inside = []
    for seed in range(60):
        found = {round(gap.level, 3): gap for gap in gaps(curve(0.0, uniform(2 * seed)), curve(-1.5, uniform(2 * seed + 1)))}
        assert len(found) > 4
        assert all(gap.difference_db == pytest.approx(gap.snr_db[0] - gap.snr_db[1]) for gap in found.values())
        inside.append(found[0.5].ci[0] <= 1.5 <= found[0.5].ci[1])
        assert found[0.5].simultaneous_ci[0] < found[0.5].ci[0]
    assert 0.95 - 3 * 0.028 <= np.mean(inside) <= 1


def test_the_same_tasks_make_the_gap_sharper():
    """Two noisy curves with common tasks differ by less than their own errors say."""
    paired = gaps(curve(0.0, uniform(1)), curve(-1.5, uniform(1)))
    other = gaps(curve(0.0, uniform(1)), curve(-1.5, uniform(2)))
    widths = [np.mean([gap.ci[1] - gap.ci[0] for gap in found]) for found in (paired, other)]
    assert widths[0] < 0.7 * widths[1]


def test_errors_of_the_snr_are_in_it():
    sharp, blunt = (gaps(curve(0.0, uniform(1)), curve(-1.5, uniform(1), own_db=error))[3] for error in (0.0, 0.5))
    assert blunt.difference_db == pytest.approx(sharp.difference_db)
    assert blunt.ci[1] - blunt.ci[0] > 1.0 > sharp.ci[1] - sharp.ci[0]


def test_a_value_that_is_met_twice_has_no_snr():
    bent = curve(0.0, uniform(1), top=(0.2, 0.6, 0.4, 0.7, 0.9))
    levels = {round(gap.level, 3) for gap in gaps(bent, curve(-1.0, uniform(1)))}
    assert 0.5 not in levels
    assert 0.8 in levels


def test_levels_are_round():
    assert round_levels([0.37, 0.80]) == pytest.approx([0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8])
    assert round_levels([22.13, 27.9]) == pytest.approx([23, 24, 25, 26, 27])
    assert round_levels([0.5, 0.5]) == []


def test_the_mean_over_headlines_is_the_distance_of_shifted_curves():
    """Curves of equal form 1.5 dB apart: at every level the first needs 1.5 dB more, so on the mean, and more surely so."""
    many = np.linspace(0.0005, 0.9995, 2000)  # no luck: the shares of right answers are the curve itself
    same = torch.from_numpy(np.random.default_rng(3).permutation(many))
    levels, means = equal_headline({AIR: {"a": curve(0.0, same), "b": curve(-1.5, same)}}, CLUSTERS, GOALS)
    (mean,) = means
    assert (mean.first, mean.second, mean.levels) == ("a", "b", len(levels))
    assert mean.between == (min(gap.level for gap in levels), max(gap.level for gap in levels))
    assert mean.difference_db == pytest.approx(1.5, abs=0.03)  # straight lines between points 3 dB apart
    assert mean.difference_db == pytest.approx(np.mean([gap.difference_db for gap in levels]))
    assert mean.ci[0] < 1.5 < mean.ci[1]
    assert mean.ci[1] - mean.ci[0] < np.mean([gap.ci[1] - gap.ci[0] for gap in levels])
    assert mean.simultaneous_ci[0] <= mean.ci[0]
