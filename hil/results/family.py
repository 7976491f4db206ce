"""A family of claims: what each is made of, in words and in weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hil.goals.card import Unit
from hil.goals.contract import Metric
from hil.results.curves import SnrErrors, Spot
from hil.results.document import MeanOverSnrs
from hil.results.intervals import Claims, Interval, Judged

__all__ = ["Claim", "Direction", "claims_of", "direction_of"]

Direction = Literal["first", "second", "undetermined"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something about one or two schemes that has an interval.

    Attributes:
        first, second: what is compared.
        value: headline of the first minus that of the second; values: both.
        weights: number of an estimate -> how its error enters; slope: number -> how an error of its SNR enters.
        doubt: standard error from elsewhere.
        targets: SNRs asked for; snr_db: the SNR at which both were read, at each target; gap_db: by how much they were measured
            apart there.
    """

    first: str
    second: str
    value: float
    values: tuple[float, float]
    weights: Mapping[int, float]
    slope: Mapping[int, float]
    doubt: float = 0.0
    targets: tuple[float, ...]
    snr_db: tuple[float, ...]
    gap_db: tuple[float, ...] = ()

    @classmethod
    def between(
        cls, first: tuple[str, Spot], second: tuple[str, Spot], *, target: float, snr_db: float, gap_db: float = 0.0
    ) -> Claim:
        """The difference of two schemes where their curves were read."""
        (one, own), (other, than) = first, second
        return cls(
            first=one,
            second=other,
            value=own.value - than.value,
            values=(own.value, than.value),
            weights=_sum([(1.0, own.weights), (-1.0, than.weights)]),
            slope=_sum([(1.0, own.slope), (-1.0, than.slope)]),
            doubt=own.doubt + than.doubt,
            targets=(target,),
            snr_db=(snr_db,),
            gap_db=(gap_db,),
        )

    @classmethod
    def mean(cls, own: Sequence[Claim]) -> Claim:
        """The mean of claims about the same two schemes."""
        share = 1 / len(own)
        return cls(
            first=own[0].first,
            second=own[0].second,
            value=share * sum(one.value for one in own),
            values=(share * sum(one.values[0] for one in own), share * sum(one.values[1] for one in own)),
            weights=_sum([(share, one.weights) for one in own]),
            slope=_sum([(share, one.slope) for one in own]),
            doubt=share * sum(one.doubt for one in own),
            targets=tuple(target for one in own for target in one.targets),
            snr_db=tuple(snr for one in own for snr in one.snr_db),
        )

    def over_snrs(self, item: Judged, family: str, **about: Any) -> MeanOverSnrs:
        """A mean with its intervals; `about`: under which conditions, and whatever else is known of it."""
        return MeanOverSnrs(
            first=self.first,
            second=self.second,
            snr_db=(min(self.snr_db), max(self.snr_db)),
            snrs=len(self.snr_db),
            values=self.values,
            value=item.value,
            ci=item.ci,
            simultaneous_ci=item.simultaneous_ci,
            family=family,
            **about,
        )


def means_of(claims: Sequence[Claim]) -> list[Claim]:
    """For each pair that several claims are about, their mean."""
    groups: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        groups.setdefault((claim.first, claim.second), []).append(claim)
    return [Claim.mean(own) for own in groups.values() if len(own) > 1]


def _sum(parts: Sequence[tuple[float, Mapping[int, float]]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for factor, weights in parts:
        for number, weight in weights.items():
            total[number] = total.get(number, 0.0) + factor * weight
    return total


def claims_of(family: Sequence[Claim], errors: SnrErrors, *, estimates: int, unit: Unit) -> Claims:
    """The family as arrays.

    Args:
        family: claims.
        errors: of the SNRs of the estimates.
        estimates: how many there are.
        unit: of the values.
    """
    weights = np.zeros((len(family), estimates))
    for row, claim in zip(weights, family, strict=True):
        row[list(claim.weights)] = list(claim.weights.values())
    loads = np.stack([errors.load(claim.slope) for claim in family])
    doubts = np.diag([claim.doubt for claim in family])
    others = np.concatenate([loads, doubts[:, doubts.any(0)]], axis=1)
    return Claims(values=np.array([claim.value for claim in family]), unit=unit, weights=weights, others=others)


def direction_of(ends: Interval, metric: Metric) -> Direction:
    """Which of two is better by an interval of their difference."""
    low, high = ends
    if not (low > 0 or high < 0):
        return "undetermined"
    return "first" if (low > 0) == (metric.better == "higher") else "second"
