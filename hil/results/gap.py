"""How many dB one scheme needs more than another for the same headline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from hil.results.compared import GapAtEqual, MeanGap
from hil.results.curves import Curve, Point, SnrErrors, Spot
from hil.results.estimate import Estimate
from hil.results.family import Claim, claims_of, means_of
from hil.results.intervals import judged

__all__ = ["gaps_at_equal", "round_levels"]

_LEAST_SLOPE = 1e-6
"""Of a curve, a dB: less is flat, and no SNR belongs to a value."""


def round_levels(values: Sequence[float]) -> list[float]:
    """Some ten round numbers inside the range of some values: multiples of 1, 2 or 5 of a power of ten."""
    low, high = min(values), max(values)
    if not high > low:
        return []
    rough = (high - low) / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(round(count * step, 12)) for count in range(first, last + 1)]


def gaps_at_equal(
    curves: Mapping[str, Curve],
    points: Mapping[str, Sequence[Point]],
    estimates: Sequence[Estimate],
    errors: SnrErrors,
    levels: Sequence[float],
    about: Mapping[str, str | None],
) -> tuple[list[GapAtEqual], list[MeanGap]]:
    """SNR of the first scheme minus that of the second where both have the same headline, for every pair and level.

    The error of a curve at its crossing, over its slope there, is an error of the SNR; so are errors of the measured SNRs. A
    level that a curve does not cross exactly once is left out. The mean over levels, which lie evenly, is Bjøntegaard's mean
    difference along the axis, on straight lines between points instead of a cubic (VCEG-M33, 2001).

    Args:
        curves: by scheme; points: what each is drawn through.
        estimates: of all points; errors: of their SNRs.
        levels: of the headline.
        about: keys of every row: goal, receiver, source, energy.

    Returns:
        with intervals that are simultaneous over all of them, means included.
    """
    crossed = {(name, level): _crossing(curve, points[name], level) for name, curve in curves.items() for level in levels}
    claims = []
    for first, second in combinations(curves, 2):
        for level in levels:
            one, other = crossed[first, level], crossed[second, level]
            if one is not None and other is not None:
                claims.append(Claim.between((first, one), (second, other), target=level, snr_db=level))
    if not claims:
        return [], []
    family = [*claims, *means_of(claims)]
    said = judged(estimates, claims_of(family, errors, estimates=len(estimates), unit="dB"))
    both = list(zip(family, said, strict=True))
    return [
        GapAtEqual(
            **about,
            first=claim.first,
            second=claim.second,
            level=claim.targets[0],
            snr_db=claim.values,
            difference_db=item.value,
            ci=item.ci,
            simultaneous_ci=item.simultaneous_ci,
        )
        for claim, item in both[: len(claims)]
    ], [
        MeanGap(
            **about,
            first=claim.first,
            second=claim.second,
            between=(min(claim.targets), max(claim.targets)),
            levels=len(claim.targets),
            difference_db=item.value,
            ci=item.ci,
            simultaneous_ci=item.simultaneous_ci,
        )
        for claim, item in both[len(claims) :]
    ]


def _crossing(curve: Curve, points: Sequence[Point], level: float) -> Spot | None:
    """The SNR at which a curve has a value, with what its error is made of; None where it has it nowhere or more than once."""
    ordered = sorted(points, key=lambda point: point.reading.snr_db)
    places = [point.reading.snr_db for point in ordered]
    values = [spot.value for place in places if (spot := curve.at(place)) is not None]
    sides = np.sign(np.array(values) - level)
    turns = [at for at in range(len(places) - 1) if (sides[at] != sides[at + 1] and sides[at + 1] != 0) or sides[at] == 0]
    if len(places) < 2 or len(turns) != 1:
        return None
    low, high = places[turns[0]], places[turns[0] + 1]
    rising = values[turns[0]] < values[turns[0] + 1]
    for _ in range(60):
        middle = (low + high) / 2
        spot = curve.at(middle)
        if spot is None:
            return None
        if (spot.value < level) == rising:
            low = middle
        else:
            high = middle
    found = curve.at((low + high) / 2)
    if found is None:
        return None
    slope = -sum(found.slope.values())
    if abs(slope) < _LEAST_SLOPE:
        return None
    return Spot(
        value=(low + high) / 2,
        weights={number: -weight / slope for number, weight in found.weights.items()},
        slope={number: -weight / slope for number, weight in found.slope.items()},
    )
