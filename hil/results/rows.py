"""Rows of the document: one scheme at one SNR, judged by one goal, from one source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, headline
from hil.models.card import Card
from hil.models.contract import Plan
from hil.results.document import MetricValue, Row, rounded
from hil.results.estimate import Estimate, estimate
from hil.results.intervals import interval
from hil.results.repeats import repeat_of
from hil.results.sample import Sample

__all__ = ["Subject", "mean_uses", "reference_row", "scored_row", "simulated_row"]

VERIFIED_FROM = 8
"""Clusters down to which coverage was measured."""
WIDE_BELOW = 15
"""Clusters below which shares near 0 and 1 were covered in 98…99 %, not 95."""
KNOWN_FROM = 6
"""Frames down to which what their tasks share is known well enough (coverage 93…97 %; at 2 frames as low as 90 %)."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who is judged, and by what.

    Attributes:
        scheme: its name in the results.
        card, plan: the scheme's.
        goal, options: what judges.
        metrics: `Goal.metrics_for` the data set at the scheme's image size.
        clusters: int64 [distinct task].
        dropped: tasks that the data set cannot answer.
        receiver: whose output it is; None where the scheme makes one for all receivers.
    """

    scheme: str
    card: Card
    plan: Plan
    goal: Goal
    options: GoalOptions
    metrics: tuple[Metric, ...]
    clusters: Tensor
    dropped: int = 0
    receiver: str | None = None


def scored_row(
    subject: Subject,
    tasks: PerTask,
    index: Tensor,
    *,
    source: Literal["air", "noiseless"],
    frame: Tensor | None = None,
    repeat: Tensor | None = None,
    snr_offset_db: Sequence[float] = (),
    **more: Any,
) -> Row:
    """A row for tasks judged one by one, over the air or without a channel.

    Args:
        subject: who and by what.
        tasks: how they were answered.
        index: int64 [task], the distinct task of each.
        source: of the row.
        frame, repeat: as `Sample.frame` and `Sample.repeat`.
        snr_offset_db: of each measurement, as `hil.results.repeats.repeat_of` has it.
        more: further keys.
    """
    sample = Sample(tasks=tasks, index=index, frame=frame, repeat=repeat)
    counts = {
        "tasks": len(tasks),
        "distinct_tasks": len(index.unique()),
        "identities": len(subject.clusters[index].unique()),
    }
    alignments = (more.get("alignment") or {}).get("alignments")
    metrics = _metric_values(subject.metrics, sample, subject.clusters, alignments)
    several = None if repeat is None else repeat_of(headline(subject.goal), sample, subject.clusters, snr_offset_db)
    own = {} if several is None else {"repeat": several.model_dump()}
    return _row(subject, metrics, {"source": source, **counts, **own, **more})


def simulated_row(subject: Subject, sample: Sample, *, basis: str, **more: Any) -> Row:
    """A row for a simulation: only the headline, averaged over noise draws.

    Args:
        subject: who and by what.
        sample: what the headline is made of, of every task in every draw.
        basis: SNR that was drawn at.
        more: further keys.
    """
    metric = headline(subject.goal)
    counts = {
        "tasks": len(sample),
        "distinct_tasks": len(sample.index.unique()),
        "identities": len(subject.clusters[sample.index].unique()),
        "draws": 1 if sample.draw is None else len(sample.draw.unique()),
    }
    metrics = _metric_values((metric,), sample, subject.clusters)
    return _row(subject, metrics, {"source": "simulation", "snr_basis": basis, **counts, **more})


def reference_row(goal: Goal, metrics: tuple[Metric, ...], name: str, found: float | PerTask, *, clusters: Tensor) -> Row:
    """A row for what needs no scheme (`Judge.references`).

    Args:
        goal: whose reference it is.
        metrics: `Goal.metrics_for` the data set.
        name: of the reference.
        found: the headline's expected value (chance), without an interval; or answers of all distinct tasks.
        clusters: int64 [distinct task].
    """
    if isinstance(found, PerTask):
        values = _metric_values(metrics, Sample(tasks=found, index=torch.arange(len(found))), clusters)
    else:
        metric = headline(goal)
        value = MetricValue(
            value=found,
            n=len(clusters),
            unit=metric.unit,
            better=metric.better,
            headline=True,
            title=metric.title or metric.name,
        )
        values = {metric.name: value}
    own: dict[str, Any] = {
        "scheme": name,
        "kind": "bound",
        "goal": goal.name,
        "goal_version": goal.version,
        "source": "noiseless",
        "tasks": len(clusters),
        **dict.fromkeys(goal.options.model_fields),  # nothing was chosen of it
        **_flat(metrics, values),
        "metrics": {key: value.model_dump() for key, value in values.items()},
    }
    return Row.model_validate(rounded(own))


def _metric_values(
    metrics: tuple[Metric, ...], sample: Sample, clusters: Tensor, alignments: int | None = None
) -> dict[str, MetricValue]:
    """Each metric with its interval; the headline also without the tasks that were lost."""
    kept = sample.tasks.rows(sample.tasks.scored)
    found = {}
    for metric in metrics:
        known = estimate(metric, sample, clusters) if len(sample) else None
        found[metric.name] = MetricValue(
            value=sample.value(metric) if known is None else known.value,
            ci=None if known is None else interval(known),
            ci_note=None if known is None else _note(known, alignments),
            n=len(sample),
            unit=metric.unit,
            better=metric.better,
            headline=metric.headline,
            title=metric.title or metric.name,
            scored=_scored(metric, sample, kept) if metric.headline else None,
        )
    return found


def _note(known: Estimate, alignments: int | None = None) -> str | None:
    """What the interval does not hold, in words; of superposed transmitters that were aligned so often."""
    if not math.isfinite(known.value):
        return None
    if known.effective <= 1 + 1e-6:
        return "all tasks are of one cluster: no interval"
    if not np.isfinite(known.clusters).all():
        return "not defined without some cluster of tasks: no interval"
    said = []
    if known.effective < VERIFIED_FROM:
        said.append(f"about {known.effective:.1f} clusters of tasks: coverage is not known below {VERIFIED_FROM}")
    elif known.effective < WIDE_BELOW:
        said.append(f"about {known.effective:.0f} clusters of tasks: the interval is wide, 96…99 % rather than 95")
    article, what = ("a", "frame") if alignments is None or alignments == 1 else ("an", "alignment")
    if alignments == 1:
        said.append("one alignment: what it is off by is not in the interval")
    if known.repeats is not None and known.repeats < KNOWN_FROM:
        said.append(f"{known.repeats} measurements: what changed from one to the next is hardly known")
    if known.frames == 1:
        said.append(f"one {what}: an error that its tasks share is not in the interval")
    elif known.frames is not None and known.frames < KNOWN_FROM:
        said.append(f"{known.frames:.0f} {what}s: an error that tasks of {article} {what} share is hardly known")
    return "; ".join(said) or None


def _scored(metric: Metric, sample: Sample, kept: PerTask) -> float:
    return sample.value(metric) if len(kept) == len(sample) else metric.of(kept)


def _flat(metrics: tuple[Metric, ...], values: Mapping[str, MetricValue]) -> dict[str, Any]:
    """The metrics as keys of the row itself: NAME, and for the headline NAME_ci and NAME_scored."""
    flat: dict[str, Any] = {metric.name: None for metric in metrics}
    for name, value in values.items():
        flat |= {name: value.value}
        if value.headline:
            flat |= {f"{name}_ci": value.ci, f"{name}_scored": value.scored}
    return flat


def _row(subject: Subject, metrics: Mapping[str, MetricValue], more: Mapping[str, Any]) -> Row:
    plan, card = subject.plan, subject.card
    options = subject.options.model_dump(mode="json")
    own = {
        "scheme": subject.scheme,
        "access": plan.access,
        "kind": card.kind,
        "goal": subject.goal.name,
        "goal_version": subject.goal.version,
        "receiver": subject.receiver,
        "uses": _uses(plan),
        "dropped_tasks": subject.dropped,
        "csi": {"tx": plan.tx_csi, "rx": plan.rx_csi},
        "fading": "none",
        "snr_train_db": card.snr_train_db,
        "training_seed": card.training_seed,
        "frames": None,
        "options": options,
        **{name: value if plan.uses else None for name, value in options.items()},
        **_flat(subject.metrics, metrics),
    }
    return Row.model_validate(
        rounded({**own, **more, "metrics": {name: value.model_dump() for name, value in metrics.items()}})
    )


def _uses(plan: Plan) -> list[int | float] | None:
    return [int(count) for count in plan.occupied.sum(1)] if plan.uses else None


def mean_uses(plan: Plan, length: Tensor | None) -> Sequence[int | float] | None:
    """Uses a task of each transmitter, the mean where codewords vary in length."""
    return _uses(plan) if length is None else length.to(torch.float64).mean(1).tolist()
