"""How often do 95 % intervals hold the truth? Every kind that a run prints, by simulation (docs/results.md, "Intervals").

A row is a kind of interval, a number of identities, and whether tasks of a frame share an error; its value is the lowest
coverage over the cases (`cases`: true values -> coverage, %), and it is met where all lie in 93…97 %, up to twice the standard
error of the simulation. Above that an interval is wider than it need be, which is said (`wide`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.dependent import HIT, LEVEL, World
from benchmarks.rows import Row, row
from benchmarks.snr_truth import measured_links, simulated_links
from hil.goals.card import Unit
from hil.goals.classification.confusion import MACRO_F1
from hil.goals.contract import GoalOptions, Metric, PerTask
from hil.goals.detection.precision import MAP50
from hil.results.agreement import Pair, agreement_rows
from hil.results.compare import Answer, Condition, comparison_rows
from hil.results.curves import Reading
from hil.results.document import MetricValue
from hil.results.document import Row as ResultRow
from hil.results.estimate import estimate
from hil.results.intervals import Claims, interval, judged
from hil.results.sample import Sample

__all__ = ["BAND", "agreements", "comparisons", "coverage_row", "pictures", "rows"]

BAND = (93.0, 97.0)
IDENTITIES = (8, 20, 40, 400)
SHARED = 0.3
MEANS = (0.05, 0.5, 0.8, 0.92, 0.97)
PAIRS = ((0.5, 0.5), (0.8, 0.7), (0.92, 0.92), (0.97, 0.95))
SNRS = (-6.0, -3.0, 0.0, 3.0, 6.0, 9.0)
CURVES = {"a": (0.8, 0.15), "b": (0.9, 0.3), "c": (0.92, 0.9)}
"""Schemes: share at high SNR, and log odds of the rest at 0 dB."""

Hits = list[bool]
Trial = Callable[[np.random.Generator], Mapping[str, Hits]]
"""Case -> whether each interval of one simulated experiment held the truth."""


class Shares:
    """A goal with one share."""

    name, version, needs, requires, options = "hits", 1, "features", (), GoalOptions
    metrics: tuple[Metric, ...] = (HIT,)


class Levels(Shares):
    """A goal with one mean of decibels."""

    name, metrics = "levels", (LEVEL,)


GOALS: Any = {"hits": Shares(), "levels": Levels()}


def held(ends: Sequence[float | None] | None, truth: float) -> bool:
    """Whether an interval holds the truth; none is as good as everything."""
    if ends is None or ends[0] is None or ends[1] is None:
        return True
    return ends[0] <= truth <= ends[1]


def shares(world: World) -> Trial:
    """A share of hits."""

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        return {
            f"{mean:g}": [held(_interval(HIT, world.answered(rng, mean, world.effects(rng)), world), mean)] for mean in MEANS
        }

    return trial


def _interval(metric: Metric, sample: Sample, world: World) -> tuple[float, float] | None:
    return interval(estimate(metric, sample, world.clusters))


def differences(world: World) -> Trial:
    """A paired difference of two shares."""

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        found = {}
        for pair in PAIRS:
            effects = world.effects(rng)
            both = [estimate(HIT, world.answered(rng, mean, effects), world.clusters, balanced=True) for mean in pair]
            value = np.array([both[0].value - both[1].value])
            claims = Claims(values=value, unit="share", weights=np.array([[1.0, -1.0]]), others=np.zeros((1, 0)))
            found[f"{pair[0]:g} − {pair[1]:g}"] = [held(judged(both, claims)[0].ci, pair[0] - pair[1])]
        return found

    return trial


def levels(world: World) -> Trial:
    """A mean in decibels, of skewed values."""

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        return {"mean": [held(_interval(LEVEL, world.levels(rng, world.effects(rng)), world), 0.0)]}

    return trial


def curve(scheme: str, snr_db: float) -> float:
    """The true share of a scheme at an SNR: its log odds rise by 0.35 a dB towards a ceiling."""
    high, low = CURVES[scheme]
    odds = math.log(low / (1 - low)) + 0.35 * snr_db
    return high / (1 + math.exp(-odds))


def comparisons(world: World, *, snrs: Sequence[float] = SNRS) -> Trial:
    """Three schemes measured at SNRs that differ, with errors: differences at equal SNR, their means, and all at once."""
    own_db, shared_db, apart_db = 0.05, 0.03, 0.25
    under = Condition(goal="hits", receiver=None, source="air", snr_basis="link", energy="per_use")

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        effects, noise = world.effects(rng), shared_db * rng.standard_normal()
        liked = {name: world.liked(rng, effects) for name in CURVES}
        found: dict[str, list[Answer]] = {}
        for name in CURVES:
            for target in snrs:
                true_db = target + apart_db * rng.standard_normal()
                seen = Reading(
                    snr_db=true_db + own_db * rng.standard_normal() + noise, own_db=own_db, shared_db=shared_db, pool="rx"
                )
                sample = world.answered(rng, curve(name, true_db), effects, liked=liked[name])
                found.setdefault(name, []).append(Answer(snr_db_target=target, sample=sample, reading=seen))
        clean = {
            ("hits", name, None): world.answered(rng, CURVES[name][0], effects, liked=liked[name], air=False) for name in CURVES
        }
        rows, means = comparison_rows({under: found}, clean, world.clusters, GOALS)
        pairs = [item for item in rows if item.second != "noiseless"]
        truths = [curve(item.first, item.snr_db or 0.0) - curve(item.second, item.snr_db or 0.0) for item in pairs]
        average = {(item.first, item.second): _mean_truth(item.first, item.second, pairs) for item in means}
        together = [held(item.simultaneous_ci, truth) for item, truth in zip(pairs, truths, strict=True)]
        together += [held(item.simultaneous_ci, average[item.first, item.second]) for item in means if item.second in CURVES]
        return {
            "each": [held(item.ci, truth) for item, truth in zip(pairs, truths, strict=True)],
            "mean over SNRs": [held(item.ci, average[item.first, item.second]) for item in means if item.second in CURVES],
            "scheme's mean": [held(item.ci, average[item.first, item.second]) for item in means if item.second is None],
            "all at once": [all(together)],
        }

    return trial


def _mean_truth(first: str, second: str | None, pairs: Sequence[Any]) -> float:
    snrs = sorted({item.snr_db for item in pairs})
    less = [curve(second, snr) if second in CURVES else 0.0 for snr in snrs]
    return sum(curve(first, snr) - other for snr, other in zip(snrs, less, strict=True)) / len(snrs)


def agreements(world: World, *, snrs: Sequence[float] = SNRS) -> Trial:
    """Air against simulation of two schemes at several SNRs: each point, and all at once; the truth is 0."""
    draws = 20

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        effects = world.effects(rng)
        pairs = []
        for name in ("a", "c"):
            liked = world.liked(rng, effects)
            for target in snrs:
                mean = curve(name, target)
                air = world.answered(rng, mean, effects, liked=liked)
                simulated = world.answered(rng, mean, effects, liked=liked, air=False, draws=draws)
                pairs.append(Pair(row=_row(name, target), air=air, simulated=simulated, clusters=world.clusters))
        return _agreed(pairs)

    return trial


def pictures(frames: int, shared_db: float, *, count: int = 504, snrs: Sequence[float] = SNRS) -> Trial:
    """Air against simulation in dB of pictures that are unlike each other (3 dB) and answered much alike; the truth is 0.

    Args:
        frames: that the pictures are sent in.
        shared_db: standard deviation of a frame's own error.
        count: of pictures; snrs: of the points.
    """
    unlike_db, again_db, draws = 3.0, 0.3, 20
    clusters = torch.arange(count)
    frame = clusters * frames // count

    def answers(values: NDArray[np.float64], **more: Any) -> Sample:
        tasks = PerTask(values={"level": torch.from_numpy(values)}, scored=torch.ones(len(values), dtype=torch.bool))
        return Sample(tasks=tasks, index=torch.arange(len(values)) % count, **more)

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        level = 20 + unlike_db * rng.standard_normal(count)
        pairs = []
        for target in snrs:
            shared = shared_db * rng.standard_normal(frames)[frame.numpy()]
            air = level + shared + again_db * rng.standard_normal(count)
            simulated = np.tile(level, draws) + again_db * rng.standard_normal(draws * count)
            both = {"air": answers(air, frame=frame), "simulated": answers(simulated)}
            pairs.append(Pair(row=_row("a", target, goal="levels", metric="level", unit="dB"), **both, clusters=clusters))
        return _agreed(pairs)

    return trial


def _agreed(pairs: Sequence[Pair]) -> Mapping[str, Hits]:
    """Which intervals of air − simulation hold 0, the truth."""
    points, means = agreement_rows(pairs, GOALS)
    return {
        "each": [held(item.ci, 0.0) for item in points],
        "mean over SNRs": [held(item.ci, 0.0) for item in means],
        "all at once": [all(held(item.simultaneous_ci, 0.0) for item in (*points, *means))],
    }


def _row(scheme: str, target: float, *, goal: str = "hits", metric: str = "hit", unit: Unit = "share") -> ResultRow:
    value = MetricValue(value=0.5, n=1, unit=unit, better="higher", headline=True)
    return ResultRow(
        scheme=scheme, kind="measured", goal=goal, goal_version=1, source="air", snr_db_target=target, tasks=1,
        metrics={metric: value},
    )  # fmt: skip


def aggregates(clusters: int) -> Trial:
    """Metrics that are no means: macro F1 of five classes, and average precision; images of one cluster are alike."""
    own = torch.arange(clusters).repeat_interleave(4)

    def made(rng: np.random.Generator, count: int) -> tuple[Sample, Sample]:
        ease = np.repeat(rng.standard_normal(count), 4)
        truth = rng.integers(0, 5, len(ease))
        right = rng.random(len(ease)) < 1 / (1 + np.exp(-1.2 - ease))
        said = np.where(right, truth, (truth + rng.integers(1, 5, len(ease))) % 5)
        first = np.where(right, rng.beta(4, 2, len(ease)), rng.beta(2, 4, len(ease)))
        boxes = {
            "score": np.stack([first, rng.beta(2, 5, len(ease))], 1).clip(1e-6),
            "label": np.zeros((len(ease), 2), np.int64),
            "voc": np.stack([right, np.zeros(len(ease), bool)], 1),
            "objects": np.ones((len(ease), 1), np.int64),
        }
        return _sample(truth=truth, predicted=said), _sample(**boxes)

    large = made(np.random.default_rng(0), 50_000)
    truths = {metric.name: sample.value(metric) for metric, sample in zip((MACRO_F1, MAP50), large, strict=True)}

    def trial(rng: np.random.Generator) -> Mapping[str, Hits]:
        both = zip((MACRO_F1, MAP50), made(rng, clusters), strict=True)
        return {metric.name: [held(interval(estimate(metric, sample, own)), truths[metric.name])] for metric, sample in both}

    return trial


def _sample(**values: Any) -> Sample:
    tensors = {name: torch.from_numpy(value) for name, value in values.items()}
    count = len(next(iter(tensors.values())))
    tasks = PerTask(values=tensors, scored=torch.ones(count, dtype=torch.bool))
    return Sample(tasks=tasks, index=torch.arange(count))


def coverage_row(name: str, trial: Trial, trials: int, *, seed: int = 0, **more: Any) -> Row:
    """Run an experiment often and count.

    Args:
        name: of the row.
        trial: one experiment.
        trials: how many.
        seed: of all of them.
        more: further keys.
    """
    rng = np.random.default_rng(seed)
    hits: dict[str, Hits] = {}
    for _ in range(trials):
        for case, found in trial(rng).items():
            hits.setdefault(case, []).extend(found)
    cases = {case: round(100 * sum(found) / len(found), 1) for case, found in hits.items()}
    slack = 200 * math.sqrt(0.05 * 0.95 / trials)
    lowest, highest = min(cases.values()), max(cases.values())
    print(f"{name}: {cases}", file=sys.stderr)
    return row(
        name, lowest, "%", target=BAND[0], highest=highest, cases=cases, trials=trials, wide=highest > BAND[1] + slack,
        met=lowest >= BAND[0] - slack and highest <= BAND[1] + slack, **more,
    )  # fmt: skip


def _experiments() -> Iterator[tuple[str, Trial, float]]:
    """Name, experiment, and how many trials of it relative to others."""
    for identities in IDENTITIES:
        for shared in (0.0, SHARED):
            world = World(identities=identities, shared=shared)
            words = f"{identities} identities" + (", frames share an error" if shared else "")
            yield f"share, {words}", shares(world), 1.0
            yield f"difference, {words}", differences(world), 1.0
            yield f"mean in dB, {words}", levels(world), 1.0
            yield f"comparisons at equal SNR, {words}", comparisons(world), 0.3
            yield f"air − simulation, {words}", agreements(world), 0.2
        yield f"macro F1, mAP; {identities} clusters of four images", aggregates(identities), 0.3
    for frames in (6, 17):
        for shared_db in (0.0, 0.1):
            words = f"{frames} frames" + (f" that differ by {shared_db:g} dB" if shared_db else "")
            yield f"air − simulation of pictures, dB; {words}", pictures(frames, shared_db), 0.3
    yield "SNR, effective SNR, receiver loss; closed model of 24 frames", simulated_links(24), 1.0
    yield "SNR, effective SNR, receiver loss; closed model of 6 frames", simulated_links(6), 1.0
    yield "SNR against the simulated air's truth, noise pooled over three points", measured_links(), 0.3


def rows(quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """All rows; `quick`: a twentieth of the trials, which only shows that it runs."""
    trials = 50 if quick else 1000
    return [coverage_row(name, trial, max(5, round(share * trials))) for name, trial, share in _experiments()], {}
