"""How many noise draws a simulation needs, so that its own error hardly widens the interval of what it says."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hil.goals.contract import Metric
from hil.results.estimate import estimate
from hil.results.intervals import interval
from hil.results.sample import Sample
from hil.results.student import normal_quantile

__all__ = ["draws_wanted"]

SHARE = 0.04
"""Of the variance that tasks make of themselves, what draws may add: the interval is then 2 % wider than without."""
LEVEL = 0.95


def draws_wanted(metric: Metric, sample: Sample, clusters: Tensor, *, most: int) -> int:
    """Draws of which the mean is as good, but for 2 % of its interval, as that of any number.

    What a draw adds is known from how often the first ones answered a task differently; draws of one task differ by their noise
    alone, and noises of different tasks are independent.

    Args:
        metric: that is stated.
        sample: the first draws, at least two, each of the same tasks in the same order.
        clusters: int64 [distinct task].
        most: what is drawn at most, and where nothing can be said: of a metric that is no mean, or without an interval.
    """
    assert sample.draw is not None
    draws = len(sample.draw.unique())
    ends = None if metric.aggregate is not None or draws < 2 else interval(estimate(metric, sample, clusters))
    if ends is None:
        return most
    order = torch.argsort(sample.draw, stable=True)
    values = sample.tasks.values[metric.name].double()[order].view(draws, -1)
    noise = float(values.var(0).mean()) / values.shape[1]
    own = ((ends[1] - ends[0]) / 2 / float(normal_quantile(1 - LEVEL))) ** 2 - noise / draws
    if noise == 0:
        return min(draws, most)
    return most if own <= 0 else min(most, max(draws, math.ceil(noise / (SHARE * own))))
