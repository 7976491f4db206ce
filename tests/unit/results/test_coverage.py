"""Do 95 % intervals hold the truth as often as they say? A reduced `scripts/bench coverage`: fewer trials, all kinds.

Bounds are 93…97 % and three standard errors of so many trials; where the kind is known to be wider than it need be (few
identities near the ends, docs/benchmarks.md), only the lower one.
"""

import math

import numpy as np
import pytest

from benchmarks.coverage import (
    BAND,
    aggregates,
    agreements,
    comparisons,
    coverage_row,
    differences,
    held,
    levels,
    pictures,
    shares,
)
from benchmarks.dependent import World

SHARED = pytest.mark.parametrize("shared", [0.0, 0.3], ids=["frames alike", "frames share an error"])
MANY = pytest.mark.parametrize("identities", [8, 20, 40, 400])


def check(trial, trials, *, wide=False):
    """Every case lies in the band, up to three standard errors."""
    found = coverage_row("reduced", trial, trials)
    slack = 300 * math.sqrt(0.05 * 0.95 / trials)
    for case, covered in found["cases"].items():
        assert covered >= BAND[0] - slack, case
        assert wide or covered <= BAND[1] + slack, case


@MANY
@SHARED
def test_shares_also_near_nothing_and_all(identities, shared):
    check(shares(World(identities=identities, shared=shared)), 200, wide=identities < 20)


@MANY
@SHARED
def test_paired_differences_of_shares(identities, shared):
    check(differences(World(identities=identities, shared=shared)), 200, wide=identities < 40)


@MANY
@SHARED
def test_means_in_decibels(identities, shared):
    check(levels(World(identities=identities, shared=shared)), 300)


@MANY
@SHARED
def test_comparisons_at_equal_snr_their_means_and_all_at_once(identities, shared):
    check(comparisons(World(identities=identities, shared=shared)), 40, wide=True)


@MANY
@SHARED
def test_air_minus_simulation_each_and_all_at_once(identities, shared):
    check(agreements(World(identities=identities, shared=shared)), 30, wide=True)


@pytest.mark.parametrize("shared_db", [0.0, 0.1])
def test_air_minus_simulation_of_pictures_in_few_frames(shared_db):
    check(pictures(6, shared_db), 60, wide=True)


@MANY
def test_metrics_that_are_no_means(identities):
    check(aggregates(identities), 120, wide=identities < 20)


def test_the_world_has_the_truth_that_it_says():
    """The mean of many simulated experiments is the true share, frames' errors or not."""
    for shared in (0.0, 0.3):
        world = World(identities=40, shared=shared)
        rng = np.random.default_rng(1)
        found = [float(world.answered(rng, 0.8, world.effects(rng)).tasks.values["hit"].double().mean()) for _ in range(300)]
        assert np.mean(found) == pytest.approx(0.8, abs=4 * np.std(found) / 300**0.5)


def test_an_interval_holds_its_ends_and_none_holds_everything():
    assert held((0.1, 0.2), 0.1)
    assert not held((0.1, 0.2), 0.21)
    assert held(None, 5.0)
    assert held((None, None), 5.0)
