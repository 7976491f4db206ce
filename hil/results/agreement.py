"""Air against simulation on the same tasks: inside a bound, beyond it, or undetermined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from hil.goals.card import Unit
from hil.goals.contract import Goal, headline
from hil.results.curves import Curve, Point, Reading, SnrErrors, Spot
from hil.results.document import SIMULATION, Agreement, MeanOverSnrs, Row
from hil.results.estimate import Estimate, aligned, estimate
from hil.results.family import Claim, claims_of
from hil.results.intervals import Interval, Judged, judged
from hil.results.sample import Sample

__all__ = ["BOUNDS", "Pair", "agreement_rows"]

BOUNDS: Mapping[str, float] = {"share": 0.03, "dB": 0.3, "1": 0.03}
"""Largest difference of air and simulation that counts as agreement, by the headline's unit."""
Verdict = Literal["inside", "undetermined", "beyond"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One point over the air and simulated.

    Attributes:
        row: over the air; air, simulated: answers to the same tasks.
        clusters: of all distinct tasks.
        drawn_at_db: SNR that was drawn at; its standard error, which the answers do not show (dB).
    """

    row: Row
    air: Sample
    simulated: Sample
    clusters: Tensor
    drawn_at_db: tuple[float, float] = (0.0, 0.0)

    @property
    def target(self) -> float:
        """The point's SNR target (dB)."""
        return float(self.row.snr_db_target or 0.0)


def agreement_rows(
    pairs: Sequence[Pair], goals: Mapping[str, Goal], *, basis: str
) -> tuple[list[Agreement], list[MeanOverSnrs]]:
    """Air − simulation of every point, and of every scheme the mean over its SNRs.

    Intervals are simultaneous over all of one goal's. A point lies inside ±bound where its interval does, beyond it where its
    interval lies wholly outside, and is undetermined else.

    Args:
        pairs: of all points.
        goals: by name.
        basis: what was simulated: "effective" (AWGN at the effective SNR) or "channel" (the captured channel).
    """
    points: list[Agreement] = []
    means: list[MeanOverSnrs] = []
    for name in dict.fromkeys(pair.row.goal for pair in pairs):
        own = [pair for pair in pairs if pair.row.goal == name]
        metric = headline(goals[name])
        estimates = [
            estimate(metric, sample, pair.clusters, balanced=True)
            for pair in own
            for sample in aligned([pair.air, pair.simulated])
        ]
        readings = {2 * at + 1: Reading(snr_db=pair.drawn_at_db[0], own_db=pair.drawn_at_db[1]) for at, pair in enumerate(own)}
        claims, groups = _claims(own, estimates, readings, metric.unit)
        family = f"{len(claims)} differences of air and simulation: {name}"
        array = claims_of(claims, SnrErrors(readings), estimates=len(estimates), unit=metric.unit)
        said = judged(estimates, replace(array, kind="repetition"))
        points += [_point(pair, item, basis, BOUNDS[metric.unit], family) for pair, item in zip(own, said, strict=False)]
        over = zip(groups, claims[len(own) :], said[len(own) :], strict=True)
        means += [claim.over_snrs(item, family, **_about(own[group[0]].row, basis)) for group, claim, item in over]
    return points, means


def _about(row: Row, basis: str) -> dict[str, Any]:
    return {"goal": row.goal, "receiver": row.receiver, "source": "air", "snr_basis": basis, "energy": row.energy or "per_use"}


def _claims(
    pairs: Sequence[Pair], estimates: Sequence[Estimate], readings: Mapping[int, Reading], unit: Unit
) -> tuple[list[Claim], list[list[int]]]:
    """A claim for each pair, then one for the mean of each scheme at each receiver, of which pairs is told."""
    by_scheme: dict[tuple[str, str | None], list[int]] = {}
    for at, pair in enumerate(pairs):
        by_scheme.setdefault((pair.row.scheme, pair.row.receiver), []).append(at)
    slope: dict[int, float] = {}
    for own in by_scheme.values():
        drawn = [Point(number=2 * at + 1, estimate=estimates[2 * at + 1], reading=readings[2 * at + 1]) for at in own]
        curve = Curve(drawn, unit)
        slope |= {point.number: _slope(curve, point) for point in drawn if point.reading.own_db}
    claims = []
    for at, pair in enumerate(pairs):
        air, drawn_ = (
            Spot(value=estimates[number].value, weights={number: 1.0}, slope={number: slope[number]} if number in slope else {})
            for number in (2 * at, 2 * at + 1)
        )
        claims.append(Claim.between((pair.row.scheme, air), (SIMULATION, drawn_), target=pair.target, snr_db=pair.target))
    groups = [own for own in by_scheme.values() if len(own) > 1]
    return claims + [Claim.mean([claims[at] for at in own]) for own in groups], groups


def _slope(curve: Curve, point: Point) -> float:
    """What an error of the SNR that a simulation was drawn at makes of its headline, per dB."""
    here = curve.at(point.reading.snr_db)
    return 0.0 if here is None else sum(here.slope.values())


def _verdict(ends: Interval, bound: float) -> Verdict:
    low, high = ends
    if -bound <= low and high <= bound:
        return "inside"
    return "beyond" if low > bound or high < -bound else "undetermined"


def _point(pair: Pair, item: Judged, basis: str, bound: float, family: str) -> Agreement:
    verdict = _verdict(item.simultaneous_ci, bound)
    return Agreement(
        scheme=pair.row.scheme,
        goal=pair.row.goal,
        receiver=pair.row.receiver,
        snr_basis=basis,
        snr_db_target=pair.target,
        difference=item.value,
        standard_error=item.error,
        ci=item.ci,
        simultaneous_ci=item.simultaneous_ci,
        bound=bound,
        verdict=verdict,
        outside_bound=verdict == "beyond",
        family=family,
    )
