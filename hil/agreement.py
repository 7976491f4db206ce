"""Does the air agree with the mathematical channel? Paired differences, with intervals simultaneous over all points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

__all__ = ["Difference", "clustered_difference", "holm_intervals"]


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


def holm_intervals(differences: Sequence[Difference], *, bound: float = 0.0, level: float = 0.95) -> list[tuple[float, float]]:
    """Simultaneous intervals by Holm's step-down over the hypotheses |difference| ≤ `bound`.

    The i-th of m hypotheses, in order of evidence against it, gets a two-sided interval at 1 − (1 − level)/(m − i).
    """
    ratios = [(abs(item.value) - bound) / max(item.error, 1e-12) for item in differences]
    order = sorted(range(len(differences)), key=lambda index: -ratios[index])
    intervals = [(0.0, 0.0)] * len(differences)
    for rank, index in enumerate(order):
        z = NormalDist().inv_cdf(1 - (1 - level) / (len(differences) - rank) / 2)
        item = differences[index]
        intervals[index] = (item.value - z * item.error, item.value + z * item.error)
    return intervals
