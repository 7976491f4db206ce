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
from hil.goals.contract import Metric, PerTask

__all__ = [
    "Difference", "bootstrap_interval", "clustered_difference", "holm_exceeds", "metric_interval", "paired_difference",
    "simultaneous_intervals",
]  # fmt: skip

INTERVAL_SEED = 20260101
RESAMPLES = 2000
AGGREGATED = 400
"""Resamples of a metric that is no mean: each is an aggregation over all tasks."""


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


def metric_interval(metric: Metric, tasks: PerTask, clusters: Tensor) -> tuple[float, float]:
    """95 % bootstrap interval of a metric: clusters of tasks are drawn anew, and aggregated.

    Args:
        metric: what is aggregated.
        tasks: values of the tasks.
        clusters: int64 [task].
    """
    if metric.aggregate is None:
        return bootstrap_interval(tasks.values[metric.name], clusters, seed=INTERVAL_SEED)
    _, group = np.unique(clusters.numpy(), return_inverse=True)
    rng = np.random.Generator(np.random.PCG64(INTERVAL_SEED))
    found = []
    for _ in range(AGGREGATED):
        drawn = np.bincount(rng.integers(group.max() + 1, size=group.max() + 1), minlength=group.max() + 1)
        found.append(metric.of(tasks, torch.from_numpy(drawn[group].astype(np.float64))))
    low, high = np.quantile(np.array(found), [0.025, 0.975])
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
