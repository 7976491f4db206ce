"""A metric of some tasks, and what each cluster of tasks contributes to its error.

Tasks are dependent in two ways at once. Tasks of one identity are alike (the first cluster, `Tasks.clusters`), and tasks of
one frame share what the receiver estimated for it, or the fade that held it (the second, `Sample.frame`). What a cluster
contributes is its term in the linear part of the metric's error, so errors of differences, of interpolated curves and of
means over SNRs follow by adding contributions up: the same cluster's contributions to two schemes at several SNRs stay paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ShapeError
from hil.goals.card import Unit
from hil.goals.contract import Metric
from hil.results.sample import Sample, among

__all__ = ["Estimate", "Repeats", "aligned", "blended", "estimate", "repeats_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUPS = 120
"""Groups, left out one at a time, of a metric that is no mean; each is an aggregation over all tasks."""
GROUPING_SEED = 20260101
MOST_LOST = 0.5
"""Share of what frames differ by that may be lost with the identities' means."""
AT_ONCE = 1 << 22
"""Weights (group × row) given to an aggregation in one call: bounds memory."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number made of tasks.

    Attributes:
        value: the number; unit: of it.
        clusters: float64 [cluster of the run], what each contributes to the error, so scaled that the squares add up to the
            variance; 0 of those that no task is of.
        tasks: float64 [distinct task of the run, or group of them], the same as if all tasks were independent.
        distinct: distinct tasks that it rests on; effective: how many equal clusters are worth as many as theirs.
        excess: variance from what tasks of one frame share, beyond what chance makes of independent ones; doubt: its own
            variance, halved (as a square over degrees of freedom).
        frames: how many frames there are; None where answers share nothing but their identity.
        repeats: of how many measurements it is pooled; None: of one.
        bounded: it is a mean of values in 0…1.
    """

    value: float
    unit: Unit
    clusters: Floats
    tasks: Floats
    distinct: int
    effective: float
    excess: float = 0.0
    doubt: float = 0.0
    frames: int | None = None
    repeats: int | None = None
    bounded: bool = False


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """A number as several measurements of one point give it.

    Attributes:
        parts: what each gives.
        between: variance of their values; expected: the one that chance gives them, as answers to the same tasks differ.
    """

    parts: tuple[Estimate, ...]
    between: float
    expected: float


def aligned(samples: Sequence[Sample]) -> list[Sample]:
    """The same ways to answer, cut to the tasks that all of them answered.

    Raises:
        ShapeError: no task was answered by all.
    """
    common = samples[0].index.unique()
    for sample in samples[1:]:
        common = common[among(common, sample.index)]
    if not len(common):
        raise ShapeError("Argument 'samples' must answer the same tasks; no task is answered by all of them.")
    return [sample.of_tasks(common) for sample in samples]


def blended(parts: Sequence[tuple[float, Estimate]], value: float, *, excess: float = 0.0) -> Estimate:
    """A number whose error is a sum of others' errors.

    Args:
        parts: factor and estimate of each, of one unit.
        value: the number.
        excess: variance from elsewhere, exactly known.
    """
    return Estimate(
        value=value,
        unit=parts[0][1].unit,
        clusters=sum((factor * one.clusters for factor, one in parts), np.zeros(1)),
        tasks=sum((factor * one.tasks for factor, one in parts), np.zeros(1)),
        distinct=min(one.distinct for _, one in parts),
        effective=min(one.effective for _, one in parts),
        excess=sum(factor**2 * one.excess for factor, one in parts) + excess,
        doubt=sum(factor**4 * one.doubt for factor, one in parts),
        bounded=all(one.bounded for _, one in parts) and sum(abs(factor) for factor, _ in parts) <= 1,
    )


def estimate(
    metric: Metric, sample: Sample, clusters: Tensor, *, balanced: bool = False, clean: Sample | None = None
) -> Estimate:
    """A metric with what its error is made of: closed form for a mean, else groups of clusters left out (jackknife).

    Args:
        metric: what is aggregated.
        sample: how tasks were answered, at least one row.
        clusters: int64 [distinct task of the run].
        balanced: every distinct task counts the same, however often it was answered (for comparisons).
        clean: the same tasks answered without noise. Their regression on that is taken off answers before frames, which hold
            other tasks, are compared: so they differ by what the air did to them.

    Source: the linearised variance of cluster totals with the small-sample correction of Bell and McCaffrey (CR2); two-way by
    Cameron, Gelbach and Miller, Robust inference with multiway clustering, 2011.
    """
    index = sample.index.numpy()
    counts = np.bincount(index, minlength=len(clusters))
    weight = 1 / counts[index] if balanced else np.ones(len(index))
    numbered = _numbered(clusters.numpy())
    layout = _Layout(
        index=index,
        tasks=len(clusters),
        distinct=int(np.count_nonzero(counts)),
        cluster=numbered[index],
        clusters=int(numbered.max()) + 1,
        weight=weight / weight.sum(),
        frame=None if sample.frame is None else _numbered(sample.frame.numpy()),
    )
    if metric.aggregate is None:
        found = _of_mean(metric, sample, layout, balanced=balanced, known=_by_task(metric, clean, len(clusters)))
    else:
        found = _of_aggregate(metric, sample, layout, balanced=balanced)
    several = repeats_of(metric, sample, clusters, balanced=balanced)
    return found if several is None else _with_repeats(found, several)


def repeats_of(metric: Metric, sample: Sample, clusters: Tensor, *, balanced: bool = False) -> Repeats | None:
    """The measurements that a sample is pooled of, each by itself; None where there is only one, as for `estimate`."""
    own = sample.repeats()
    if len(own) < 2:
        return None
    parts = tuple(estimate(metric, one, clusters, balanced=balanced) for one in own)
    values = np.array([one.value for one in parts])
    contributions = np.stack([one.clusters for one in parts])
    chance = np.square(contributions - contributions.mean(0)).sum() / (len(own) - 1)
    shared = sum(one.excess for one in parts) / len(own)
    return Repeats(parts=parts, between=float(values.var(ddof=1)), expected=float(chance + shared))


def _with_repeats(found: Estimate, several: Repeats) -> Estimate:
    """Variance of the measurements' mean beyond what chance makes of them, and its doubt, as for frames."""
    count = len(several.parts)
    beyond = max(0.0, several.between - several.expected) if math.isfinite(several.expected) else 0.0
    doubt = several.between * (several.between + beyond) / 2 / (count - 1)
    return replace(found, excess=found.excess + beyond / count, doubt=found.doubt + doubt / count**2, repeats=count)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Of each row: its distinct task, cluster and frame (numbered from 0), and its weight; the weights add up to 1."""

    index: Integers
    tasks: int
    distinct: int
    cluster: Integers
    clusters: int
    weight: Floats
    frame: Integers | None

    @property
    def effective(self) -> float:
        """Equal clusters that vary as much as these, which have such shares of the weight, where tasks of one are alike."""
        shares = _totals(self.cluster, self.weight, self.clusters)
        return float(np.square(shares).sum() ** 2 / np.power(shares, 4).sum())

    @property
    def cell(self) -> Integers:
        """Cluster and frame together, numbered from 0."""
        assert self.frame is not None
        return _numbered(self.cluster * (int(self.frame.max()) + 1) + self.frame)


def _numbered(labels: Integers) -> Integers:
    """The rank of each label among those that occur, from 0; not by sorting, unless they are spread wide."""
    low = int(labels.min())
    if int(labels.max()) - low > 16 * len(labels):
        return np.asarray(np.unique(labels, return_inverse=True)[1])
    places = labels - low
    return np.asarray((np.cumsum(np.bincount(places) > 0) - 1)[places])


def _totals(members: Integers, values: Floats, count: int) -> Floats:
    """Sum of the values of each member, float64 [count]."""
    return np.asarray(np.bincount(members, values, minlength=count), np.float64)


def _by_task(metric: Metric, clean: Sample | None, tasks: int) -> Floats | None:
    """Answers without noise, float64 [distinct task]; None: not known."""
    if clean is None:
        return None
    found = np.bincount(clean.index.numpy(), clean.tasks.values[metric.name].double().numpy(), minlength=tasks)
    return np.asarray(found / np.maximum(np.bincount(clean.index.numpy(), minlength=tasks), 1))


def _without(values: Floats, known: Floats | None, layout: _Layout) -> Floats:
    """What is left of answers when their regression on those without noise is taken off."""
    if known is None:
        return values
    told = known[layout.index] - layout.weight @ known[layout.index]
    spread = float(layout.weight @ np.square(told))
    return values - told * (float(layout.weight @ (told * values)) / spread) if spread > 0 else values


def _of_mean(metric: Metric, sample: Sample, layout: _Layout, *, balanced: bool, known: Floats | None) -> Estimate:
    values = sample.tasks.values[metric.name].double().numpy()
    value = float(layout.weight @ values)
    parts = layout.weight * (values - value)

    def corrected(members: Integers, count: int) -> Floats:
        """Totals of residuals, which are too small by the share of the mean that their cluster made itself."""
        shares = _totals(members, layout.weight, count)
        return np.asarray(_totals(members, parts, count) / np.sqrt(np.clip(1 - shares, 1e-9, None)))

    found = Estimate(
        value=value if balanced else sample.value(metric),
        unit=metric.unit,
        clusters=corrected(layout.cluster, layout.clusters),
        tasks=_totals(layout.index, parts, layout.tasks),
        distinct=layout.distinct,
        effective=layout.effective,
        bounded=metric.unit == "share",
    )
    if layout.frame is None:
        return found
    rest = _without(values, known, layout)
    among = _among_equals(rest, layout)
    if among is not None:
        return _with_frames(found, len(np.unique(layout.frame)), *among)
    parts = layout.weight * (rest - float(layout.weight @ rest))
    frames = corrected(layout.frame, int(layout.frame.max()) + 1)
    cells = _totals(layout.cell, parts, 1)
    return _with_frames(found, len(frames), float(frames @ frames), float(cells @ cells))


def _with_frames(found: Estimate, frames: int, between: float, chance: float) -> Estimate:
    """Variance of frames' totals beyond that of independent tasks; of a single frame nothing can be seen.

    Its doubt is that of `between`, of one degree of freedom a frame but one; where no excess is seen, half of that (measured:
    all of it makes intervals too wide where frames share nothing, none of it too narrow where they do).
    """
    if frames < 2:
        return replace(found, frames=frames)
    excess = max(0.0, between - chance)
    return replace(found, frames=frames, excess=excess, doubt=between * (between + excess) / 2 / (frames - 1))


def _among_equals(values: Floats, layout: _Layout) -> tuple[float, float] | None:
    """Variance of the mean that frames' totals show, and chance's part of it, by how answers of one identity differ.

    Identities that are in many frames add nothing to what frames differ by, so they are taken off first. None where identities
    have too few answers for that.

    Source: Henderson, Estimation of variance and covariance components, Biometrics 9, 1953 (method 3: fitting constants).
    """
    assert layout.frame is not None
    counts = np.bincount(layout.cluster, minlength=layout.clusters)
    sizes = np.bincount(layout.frame)
    free = len(values) - np.count_nonzero(counts)
    cells = _totals(layout.cluster * len(sizes) + layout.frame, np.ones(len(values)), layout.clusters * len(sizes))
    cells = cells.reshape(layout.clusters, len(sizes))
    scaled = cells / np.maximum(counts, 1)[:, None]
    lost = (scaled * cells).sum(0)  # of each frame's answers, those that its identities' means take away
    if lost.sum() > MOST_LOST * len(values):
        return None
    rest = values - (_totals(layout.cluster, values, layout.clusters) / np.maximum(counts, 1))[layout.cluster]
    totals = _totals(layout.frame, rest, len(sizes))
    seen = np.square(np.diag(sizes) - scaled.T @ cells).sum()
    scale = float(np.square(_totals(layout.frame, layout.weight, len(sizes))).sum() / seen)
    return float(totals @ totals) * scale, float(rest @ rest) / free * float((sizes - lost).sum()) * scale


def _of_aggregate(metric: Metric, sample: Sample, layout: _Layout, *, balanced: bool) -> Estimate:
    base = layout.weight * len(layout.weight)
    value = float(sample.over_rows(metric, torch.from_numpy(base))) if balanced else sample.value(metric)

    def left_out(members: Integers, count: int) -> Floats:
        return _left_out(metric, sample, base, _grouped(members, count), min(count, GROUPS), value)

    found = Estimate(
        value=value,
        unit=metric.unit,
        clusters=left_out(layout.cluster, layout.clusters),
        tasks=left_out(layout.index, layout.tasks),
        distinct=layout.distinct,
        effective=min(layout.effective, float(GROUPS)),
    )
    if layout.frame is None:
        return found
    frames = left_out(layout.frame, int(layout.frame.max()) + 1)
    cells = left_out(layout.cell, int(layout.cell.max()) + 1)
    return _with_frames(found, len(frames), float(frames @ frames), float(cells @ cells))


def _grouped(members: Integers, count: int) -> Integers:
    """Members put together at random, where there are more than `GROUPS`; the same ones for every sample."""
    if count <= GROUPS:
        return members
    order = np.random.Generator(np.random.PCG64(GROUPING_SEED)).permutation(count)
    return np.asarray((order % GROUPS)[members])


def _left_out(metric: Metric, sample: Sample, base: Floats, groups: Integers, count: int, value: float) -> Floats:
    """What each group contributes, by leaving it out; NaN where the metric is not defined without it."""
    present = np.unique(groups)
    found = np.zeros(count)
    if len(present) == 1:
        return found
    step = max(1, AT_ONCE // len(base))
    for some in np.array_split(present, -(-len(present) // step)):
        kept = base * (groups != some[:, None])
        found[some] = value - sample.over_rows(metric, torch.from_numpy(kept)).numpy()
    return np.asarray(found * np.sqrt((len(present) - 1) / len(present)))
