"""Do intervals cover the truth as often as they say? A Gaussian model of dependent tasks, where the truth is known."""

import numpy as np
import pytest
import torch
from hil.results.statistics import (
    Difference,
    bootstrap_interval,
    clustered_difference,
    holm_exceeds,
    paired_difference,
    simultaneous_intervals,
)

MEAN = 0.4


def drawn(draw, *, people=60, tasks=4, between=1.0, within=1.0):
    """Tasks of people: each person has a mean of its own, float64 [task], and whose each task is."""
    own = draw.normal(size=people) * between
    values = MEAN + np.repeat(own, tasks) + draw.normal(size=people * tasks) * within
    return torch.from_numpy(values), torch.arange(people).repeat_interleave(tasks)


def coverage(interval, trials=250):
    draw = np.random.default_rng(11)
    hits = 0
    for trial in range(trials):
        values, clusters = drawn(draw)
        low, high = interval(values, clusters, trial)
        hits += low <= MEAN <= high
    return hits / trials


def test_the_bootstrap_over_people_covers_and_one_over_tasks_does_not():
    """95 % with a standard error of 1.4 points; percentile intervals of 60 clusters lose a point or two."""
    clustered = coverage(lambda values, clusters, seed: bootstrap_interval(values, clusters, seed=seed, resamples=600))
    assert 0.90 <= clustered <= 0.985
    alone = coverage(
        lambda values, clusters, seed: bootstrap_interval(values, torch.arange(len(values)), seed=seed, resamples=600)
    )
    assert alone < 0.85  # four dependent tasks a person: variance 0.31 of 0.078 is unseen


def test_its_width_is_the_models():
    """Var of the mean: (between² + within²/tasks)/people."""
    draw = np.random.default_rng(3)
    widths = [np.diff(bootstrap_interval(*drawn(draw, people=200), seed=trial, resamples=600))[0] for trial in range(30)]
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.sqrt((1 + 1 / 4) / 200), rel=0.05)
    narrow = [
        np.diff(bootstrap_interval(*drawn(draw, people=200), seed=trial, resamples=600, level=0.5))[0] for trial in range(30)
    ]
    assert np.mean(narrow) == pytest.approx(2 * 0.6745 * np.sqrt((1 + 1 / 4) / 200), rel=0.06)


def test_people_with_many_tasks_count_for_as_many():
    """The mean is over tasks, so a person of nine tasks weighs nine times one of one."""
    values = torch.tensor([1.0] * 9 + [0.0])
    clusters = torch.tensor([0] * 9 + [1])
    low, high = bootstrap_interval(values, clusters, seed=1)
    assert (low, high) == (0.0, 1.0)  # both people drawn twice, each a quarter of the time
    assert float(values.mean()) == pytest.approx(0.9)


def test_a_paired_difference_covers_where_two_means_would_be_lost():
    """Both schemes share each person's difficulty; the difference has none of it."""
    draw = np.random.default_rng(5)
    hits, widths = 0, []
    for trial in range(200):
        first, clusters = drawn(draw)
        second = first - 0.1 + torch.from_numpy(draw.normal(size=len(first)) * 0.3)
        value, low, high = paired_difference(first, second, clusters, seed=trial, resamples=600)
        hits += low <= 0.1 <= high
        widths.append(high - low)
        assert low < value < high
    assert 0.90 <= hits / 200 <= 0.99
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 0.3 / np.sqrt(240), rel=0.1)


def test_the_closed_forms_error_is_the_scatter():
    """Two hundred differences of one truth scatter by what each one says of itself."""
    draw = np.random.default_rng(7)
    found = []
    for _ in range(200):
        first, clusters = drawn(draw)
        second, _ = drawn(draw)
        found.append(clustered_difference(first, second, clusters))
    scatter = np.std([item.value for item in found])
    stated = np.sqrt(np.mean([item.error**2 for item in found]))
    assert stated == pytest.approx(np.sqrt(2 * (1 + 1 / 4) / 60), rel=0.03)
    assert scatter == pytest.approx(stated, rel=0.15)
    assert abs(np.mean([item.value for item in found])) < 4 * stated / np.sqrt(200)


def test_simultaneous_intervals_cover_all_at_once():
    draw = np.random.default_rng(9)
    trials, together, single = 400, 0, 0
    for _ in range(trials):
        differences = [Difference(value=float(draw.normal()), error=1.0) for _ in range(10)]  # all truly 0
        intervals = simultaneous_intervals(differences)
        together += all(low <= 0 <= high for low, high in intervals)
        single += intervals[0][0] <= 0 <= intervals[0][1]
    assert together / trials >= 0.93  # 95 % less 1.8 standard errors
    assert single / trials > 0.985


def test_holm_rejects_wrongly_at_most_in_five_of_a_hundred_runs():
    draw = np.random.default_rng(13)
    trials, wrong, found = 400, 0, 0
    for _ in range(trials):
        at_bound = [Difference(value=0.03 + 0.01 * float(draw.normal()), error=0.01) for _ in range(9)]
        beyond = Difference(value=0.09 + 0.01 * float(draw.normal()), error=0.01)
        exceeds = holm_exceeds([*at_bound, beyond], bound=0.03)
        wrong += any(exceeds[:9])
        found += exceeds[9]
    assert wrong / trials <= 0.07
    assert found / trials > 0.95
