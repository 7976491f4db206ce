"""Several measurements of one point: their spread against chance, and what it makes of the intervals."""

import numpy as np
import pytest
import torch

from hil.goals.contract import Metric, PerTask
from hil.results.estimate import estimate, repeats_of
from hil.results.intervals import interval
from hil.results.repeats import repeat_of
from hil.results.sample import Sample

METRIC = Metric(name="right", unit="share", better="higher", worst=0.0, headline=True)
TASKS, FRAME = 400, 20
CLUSTERS = torch.arange(TASKS) // 4


def measured(seed, *, repeats=3, drift=0.0, cut=None):
    """Tasks of unlike difficulty answered again and again; each measurement has a shift of its own."""
    draw = np.random.default_rng(seed)
    hard = np.random.default_rng(99).normal(0.0, 1.5, TASKS)
    shifts = drift * draw.normal(size=repeats)
    right = np.concatenate([draw.random(TASKS) < 1 / (1 + np.exp(-(0.5 + hard + shift))) for shift in shifts])
    sample = Sample(
        tasks=PerTask(values={"right": torch.from_numpy(right.astype(float))}, scored=torch.ones(len(right), dtype=torch.bool)),
        index=torch.arange(TASKS).repeat(repeats),
        frame=torch.arange(len(right)) // FRAME,
        repeat=torch.arange(repeats).repeat_interleave(TASKS),
    )
    return sample if cut is None else sample._rows(torch.arange(len(right)) < cut)


def test_each_measurement_has_its_value_and_the_spread_is_theirs():
    sample = measured(1)
    found = repeat_of(METRIC, sample, CLUSTERS, [0.1, 0.0, -0.1])
    values = sample.tasks.values["right"].reshape(3, TASKS).mean(1)
    assert found.values == pytest.approx(values.tolist())
    assert found.deviation == pytest.approx(float(values.std()))
    assert found.snr_offset_db == [0.1, 0.0, -0.1]
    assert all(low < value < high for value, (low, high) in zip(found.values, found.cis, strict=True))


def test_chance_is_that_of_answers_to_the_same_tasks():
    """What makes a task hard is in every measurement: chance's part is Σ p (1 − p)/n², not the spread of the tasks."""
    hard = np.random.default_rng(99).normal(0.0, 1.5, TASKS)
    p = 1 / (1 + np.exp(-(0.5 + hard)))
    own = [repeats_of(METRIC, measured(seed), CLUSTERS) for seed in range(40)]
    chance = float((p * (1 - p)).mean() / TASKS)
    found = np.mean([one.expected for one in own])
    assert 0.95 * chance < found < 1.2 * chance  # a little too much: what frames share is never taken for less than nothing
    assert np.mean([one.between for one in own]) == pytest.approx(chance, rel=0.4)


def test_a_spread_beyond_chance_is_seen_and_goes_into_the_interval():
    steady, drifting = ([measured(seed, drift=drift, repeats=4) for seed in range(20)] for drift in (0.0, 0.6))
    few = [repeat_of(METRIC, one, CLUSTERS, ()).p_value for one in steady]
    many = [repeat_of(METRIC, one, CLUSTERS, ()).p_value for one in drifting]
    assert sum(p < 0.05 for p in few) <= 3
    assert sum(p < 0.05 for p in many) >= 14

    def width(sample):
        low, high = interval(estimate(METRIC, sample, CLUSTERS))
        return high - low

    one = [width(Sample(tasks=s.tasks, index=s.index, frame=s.frame)) for s in drifting]
    assert np.mean([width(s) for s in drifting]) > 1.3 * np.mean(one)
    plain = [width(Sample(tasks=s.tasks, index=s.index, frame=s.frame)) for s in steady]
    assert np.mean([width(s) for s in steady]) == pytest.approx(np.mean(plain), rel=0.15)


def test_a_measurement_that_was_cut_short_counts_in_the_mean_but_not_in_the_spread():
    sample = measured(1, cut=2 * TASKS + 40)
    found = repeats_of(METRIC, sample, CLUSTERS)
    assert len(found.parts) == 2
    assert estimate(METRIC, sample, CLUSTERS).value == pytest.approx(float(sample.tasks.values["right"].mean()))
    assert repeats_of(METRIC, measured(1, cut=TASKS + 40), CLUSTERS) is None
    assert repeats_of(METRIC, Sample(tasks=sample.tasks, index=sample.index), CLUSTERS) is None
