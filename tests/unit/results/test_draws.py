"""How many draws are enough: the interval grows by 2 % over that of endless ones, and no more draws than asked for."""

import numpy as np
import pytest
import torch

from benchmarks.dependent import HIT, World
from hil.goals.contract import Metric, PerTask
from hil.results.draws import draws_wanted
from hil.results.estimate import estimate
from hil.results.intervals import interval
from hil.results.sample import Sample

WORLD = World(identities=400)


def half_width(sample):
    low, high = interval(estimate(HIT, sample, WORLD.clusters))
    return (high - low) / 2


def simulated(mean, draws, seed=1):
    rng = np.random.default_rng(seed)
    return WORLD.answered(rng, mean, WORLD.effects(rng), air=False, draws=draws)


@pytest.mark.parametrize("mean", [0.3, 0.8, 0.97])
def test_the_interval_is_hardly_wider_than_that_of_many_draws(mean):
    ratios = []
    for seed in range(12):
        draws = draws_wanted(HIT, simulated(mean, 4, seed), WORLD.clusters, most=1000)
        assert draws >= 4
        ratios.append(half_width(simulated(mean, draws, seed)) / half_width(simulated(mean, 200, seed)))
    assert 1.0 < np.mean(ratios) < 1.04


def test_answers_that_the_noise_does_not_change_need_no_more_draws():
    once = (torch.arange(1008) % 5 > 0).double()
    sample = Sample(
        tasks=PerTask(values={"hit": once.repeat(4)}, scored=torch.ones(4032, dtype=torch.bool)),
        index=torch.arange(1008).repeat(4),
        draw=torch.arange(4).repeat_interleave(1008),
    )
    assert draws_wanted(HIT, sample, WORLD.clusters, most=20) == 4
    assert draws_wanted(HIT, sample, WORLD.clusters, most=3) == 3


def test_all_are_drawn_where_nothing_can_be_said():
    sample = simulated(0.8, 4)
    whole = Metric(name="hit", unit="share", better="higher", worst=0.0, aggregate=lambda tasks, weights: weights.sum(-1))
    assert draws_wanted(whole, sample, WORLD.clusters, most=20) == 20
    assert draws_wanted(HIT, sample, torch.zeros(1008, dtype=torch.int64), most=20) == 20  # all of one identity
    assert draws_wanted(HIT, simulated(0.5, 4), WORLD.clusters, most=5) == 5
