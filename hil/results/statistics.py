"""Intervals that allow for dependent tasks, and tests of many differences at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError
from hil.goals.contract import Metric
from hil.results.sample import Sample

__all__ = [
    "Difference", "bootstrap_interval", "clustered_difference", "compared", "holm_exceeds", "metric_intervals",
    "paired_difference", "sampled_difference", "simultaneous_intervals",
]  # fmt: skip

INTERVAL_SEED = 20260101
RESAMPLES = 2000
AGGREGATED = 400
"""Resamples of a metric that is no mean: each is an aggregation over all tasks."""
AGGREGATED_AT_ONCE = 1 << 22
"""Weights (resample × row) given to an aggregation in one call: bounds memory."""


def bootstrap_interval(
    values: Tensor, clusters: Tensor, *, seed: int = 0, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, resampling whole clusters.

    Tasks of one person are not independent, so people are drawn, each with all of their tasks and noise repeats.

    Args:
        values: bool or float [n], one a scored task.
        clusters: int64 [n], the cluster (a person, say) that each value belongs to.
        seed: of the resampling.
        level: of confidence, in (0, 1).
        resamples: how many means are drawn.

    Returns:
        lower and upper end.

    Raises:
        ShapeError: lengths differ, there is no value, or `level` or `resamples` is out of range.

    Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, Sec. 3.8 (cluster resampling).
    """
    means = _resampled(values, clusters, seed, level, resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    first: Tensor, second: Tensor, clusters: Tensor, *, seed: int = 0, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """Mean of ``first − second`` on the same tasks, with its bootstrap interval over clusters.

    Args:
        first: bool or float [n].
        second: bool or float [n], the same tasks in the same order.
        clusters: int64 [n], the cluster (a person, say) that each value belongs to.
        seed: of the resampling.
        level: of confidence, in (0, 1).
        resamples: how many means are drawn.

    Returns:
        difference, lower and upper end.

    Raises:
        ShapeError: as `bootstrap_interval`.
    """
    if first.shape != second.shape:
        raise ShapeError(
            f"Arguments 'first' and 'second' must be of the same tasks, not {list(first.shape)} and {list(second.shape)}."
        )
    difference = first.to(torch.float64) - second.to(torch.float64)
    low, high = bootstrap_interval(difference, clusters, seed=seed, level=level, resamples=resamples)
    return float(difference.mean()), low, high


def _resampled(values: Tensor, clusters: Tensor, seed: int, level: float, resamples: int) -> NDArray[np.float64]:
    """Means of resampled clusters, float64 [resample]."""
    if values.ndim != 1 or not len(values) or values.shape != clusters.shape:
        raise ShapeError(
            f"Arguments 'values' and 'clusters' must be [n] with n ≥ 1, not {list(values.shape)}, {list(clusters.shape)}."
        )
    if not 0 < level < 1 or resamples < 1:
        raise ShapeError(f"Arguments 'level' and 'resamples' must be in (0, 1) and at least 1, not {level} and {resamples}.")
    _, group = np.unique(clusters.numpy(), return_inverse=True)
    sums = np.bincount(group, weights=values.to(torch.float64).numpy())
    counts = np.bincount(group).astype(np.float64)
    rng = np.random.Generator(np.random.PCG64(seed))
    means = np.empty(resamples)
    for start in range(0, resamples, 256):
        drawn = rng.integers(len(sums), size=(min(256, resamples - start), len(sums)))
        means[start : start + len(drawn)] = sums[drawn].sum(1) / counts[drawn].sum(1)
    return means


def metric_intervals(metrics: Sequence[Metric], sample: Sample, clusters: Tensor) -> list[tuple[float, float]]:
    """95 % bootstrap intervals of metrics: clusters of tasks are drawn anew, and aggregated.

    Resamples that do not define a metric (a class of which no task was drawn) are left out; NaN where none does.

    Args:
        metrics: what is aggregated.
        sample: how the tasks were answered, at least one.
        clusters: int64 [distinct task].
    """
    others = [metric for metric in metrics if metric.aggregate is not None]
    drawn = iter(_aggregated([sample], others, clusters)[0] if others else ())
    own = clusters[sample.index]
    return [
        bootstrap_interval(sample.tasks.values[metric.name], own, seed=INTERVAL_SEED)
        if metric.aggregate is None
        else _percentiles(next(drawn))
        for metric in metrics
    ]


def compared(metric: Metric, first: Sample, second: Sample, clusters: Tensor) -> tuple[float, float, float]:
    """A metric's difference, first − second, over the tasks that both answered, with its 95 % bootstrap interval over clusters.

    A mean is compared task by task (`paired_difference`). Anything else is aggregated for both over the same resamples.

    Args:
        metric: what is compared.
        first, second: two ways to answer the same distinct tasks.
        clusters: int64 [distinct task].

    Returns:
        difference, lower and upper end.

    Raises:
        ShapeError: no task was answered by both.
    """
    first, second = _both(first, second)
    if metric.aggregate is None:
        one, other, own = _paired(metric, first, second, clusters)
        return paired_difference(one, other, own, seed=INTERVAL_SEED)
    (drawn,), (others,) = _aggregated([first, second], [metric], clusters)
    return (first.value(metric) - second.value(metric), *_percentiles(drawn - others))


def sampled_difference(metric: Metric, first: Sample, second: Sample, clusters: Tensor) -> Difference:
    """A metric's difference, first − second, over the tasks that both answered, with its standard error over clusters.

    A mean's error has a closed form (`clustered_difference`); anything else has its bootstrap's.

    Args:
        metric: what is compared.
        first, second: two ways to answer the same distinct tasks.
        clusters: int64 [distinct task].

    Raises:
        ShapeError: no task was answered by both.
    """
    first, second = _both(first, second)
    if metric.aggregate is None:
        return clustered_difference(*_paired(metric, first, second, clusters))
    (one,), (other,) = _aggregated([first, second], [metric], clusters)
    found = one - other
    return Difference(value=first.value(metric) - second.value(metric), error=float(np.std(found[np.isfinite(found)], ddof=1)))


def _both(first: Sample, second: Sample) -> tuple[Sample, Sample]:
    """The two, cut to the tasks that both answered."""
    common = np.intersect1d(first.index.numpy(), second.index.numpy())
    if not len(common):
        raise ShapeError("Arguments 'first' and 'second' must answer the same tasks; no task is answered by both.")
    return first.of_tasks(torch.from_numpy(common)), second.of_tasks(torch.from_numpy(common))


def _paired(metric: Metric, first: Sample, second: Sample, clusters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means by distinct task of both, and the clusters of these tasks."""
    return first.by_task(metric.name), second.by_task(metric.name), clusters[first.index.unique()]


def _aggregated(samples: Sequence[Sample], metrics: Sequence[Metric], clusters: Tensor) -> list[list[NDArray[np.float64]]]:
    """Metrics of each sample, all over the same resamples of clusters; for each sample and metric float64 [resample]."""
    own = np.unique(clusters.numpy()[np.unique(torch.cat([sample.index for sample in samples]).numpy())])
    rng = np.random.Generator(np.random.PCG64(INTERVAL_SEED))
    drawn = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=AGGREGATED)
    times = torch.from_numpy(drawn.astype(np.float64))
    step = max(1, AGGREGATED_AT_ONCE // max(len(sample) for sample in samples))
    found = []
    for sample in samples:
        group = torch.from_numpy(np.searchsorted(own, clusters.numpy()[sample.index.numpy()]))
        parts: list[list[Tensor]] = [[] for _ in metrics]
        for some in times.split(step):
            weights = some[:, group]
            for metric, part in zip(metrics, parts, strict=True):
                part.append(sample.over_rows(metric, weights))
        found.append([torch.cat(part).numpy() for part in parts])
    return found


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the values that are numbers."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean difference and its standard error, both as shares (0…1)."""

    value: float
    error: float


def clustered_difference(first: Tensor, second: Tensor, clusters: Tensor) -> Difference:
    """Mean of first − second over tasks, with a standard error that allows for tasks of one identity being dependent.

    Args:
        first: float [task], each task's share of hits.
        second: the same tasks, another way.
        clusters: int64 [task], identity of each task.
    Source: the linearised variance of a ratio mean of cluster totals (Cochran, Sampling Techniques, sec. 9A).
    """
    delta = (first - second).double()
    _, index = clusters.unique(return_inverse=True)
    groups = int(index.max()) + 1
    mean = float(delta.mean())
    totals = torch.zeros(groups, dtype=torch.float64).index_add_(0, index, delta - mean)
    variance = float(totals.square().sum()) * groups / max(1, groups - 1) / len(delta) ** 2
    return Difference(value=mean, error=variance**0.5)


def simultaneous_intervals(differences: Sequence[Difference], *, level: float = 0.95) -> list[tuple[float, float]]:
    """Intervals that cover all true differences at once with at least this probability (Bonferroni)."""
    z = NormalDist().inv_cdf(1 - (1 - level) / (2 * max(1, len(differences))))
    return [(item.value - z * item.error, item.value + z * item.error) for item in differences]


def holm_exceeds(differences: Sequence[Difference], *, bound: float, level: float = 0.95) -> list[bool]:
    """Which differences lie beyond ±bound, by Holm's step-down over the hypotheses |difference| ≤ bound.

    In order of evidence the i-th of m is rejected while its interval at 1 − (1 − level)/(m − i) lies wholly outside
    ±bound; the first that is not rejected ends it. Family-wise error at most 1 − level.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, 1979.
    """
    ratios = [(abs(item.value) - bound) / max(item.error, 1e-12) for item in differences]
    exceeds = [False] * len(differences)
    for rank, index in enumerate(sorted(range(len(differences)), key=lambda index: -ratios[index])):
        if ratios[index] <= NormalDist().inv_cdf(1 - (1 - level) / (len(differences) - rank) / 2):
            break
        exceeds[index] = True
    return exceeds
