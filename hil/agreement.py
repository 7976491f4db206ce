"""Does the air agree with the mathematical channel? Paired differences, with intervals simultaneous over all points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

__all__ = ["Difference", "clustered_difference", "holm_exceeds", "simultaneous_intervals"]


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
