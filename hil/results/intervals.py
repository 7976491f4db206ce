"""Intervals for estimates and for what is made of them; one by one, and simultaneous over a family of claims.

The method was chosen by measured coverage (`scripts/bench coverage`; docs/results.md, "Intervals"):

- variance from the clusters' contributions, plus what frames share; with few clusters it is drawn towards what tasks of
  moderately alike identities would have (`ALIKE`), by the weight of `PRIOR` clusters: eight identities that all answered
  right would else have no variance at all;
- degrees of freedom by Satterthwaite, from the contributions' own kurtosis: a variance that hangs on two clusters is worth two;
- differences of means of shares: no wider than what holds for any values in 0…1, whatever they vary by. Where few answers
  differ, and what frames add is in doubt, Student's quantile of one degree of freedom at a family's level would be hundreds;
- shares on the scale of the logit; all right or all wrong: Wilson's interval with one answer a cluster; everything else, and
  differences, as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hil.goals.card import Unit
from hil.results.estimate import Estimate
from hil.results.student import normal_quantile, normal_tail, student_quantile

__all__ = ["Claims", "Interval", "Judged", "Kind", "interval", "judged", "spread"]

Floats = NDArray[np.float64]
Interval = tuple[float, float]

Kind = Literal["value", "difference", "repetition"]
"""A number; a difference of two schemes; a difference of one scheme's answers to the same tasks on two occasions."""
ALIKE: Mapping[Kind, float] = {"value": 0.3, "difference": 0.3, "repetition": 0.05}
"""Correlation of answers of one identity that the prior holds for usual (retrieval of pedestrians: 0.03 at −6 dB, 0.15…0.25
from 0 dB on). What makes an identity hard is in both of two occasions, and not in their difference."""
PRIOR: Mapping[Kind, float] = {"value": 1.0, "difference": 0.5, "repetition": 0.5}
"""Clusters that the prior counts for."""
DRAWS = 20_000
DRAWN_AT_ONCE = 1 << 22
SEED = 20260102
LEVEL = 0.95


def spread(
    clusters: Floats,
    tasks: Floats,
    excess: Floats,
    doubt: Floats,
    *,
    distinct: Floats,
    effective: Floats,
    kind: Kind,
    pseudo: float,
) -> tuple[Floats, Floats]:
    """Variance and degrees of freedom of several statistics of the same tasks.

    Args:
        clusters: float64 [cluster, statistic], contributions.
        tasks: float64 [task, statistic], contributions of independent tasks.
        excess: float64 [source, statistic], variances of further independent sources of error.
        doubt: float64 [source, statistic], their own variances, halved (squares over degrees of freedom).
        distinct, effective: float64 [statistic], as `Estimate`.
        kind: of statistic; which prior it is drawn towards.
        pseudo: squared error of tasks that were not seen, so that none looks impossible.

    Returns:
        float64 [statistic] each; NaN where there are fewer than two clusters.

    Source: Satterthwaite, An approximate distribution of estimates of variance components, 1946.
    """
    squares = np.square(clusters)
    variance = squares.sum(0)
    kurtosis = effective * np.square(squares).sum(0) / np.where(variance > 0, np.square(variance), 1.0)
    kurtosis = np.where(variance > 0, kurtosis, effective)
    own = np.clip(2 * effective / np.maximum(kurtosis - 1, 1e-9), 1.0, np.maximum(1.0, effective - 1))
    independent = np.square(tasks).sum(0) + pseudo / distinct**2
    alike, prior = ALIKE[kind], PRIOR[kind]
    usual = independent * (alike * distinct / effective + 1 - alike)
    drawn = (own * variance + prior * usual) / (own + prior)
    total = drawn + excess.sum(0)
    whole = np.square(drawn) / (own + prior) + doubt.sum(0)
    found = np.square(total) / np.where(whole > 0, whole, 1.0)
    found = np.where(whole > 0, np.maximum(found, 1.0), own + prior)
    return np.where(effective > 1 + 1e-6, total, np.nan), found


def interval(one: Estimate, *, level: float = LEVEL) -> Interval | None:
    """Interval of one number; None where nothing can be said (one cluster, or not defined without one of them)."""
    share = one.unit == "share"
    variance, freedom = spread(
        one.clusters[:, None],
        one.tasks[:, None],
        np.array([[one.excess]]),
        np.array([[one.doubt]]),
        distinct=np.array([float(one.distinct)]),
        effective=np.array([one.effective]),
        kind="value",
        pseudo=0.5 if share else 0.0,
    )
    if not np.isfinite(variance[0]) or not np.isfinite(one.value):
        return None
    t = float(student_quantile(1 - level, freedom)[0])
    error = float(np.sqrt(variance[0]))
    if not share:
        return one.value - t * error, one.value + t * error
    if 0 < one.value < 1:
        return _logit(one.value, t * error)
    certain = float(student_quantile(1 - level, max(one.effective - 1, 1.0) + PRIOR["value"]))
    return _wilson(one.value, certain**2 / one.effective)


def _logit(value: float, half: float) -> Interval:
    """Ends whose log odds are as far from the value's as half the width of an interval around it, to first order."""
    odds, factor = value / (1 - value), np.exp(min(half / (value * (1 - value)), 700.0))
    return float(odds / (odds + factor)), float(odds * factor / (odds * factor + 1))


def _wilson(value: float, ratio: float) -> Interval:
    """Wilson's score interval at a share of 0 or 1; `ratio` is t²/n. Source: Wilson, J. Am. Stat. Assoc. 22, 1927."""
    return (1 / (1 + ratio), 1.0) if value >= 1 else (0.0, ratio / (1 + ratio))


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A family of statistics made of the same estimates.

    Attributes:
        values: float64 [claim]; unit: of them; kind: what they are.
        weights: float64 [claim, estimate]: how an error of each estimate enters.
        others: float64 [claim, source]: how further independent errors of standard deviation 1 enter (those of SNRs).
    """

    values: Floats
    unit: Unit
    weights: Floats
    others: Floats
    kind: Kind = "difference"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is known of one claim: its value, standard error, 95 % interval, and interval simultaneous over the family."""

    value: float
    error: float
    ci: Interval
    simultaneous_ci: Interval


def judged(estimates: Sequence[Estimate], claims: Claims, *, level: float = LEVEL) -> list[Judged]:
    """Intervals of a family of claims: each by itself, and all at once with at least this probability.

    The family is drawn jointly: every cluster gets one random weight that all schemes and SNRs share, every frame its own, and
    SNRs their errors (multiplier bootstrap). The largest deviation in units of its standard error sets one level for all, and
    each claim has its own t quantile at that level.

    Args:
        estimates: with the clusters of one run.
        claims: made of them.
        level: of confidence.

    Source: Westfall and Young, Resampling-based multiple testing, 1993 (max t); Cameron, Gelbach and Miller, Bootstrap-based
    improvements for inference with clustered errors, 2008 (multipliers of clusters).
    """
    if not len(claims.values):
        return []
    share = claims.unit == "share"
    clusters = np.stack([one.clusters for one in estimates], axis=1)
    tasks = np.stack([one.tasks for one in estimates], axis=1)
    excess = np.array([one.excess for one in estimates])
    doubt = np.array([one.doubt for one in estimates])
    squared = np.square(claims.weights.T)
    enters = claims.weights != 0
    theirs = clusters @ claims.weights.T
    excesses = np.concatenate([excess[:, None] * squared, np.square(claims.others.T)])
    doubts = doubt[:, None] * np.square(squared)
    effective = _least(enters, np.array([one.effective for one in estimates]))
    variance, own = spread(
        theirs,
        tasks @ claims.weights.T,
        excesses,
        doubts,
        distinct=_least(enters, np.array([float(one.distinct) for one in estimates])),
        effective=effective,
        kind=claims.kind,
        pseudo=2.0 if share else 0.0,
    )
    error = np.sqrt(variance)
    tail = _family_tail(clusters.T @ clusters + np.diag(excess), claims, level)
    bounded = np.array([one.bounded for one in estimates])
    alone, together = (
        np.minimum(student_quantile(at, own) * error, _of_bounded(at, theirs, excesses, doubts, effective, claims, bounded))
        for at in (1 - level, tail)
    )
    return [
        Judged(value=float(v), error=float(e), ci=_around(v, a, share), simultaneous_ci=_around(v, t, share))
        for v, e, a, t in zip(claims.values, error, alone, together, strict=True)
    ]


def _of_bounded(
    tail: float,
    clusters: Floats,
    excess: Floats,
    doubt: Floats,
    effective: Floats,
    claims: Claims,
    bounded: NDArray[np.bool_],
) -> Floats:
    """Half widths that hold for means of values in 0…1 whatever their distribution; infinite where a claim is of others.

    Args:
        tail: probability beyond, on both sides together.
        clusters, excess, doubt, effective: as `spread`. The excess may be larger than was seen: by as many of its standard
            errors as the tail has, thrice, as variances are skewed.
        claims: whose weights say how far a cluster's value can range; bounded: bool [estimate].

    Source: Maurer and Pontil, Empirical Bernstein bounds and sample variance penalization, COLT 2009, Theorem 4.
    """
    away, z = np.log(4 / tail), normal_quantile(tail)
    reach = np.abs(claims.weights).sum(1)
    own = np.sqrt(2 * away * np.square(clusters).sum(0)) + 7 * away * reach / (3 * np.maximum(effective - 1, 1e-9))
    most = excess.sum(0) + 3 * z * np.sqrt(2 * doubt.sum(0))
    fits = ~((claims.weights != 0) & ~bounded).any(1)
    return np.where(fits, own + z * np.sqrt(most), np.inf)


def _least(enters: NDArray[np.bool_], values: Floats) -> Floats:
    """Of each claim the least value of the estimates that enter it."""
    return np.asarray(np.where(enters, values, np.inf).min(1))


def _around(value: float, half: float, share: bool) -> Interval:
    low, high = float(value - half), float(value + half)
    return (max(-1.0, low), min(1.0, high)) if share else (low, high)


def _family_tail(covariance: Floats, claims: Claims, level: float) -> float:
    """Two-sided tail at which each claim must be judged so that all are covered at once with `level`."""
    count = len(claims.values)
    if count == 1 or not np.isfinite(covariance).all():
        return (1 - level) / count
    scales, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.clip(scales, 0.0, None))
    load = np.concatenate([claims.weights @ root, claims.others], axis=1)
    size = np.sqrt(np.square(load).sum(1))
    known = size > 1e-12 * max(1e-300, float(size.max()))
    if not known.any():  # nothing varies: no draw says how far off the largest may be
        return (1 - level) / count
    load = load[known] / size[known, None]
    rng = np.random.Generator(np.random.PCG64(SEED))
    draws = int(np.clip(2_000_000 // count, 4000, DRAWS))
    step = max(1, DRAWN_AT_ONCE // max(load.shape))
    largest = [
        np.abs(rng.standard_normal((len(some), load.shape[1])) @ load.T).max(1, initial=0.0)
        for some in np.array_split(np.arange(draws), max(1, -(-draws // step)))
    ]
    bound = normal_quantile((1 - level) / count)
    return float(normal_tail(min(float(np.quantile(np.concatenate(largest), level)), float(bound))))
