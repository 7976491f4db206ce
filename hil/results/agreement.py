"""Air against simulation on the same tasks: inside a bound, beyond it, or undetermined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from hil.goals.card import Unit
from hil.goals.contract import Goal, Metric, PerTask, headline
from hil.results.curves import Curve, Point, Reading, SnrErrors
from hil.results.document import SIMULATION, Agreement, MeanOverSnrs, Row
from hil.results.estimate import Estimate, aligned, blended, estimate
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
        basis: what was simulated: "effective" (AWGN at the effective SNR) or "channel" (the captured channel).
        clusters: of all distinct tasks.
        drawn_at_db: SNR that was drawn at; its standard error, which the answers do not show (dB).
    """

    row: Row
    air: Sample
    simulated: Sample
    clusters: Tensor
    basis: str = "effective"
    drawn_at_db: tuple[float, float] = (0.0, 0.0)

    @property
    def target(self) -> float:
        """The point's SNR target (dB)."""
        return float(self.row.snr_db_target or 0.0)


def agreement_rows(pairs: Sequence[Pair], goals: Mapping[str, Goal]) -> tuple[list[Agreement], list[MeanOverSnrs]]:
    """Air − simulation of every point, and of every scheme the mean over its SNRs.

    Intervals are simultaneous over all of one goal's. A point lies inside ±bound where its interval does, beyond it where its
    interval lies wholly outside, and is undetermined else.

    Args:
        pairs: of all points.
        goals: by name.
    """
    points: list[Agreement] = []
    means: list[MeanOverSnrs] = []
    for name in dict.fromkeys(pair.row.goal for pair in pairs):
        own = [pair for pair in pairs if pair.row.goal == name]
        metric = headline(goals[name])
        found = [_differences(metric, pair) for pair in own]
        readings = {at: Reading(snr_db=pair.drawn_at_db[0], own_db=pair.drawn_at_db[1]) for at, pair in enumerate(own)}
        claims, groups = _claims(own, found, readings, metric.unit)
        family = f"{len(claims)} differences of air and simulation: {name}"
        array = claims_of(claims, SnrErrors(readings), estimates=len(found), unit=metric.unit)
        said = judged([difference for difference, _ in found], replace(array, kind="repetition"))
        points += [_point(pair, item, BOUNDS[metric.unit], family) for pair, item in zip(own, said, strict=False)]
        over = zip(groups, claims[len(own) :], said[len(own) :], strict=True)
        means += [claim.over_snrs(item, family, **_about(own[group[0]])) for group, claim, item in over]
    return points, means


def _about(pair: Pair) -> dict[str, Any]:
    row, basis = pair.row, pair.basis
    return {"goal": row.goal, "receiver": row.receiver, "source": "air", "snr_basis": basis, "energy": row.energy or "per_use"}


def _differences(metric: Metric, pair: Pair) -> tuple[Estimate, Estimate]:
    """Air − simulation of one point, and the simulation.

    Of a mean, each answer over the air is held against the same task's mean answer in simulation before frames are: what makes
    a task hard or easy is in both and cancels, so frames differ by what the air did to them, and not by which tasks they hold.
    Of other metrics there is no such difference of one answer: frames' part is that of the answers over the air.
    """
    air, simulated = aligned([pair.air, pair.simulated])
    drawn = estimate(metric, simulated, pair.clusters, balanced=True)
    if metric.aggregate is not None:
        heard = estimate(metric, air, pair.clusters, balanced=True)
        return blended([(1.0, heard), (-1.0, drawn)], heard.value - drawn.value), drawn
    expected = torch.zeros(len(pair.clusters), dtype=torch.float64)
    expected.index_add_(0, simulated.index, simulated.tasks.values[metric.name].double())
    expected /= torch.bincount(simulated.index, minlength=len(expected)).clamp_min(1)
    apart = air.tasks.values[metric.name].double() - expected[air.index]
    answers = replace(air, tasks=PerTask(values={metric.name: apart}, scored=air.tasks.scored))
    return replace(estimate(metric, answers, pair.clusters, balanced=True), bounded=False), drawn  # −1…1, not 0…1


def _claims(
    pairs: Sequence[Pair], found: Sequence[tuple[Estimate, Estimate]], readings: Mapping[int, Reading], unit: Unit
) -> tuple[list[Claim], list[list[int]]]:
    """A claim for each pair, then one for the mean of each scheme at each receiver, of which pairs is told."""
    by_scheme: dict[tuple[str, str | None], list[int]] = {}
    for at, pair in enumerate(pairs):
        by_scheme.setdefault((pair.row.scheme, pair.row.receiver), []).append(at)
    slope: dict[int, float] = {}
    for own in by_scheme.values():
        drawn = [Point(number=at, estimate=found[at][1], reading=readings[at]) for at in own]
        curve = Curve(drawn, unit)
        slope |= {point.number: _slope(curve, point) for point in drawn if point.reading.own_db}
    claims = [
        Claim(
            first=pair.row.scheme,
            second=SIMULATION,
            value=difference.value,
            values=(difference.value + drawn_.value, drawn_.value),
            weights={at: 1.0},
            slope={at: -slope[at]} if at in slope else {},
            targets=(pair.target,),
            snr_db=(pair.target,),
        )
        for at, (pair, (difference, drawn_)) in enumerate(zip(pairs, found, strict=True))
    ]
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


def _point(pair: Pair, item: Judged, bound: float, family: str) -> Agreement:
    verdict = _verdict(item.simultaneous_ci, bound)
    return Agreement(
        scheme=pair.row.scheme,
        goal=pair.row.goal,
        receiver=pair.row.receiver,
        snr_basis=pair.basis,
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
