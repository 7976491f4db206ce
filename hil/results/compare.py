"""Schemes against each other where their measured SNRs are equal, and against themselves without noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from torch import Tensor

from hil.goals.contract import Goal, Metric, headline
from hil.results.compared import GapAtEqual, MeanGap
from hil.results.curves import Curve, Point, Reading, SnrErrors, Spot
from hil.results.document import NOISELESS, Comparison, MeanOverSnrs
from hil.results.estimate import aligned, blended, estimate
from hil.results.family import Claim, claims_of, direction_of, means_of
from hil.results.gap import gaps_at_equal, round_levels
from hil.results.intervals import Judged, interval, judged
from hil.results.sample import Sample

__all__ = ["Answer", "Condition", "Samples", "comparison_rows", "equal_headline"]

_SOURCES = {"air": "over the air", "simulation": "simulated"}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Under which schemes are compared: the same goal, receiver, source, SNR basis and rule of energy."""

    goal: str
    receiver: str | None
    source: str
    snr_basis: str | None
    energy: str

    @property
    def words(self) -> str:
        """For people."""
        at = f" at {self.receiver}" if self.receiver is not None else ""
        return f"{self.goal}{at}, {_SOURCES.get(self.source, self.source)}, {self.energy}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a scheme answered the tasks at one SNR.

    Attributes:
        snr_db_target: asked for.
        sample: at least the headline's values.
        reading: where it lies on the SNR axis of a unit-power transmitter.
    """

    snr_db_target: float
    sample: Sample
    reading: Reading


Samples = dict[Condition, dict[str, list[Answer]]]
"""Condition -> scheme -> its answers at every SNR."""


def comparison_rows(
    samples: Samples,
    noiseless: Mapping[tuple[str, str, str | None], Sample],
    clusters: Tensor,
    goals: Mapping[str, Goal],
) -> tuple[list[Comparison], list[MeanOverSnrs]]:
    """Every pair of schemes under each condition at every SNR and on the mean; each scheme's mean; each against noiseless.

    Args:
        samples: condition -> scheme -> how it answered the tasks.
        noiseless: (goal, scheme, receiver) -> the same without noise.
        clusters: int64 [distinct task].
        goals: by name.
    """
    rows: list[Comparison] = []
    means: list[MeanOverSnrs] = []
    for condition, found in samples.items():
        metric = headline(goals[condition.goal])
        clean = {
            name: sample
            for name in found
            if condition.source == "air" and (sample := noiseless.get((condition.goal, name, condition.receiver))) is not None
        }
        family = _Family(condition, metric, found, clean, clusters)
        for claims in (family.pairs(), family.against_noiseless()):
            one, over = family.judged(claims)
            rows, means = rows + one, means + over
        means += family.means()
    return rows, means


def equal_headline(samples: Samples, clusters: Tensor, goals: Mapping[str, Goal]) -> tuple[list[GapAtEqual], list[MeanGap]]:
    """Every pair of schemes under each condition in dB, at round values of the headline that both reach, and on their mean.

    Args:
        samples: condition -> scheme -> how it answered the tasks.
        clusters: int64 [distinct task].
        goals: by name.
    """
    rows: list[GapAtEqual] = []
    means: list[MeanGap] = []
    for condition, found in samples.items():
        gaps, own = _Family(condition, headline(goals[condition.goal]), found, {}, clusters).gaps()
        rows += gaps
        means += own
    return rows, means


class _Family:
    """All schemes under one condition: their curves, and all claims about them."""

    def __init__(
        self,
        condition: Condition,
        metric: Metric,
        found: Mapping[str, list[Answer]],
        clean: Mapping[str, Sample],
        clusters: Tensor,
    ) -> None:
        self.condition, self.metric, self.found = condition, metric, found
        answers = [(name, answer) for name, own in found.items() for answer in own]
        samples = aligned([*(answer.sample for _, answer in answers), *clean.values()])
        own = dict(zip(clean, samples[len(answers) :], strict=True))
        known = [own.get(name) for name, _ in answers] + [None] * len(own)
        self.estimates = [
            estimate(metric, sample, clusters, balanced=True, clean=one) for sample, one in zip(samples, known, strict=True)
        ]
        self.clean = {name: len(answers) + at for at, name in enumerate(clean)}
        self.points: dict[str, dict[float, Point]] = {}
        for number, (name, answer) in enumerate(answers):
            point = Point(number=number, estimate=self.estimates[number], reading=answer.reading)
            self.points.setdefault(name, {})[answer.snr_db_target] = point
        self.curves = {name: Curve(list(own.values()), metric.unit) for name, own in self.points.items()}
        self.errors = SnrErrors({number: answer.reading for number, (_, answer) in enumerate(answers)})

    def spots(self) -> Iterator[tuple[float, float, dict[str, Spot]]]:
        """Target, SNR and where the curves lie there: the mean of the SNRs that the schemes were measured at."""
        for target in sorted({target for own in self.points.values() for target in own}):
            there = {name: own[target].reading.snr_db for name, own in self.points.items() if target in own}
            snr_db = sum(there.values()) / len(there)
            found = {name: spot for name in there if (spot := self.curves[name].at(snr_db)) is not None}
            yield target, snr_db, found

    def pairs(self) -> list[Claim]:
        """Every pair at every SNR, then on the mean."""
        claims = []
        for target, snr_db, found in self.spots():
            for first, second in combinations(found.items(), 2):
                one, other = self.points[first[0]][target].reading, self.points[second[0]][target].reading
                gap_db = one.snr_db - other.snr_db
                claims.append(Claim.between(first, second, target=target, snr_db=snr_db, gap_db=gap_db))
        known = [claim for claim in claims if math.isfinite(claim.value)]
        return known + means_of(known)

    def against_noiseless(self) -> list[Claim]:
        """Every scheme at every SNR where it was measured, minus itself without noise."""
        claims = []
        for name, number in self.clean.items():
            without = (NOISELESS, Spot(value=self.estimates[number].value, weights={number: 1.0}, slope={}))
            for target, point in self.points[name].items():
                own = (name, Spot(value=point.estimate.value, weights={point.number: 1.0}, slope={}))
                claims.append(Claim.between(own, without, target=target, snr_db=point.reading.snr_db))
        return [claim for claim in claims if math.isfinite(claim.value)]

    def gaps(self) -> tuple[list[GapAtEqual], list[MeanGap]]:
        """Every pair in dB, at round values of the headline and on their mean."""
        points = {name: list(own.values()) for name, own in self.points.items()}
        about = {key: value for key, value in vars(self.condition).items() if key != "snr_basis"}
        levels = round_levels([one.estimate.value for own in points.values() for one in own])
        return gaps_at_equal(self.curves, points, self.estimates, self.errors, levels, about)

    def judged(self, claims: Sequence[Claim]) -> tuple[list[Comparison], list[MeanOverSnrs]]:
        """Claims with their intervals, simultaneous over these."""
        if not claims:
            return [], []
        array = claims_of(claims, self.errors, estimates=len(self.estimates), unit=self.metric.unit)
        said = judged(self.estimates, array)
        family = f"{len(claims)} comparisons: {self.condition.words}"
        both = list(zip(claims, said, strict=True))
        rows = [self._row(claim, item, family) for claim, item in both if len(claim.targets) == 1]
        means = [(claim, item) for claim, item in both if len(claim.targets) > 1]
        return rows, [
            claim.over_snrs(item, family, direction=direction_of(item.simultaneous_ci, self.metric), **vars(self.condition))
            for claim, item in means
        ]

    def means(self) -> list[MeanOverSnrs]:
        """Each scheme's own mean over the SNRs at which the curves were read."""
        nothing = ("", Spot(value=0.0, weights={}, slope={}))
        claims = [
            Claim.between((name, spot), nothing, target=target, snr_db=snr_db)
            for target, snr_db, found in self.spots()
            for name, spot in found.items()
        ]
        return [self._own_mean(claim) for claim in means_of(claims)]

    def _own_mean(self, claim: Claim) -> MeanOverSnrs:
        load = self.errors.load(claim.slope)
        parts = [(weight, self.estimates[number]) for number, weight in claim.weights.items()]
        return MeanOverSnrs(
            **vars(self.condition),
            first=claim.first,
            second=None,
            snr_db=(min(claim.snr_db), max(claim.snr_db)),
            snrs=len(claim.snr_db),
            value=claim.value,
            ci=interval(blended(parts, claim.value, excess=float(load @ load))),
        )

    def _row(self, claim: Claim, item: Judged, family: str) -> Comparison:
        return Comparison(
            **vars(self.condition),
            snr_db_target=claim.targets[0],
            snr_db=claim.snr_db[0],
            snr_gap_db=claim.gap_db[0] if claim.second != NOISELESS else None,
            first=claim.first,
            second=claim.second,
            values=claim.values,
            difference=item.value,
            ci=item.ci,
            simultaneous_ci=item.simultaneous_ci,
            direction=direction_of(item.simultaneous_ci, self.metric),
            family=family,
        )
