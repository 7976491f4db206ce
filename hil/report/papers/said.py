"""What results say to a paper's claims, SNR by SNR, as far as intervals tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hil.report.measure import Measure, apart, known_ends, snr_list
from hil.report.papers.found import Curve, Found
from hil.report.papers.spec import Claimed
from hil.results.document import Codewords, Row, method_of
from hil.results.seeds import mean_over_seeds

__all__ = ["Answer", "Difference", "answer", "answer_of_cosines", "verdict_of"]

Verdict = Literal["supported", "contradicted", "undetermined"]
Ends = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First minus second at one SNR, towards better.

    Attributes:
        target: SNR (dB); NaN where there is none.
        value: of the difference; ends: its 95 % interval, None where there is none.
        kind: how the interval was made.
        verdict: what it says to the claim.
    """

    target: float
    value: float
    ends: Ends | None
    kind: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found for one claim.

    Attributes:
        claim: it; differences: at each SNR that it is about.
        missing: curves that no run has.
        seeds: in words, what several training seeds say; empty: one seed.
        axis: name of the setting that its differences are at, instead of SNRs.
    """

    claim: Claimed
    differences: tuple[Difference, ...] = ()
    missing: tuple[str, ...] = ()
    seeds: str = ""
    axis: str = ""

    def count(self, verdict: Verdict) -> int:
        """SNRs with a verdict."""
        return sum(one.verdict == verdict for one in self.differences)

    @property
    def verdict(self) -> str:
        """In a line: of the whole claim, and at how many SNRs."""
        if self.missing:
            return f"not measured: no run has {' or '.join(self.missing)}"
        if not self.differences:
            return f"not measured: no {self.axis or 'SNR'} that it is about has both"
        total = len(self.differences)
        supported, contradicted = self.count("supported"), self.count("contradicted")
        word = (
            "contradicted" if contradicted and not supported
            else "supported" if supported == total
            else f"supported at some {'places' if self.axis else 'SNRs'}, contradicted at others" if contradicted
            else "supported where the intervals tell" if supported
            else "undetermined"
        )  # fmt: skip
        if total == 1:
            return word
        parts = [f"supported at {supported} of {total} {f'values of {self.axis}' if self.axis else 'SNRs'}"]
        for name in ("contradicted", "undetermined"):
            at = [one.target for one in self.differences if one.verdict == name]
            parts += (
                [f"{name} at {f'{self.axis} ' if self.axis else ''}{snr_list(at, '' if self.axis else ' dB')}"] if at else []
            )
        return f"{word}: {', '.join(parts)}"


def answer(claim: Claimed, curves: Sequence[Curve], found: Found) -> Answer:
    """Hold a claim against curves.

    Args:
        claim: names its curves by label.
        curves: of one medium.
        found: all results, for paired comparisons and training seeds.
    """
    first, second = _named(claim.first, curves), _named(claim.second, curves)
    missing = tuple(name for name, curve in ((claim.first, first), (claim.second, second)) if curve is None)
    if first is None or second is None:
        return Answer(claim=claim, missing=missing)
    if claim.relation == "steps":
        return Answer(claim=claim, differences=_steps(claim, first, second, found.measure))
    targets = sorted({*first.rows, *second.rows}) or [math.nan]
    made = []
    for target in targets:
        one, two = first.at(target), second.at(target)
        if one is not None and two is not None and (math.isnan(target) or claim.about(target)):
            made += _difference(claim, target, one, two, found)
    axis = found.figure.axis if found.figure.kind == "setting" else ""
    return Answer(claim=claim, differences=tuple(made), seeds=_by_seed(claim, first, second, found), axis=axis)


def answer_of_cosines(claim: Claimed, found: Mapping[str, Codewords]) -> Answer:
    """Hold a claim against how alike codewords are, by label."""
    missing = tuple(name for name in (claim.first, claim.second) if name not in found)
    if missing:
        return Answer(claim=claim, missing=missing)
    one, two = found[claim.first], found[claim.second]
    ends = apart(one.cos2, known_ends(one.cos2_ci), two.cos2, known_ends(two.cos2_ci))
    value = one.cos2 - two.cos2
    said = Difference(target=math.nan, value=value, ends=ends, kind="unpaired", verdict=verdict_of(claim, ends))
    return Answer(claim=claim, differences=(said,))


def _named(label: str, curves: Sequence[Curve]) -> Curve | None:
    return next((one for one in curves if one.label == label or one.label.startswith(f"{label} (best of")), None)


def _difference(claim: Claimed, target: float, one: Row, two: Row, found: Found) -> list[Difference]:
    measure = found.measure
    value, other = measure.value(one), measure.value(two)
    if value is None or other is None:
        return []
    sign = 1 if measure.better == "higher" else -1
    paired = found.comparison(one, two)
    if paired is not None and (ends := known_ends(paired[0].simultaneous_ci or paired[0].ci)) is not None:
        item, turn = paired
        low, high = sorted(sign * turn * end for end in ends)
        difference, own = sign * turn * item.difference, (low, high)
        kind = "paired, simultaneous" if item.simultaneous_ci else "paired"
        return [Difference(target=target, value=difference, ends=own, kind=kind, verdict=verdict_of(claim, own))]
    ends_of = [_ends(measure, row) for row in (one, two)]
    ends = apart(value, ends_of[0], other, ends_of[1]) if sign == 1 else apart(other, ends_of[1], value, ends_of[0])
    difference = measure.gain(value, other)
    return [Difference(target=target, value=difference, ends=ends, kind="unpaired", verdict=verdict_of(claim, ends))]


def _ends(measure: Measure, row: Row) -> Ends | None:
    found = measure.found(row)
    return None if found is None else known_ends(found.ci)


def verdict_of(claim: Claimed, ends: Ends | None) -> Verdict:
    """What the interval of first − second, towards better, says to a claim."""
    if ends is None:
        return "undetermined"
    low, high = ends
    if claim.relation == "≈":
        inside = -claim.margin <= low and high <= claim.margin
        return "supported" if inside else "contradicted" if low > claim.margin or high < -claim.margin else "undetermined"
    return "supported" if low > -claim.margin else "contradicted" if high < -claim.margin else "undetermined"


def _steps(claim: Claimed, first: Curve, second: Curve, measure: Measure) -> tuple[Difference, ...]:
    """How much larger the second one's largest fall is, each between neighbouring SNRs that both have."""
    shared = [target for target in first.rows if target in second.rows and claim.about(target)]
    falls = [_largest_fall(curve, shared, measure) for curve in (second, first)]
    if falls[0] is None or falls[1] is None:
        return ()
    (value, own), (other, than) = falls[0], falls[1]
    ends = apart(value, own, other, than)
    return (Difference(target=math.nan, value=value - other, ends=ends, kind="unpaired", verdict=verdict_of(claim, ends)),)


def _largest_fall(curve: Curve, targets: Sequence[float], measure: Measure) -> tuple[float, Ends | None] | None:
    found: list[tuple[float, Ends | None]] = []
    for low, high in pairwise(targets):
        lower, upper = curve.rows[low], curve.rows[high]
        value, other = measure.value(upper), measure.value(lower)
        if value is not None and other is not None:
            fall = apart(value, _ends(measure, upper), other, _ends(measure, lower))
            found.append((measure.gain(value, other), fall))
    return max(found, key=lambda item: item[0]) if found else None


def _by_seed(claim: Claimed, first: Curve, second: Curve, found: Found) -> str:
    """What the mean over training seeds says, where both methods have several."""
    if len(first.networks) != 1 or len(second.networks) != 1 or first.level or second.level:
        return ""
    methods = method_of(first.networks[0]), method_of(second.networks[0])
    sample = next(iter(first.rows.values()))
    verdicts: list[Verdict] = []
    seeds: set[int] = set()
    for item in mean_over_seeds(found.rows):
        if item.second is None or {item.first, item.second} != set(methods) or item.metric != found.measure.name:
            continue
        if (item.source, item.snr_basis, item.energy, item.fading) != (
            sample.source, sample.snr_basis, sample.energy, sample.fading,
        ) or not claim.about(item.snr_db_target or 0.0):  # fmt: skip
            continue
        sign = (1 if item.first == methods[0] else -1) * (1 if found.measure.better == "higher" else -1)
        ends = known_ends(item.ci)
        turned = None if ends is None else (min(sign * ends[0], sign * ends[1]), max(sign * ends[0], sign * ends[1]))
        verdicts.append(verdict_of(claim, turned))
        seeds |= set(item.seeds)
    if not verdicts:
        return ""
    counts = ", ".join(f"{name} at {verdicts.count(name)}" for name in ("supported", "contradicted", "undetermined"))
    return f"as methods, {len(seeds)} training seeds: of {len(verdicts)} SNRs {counts}"
