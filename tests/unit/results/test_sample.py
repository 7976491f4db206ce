"""Intervals and comparisons of metrics that are no means: closed forms, coverage, and repeated answers."""

import math

import numpy as np
import pytest
import torch

from hil.errors import ShapeError
from hil.goals.contract import Metric, PerTask
from hil.goals.detection.precision import MAP50
from hil.goals.image.goal import PSNR_OF_MEAN
from hil.results.sample import Sample
from hil.results.statistics import compared, metric_intervals, paired_difference, sampled_difference

HITS = Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True)


def metric_interval(metric, sample, clusters):
    return metric_intervals([metric], sample, clusters)[0]


def answered(index=None, draw=None, **values) -> Sample:
    values = {name: torch.as_tensor(value) for name, value in values.items()}
    count = len(next(iter(values.values())))
    return Sample(
        tasks=PerTask(values=values, scored=torch.ones(count, dtype=torch.bool)),
        index=torch.arange(count) if index is None else torch.as_tensor(index),
        draw=None if draw is None else torch.as_tensor(draw),
    )


def errors(rng, count, scale=1.0):
    """Squared errors of images: mean `scale`/100."""
    return scale * 0.01 * rng.gamma(2.0, 0.5, count)


def detections(rng, count, skill):
    """Images with one object of one class and two detections; the better one is right with probability `skill`."""
    right = rng.random(count) < skill
    first = np.where(right, rng.beta(4, 2, count), rng.beta(2, 4, count))
    return {
        "score": np.stack([first, rng.beta(2, 5, count)], 1).clip(1e-6),
        "label": np.zeros((count, 2), np.int64),
        "voc": np.stack([right, np.zeros(count, bool)], 1),
        "objects": np.ones((count, 1), np.int64),
    }


def test_each_draw_is_aggregated_by_itself_and_then_averaged():
    sample = answered(mse=[0.1, 0.3, 0.01, 0.03], index=[0, 1, 0, 1], draw=[0, 0, 1, 1])
    by_draw = [-10 * math.log10(0.2), -10 * math.log10(0.02)]
    assert sample.value(PSNR_OF_MEAN) == pytest.approx(sum(by_draw) / 2)
    weights = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    expected = [(10 + 20) / 2, -10 * (math.log10(0.3) + math.log10(0.03)) / 2]
    assert sample.over(PSNR_OF_MEAN, weights).tolist() == pytest.approx(expected)
    pooled = answered(mse=[0.1, 0.3, 0.01, 0.03], index=[0, 1, 0, 1])
    assert pooled.value(PSNR_OF_MEAN) == pytest.approx(-10 * math.log10(0.11))


def test_by_task_is_the_mean_of_each_distinct_task():
    sample = answered(hit=[True, False, True, True], index=[4, 2, 4, 2])
    assert sample.by_task("hit").tolist() == [0.5, 1.0]
    assert sample.of_tasks(torch.tensor([4])).tasks.values["hit"].tolist() == [True, True]
    with pytest.raises(ShapeError, match=r"Sample.index must be int64 \[2\]"):
        answered(hit=[True, False], index=[1])


def test_interval_of_psnr_of_the_mean_covers_the_truth():
    rng, inside, rounds = np.random.default_rng(1), 0, 300
    for _ in range(rounds):
        low, high = metric_interval(PSNR_OF_MEAN, answered(mse=errors(rng, 80)), torch.arange(80))
        inside += low <= 20.0 <= high
    assert 0.90 <= inside / rounds <= 0.98  # a percentile bootstrap of 80: somewhat below 95 %


def test_interval_of_average_precision_covers_the_truth():
    rng = np.random.default_rng(2)
    truth = MAP50.of(answered(**detections(rng, 200_000, 0.7)).tasks)
    rounds, inside = 200, 0
    for _ in range(rounds):
        low, high = metric_interval(MAP50, answered(**detections(rng, 300, 0.7)), torch.arange(300))
        inside += low <= truth <= high
    assert 0.90 <= inside / rounds <= 0.985


def test_clusters_are_drawn_whole():
    """Six copies of each image in one cluster: the interval is that of the images, not of their copies."""
    rng = np.random.default_rng(3)
    mse = errors(rng, 60)
    once = metric_interval(PSNR_OF_MEAN, answered(mse=mse), torch.arange(60))
    clusters = torch.arange(60).repeat_interleave(6)
    copies = metric_interval(PSNR_OF_MEAN, answered(mse=np.repeat(mse, 6)), clusters)
    assert copies == pytest.approx(once)
    apart = metric_interval(PSNR_OF_MEAN, answered(mse=np.repeat(mse, 6)), torch.arange(360))
    assert apart[1] - apart[0] == pytest.approx((once[1] - once[0]) / 6**0.5, rel=0.15)


def test_undefined_resamples_are_left_out():
    def share(values, weights):
        return (weights @ (values["own"] & values["hit"]).double()) / (weights @ values["own"].double())

    recall = Metric(name="recall", unit="share", better="higher", worst=0.0, aggregate=share)
    own = torch.zeros(12, dtype=torch.bool)
    own[0] = True
    sample = answered(own=own, hit=own)
    assert metric_interval(recall, sample, torch.arange(12)) == (1.0, 1.0)  # a third of the resamples have no such task
    low, high = metric_interval(recall, answered(own=~own & own, hit=own), torch.arange(12))
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize("metric", ["psnr_of_mean", "map50"])
def test_the_error_of_a_difference_is_its_spread_over_experiments(metric):
    rng, found = np.random.default_rng(4), []
    for _ in range(150):
        if metric == "map50":
            hard = rng.random(250)
            shared = {"first": hard < 0.8, "second": hard < 0.6}
            made = []
            for right in shared.values():
                one = detections(rng, 250, 0.5)
                one["voc"][:, 0] = right
                made.append(answered(**one))
            found.append(sampled_difference(MAP50, *made, torch.arange(250)))
        else:
            mse = errors(rng, 250)
            noisy = answered(mse=2 * mse * rng.uniform(0.8, 1.2, 250))
            found.append(sampled_difference(PSNR_OF_MEAN, answered(mse=mse), noisy, torch.arange(250)))
    values = [item.value for item in found]
    if metric == "psnr_of_mean":
        assert np.mean(values) == pytest.approx(10 * math.log10(2), abs=0.01)
    assert np.mean([item.error for item in found]) == pytest.approx(np.std(values), rel=0.2)


def test_a_paired_comparison_is_narrower_than_two_intervals_and_finds_what_is_there():
    rng = np.random.default_rng(5)
    mse = errors(rng, 100)
    first, second = answered(mse=mse), answered(mse=1.1 * mse * rng.uniform(0.95, 1.05, 100))
    clusters = torch.arange(100)
    value, low, high = compared(PSNR_OF_MEAN, first, second, clusters)
    assert low < value < high
    assert low < 10 * math.log10(1.1) < high
    assert low > 0
    alone = metric_interval(PSNR_OF_MEAN, first, clusters)
    assert high - low < (alone[1] - alone[0]) / 5


def test_means_are_compared_task_by_task_and_only_on_tasks_of_both():
    rng = np.random.default_rng(6)
    first = answered(hit=rng.random(60) < 0.8, index=np.arange(60) % 30)
    second = answered(hit=rng.random(20) < 0.5, index=np.arange(20))
    clusters = torch.arange(30) // 3
    found = compared(HITS, first, second, clusters)
    expected = paired_difference(first.by_task("hit")[:20], second.by_task("hit"), clusters[:20], seed=20260101)
    assert found == expected
    assert sampled_difference(HITS, first, second, clusters).value == pytest.approx(found[0])
    with pytest.raises(ShapeError, match="no task is answered by both"):
        compared(HITS, first.of_tasks(torch.arange(5)), answered(hit=[True], index=[7]), clusters)
