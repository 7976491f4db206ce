"""Rows of the document: one scheme at one SNR, judged by one goal, from one source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from hil.goals.contract import Goal, GoalOptions, PerTask, headline
from hil.models.card import Card
from hil.models.contract import Plan
from hil.results.document import MetricValue, Row, rounded
from hil.results.statistics import INTERVAL_SEED, bootstrap_interval, metric_interval

__all__ = ["Subject", "constant_row", "mean_uses", "scored_row", "simulated_row"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who is judged, and by what.

    Attributes:
        scheme: its name in the results.
        card, plan: the scheme's.
        goal, options: what judges.
        clusters: int64 [distinct task].
        dropped: tasks that the data set cannot answer.
        receiver: whose output it is; None where the scheme makes one for all receivers.
    """

    scheme: str
    card: Card
    plan: Plan
    goal: Goal
    options: GoalOptions
    clusters: Tensor
    dropped: int = 0
    receiver: str | None = None


def scored_row(subject: Subject, tasks: PerTask, index: Tensor, *, source: Literal["air", "noiseless"], **more: Any) -> Row:
    """A row for tasks judged one by one, over the air or without a channel.

    Args:
        subject: who and by what.
        tasks: how they were answered.
        index: int64 [task], the distinct task of each.
        source: of the row.
        more: further keys.
    """
    clusters = subject.clusters[index]
    metrics = {}
    for metric in subject.goal.metrics:
        scored = metric.of(tasks.rows(tasks.scored)) if metric.headline else None
        metrics[metric.name] = MetricValue(
            value=metric.of(tasks),
            ci=metric_interval(metric, tasks, clusters) if len(tasks) else None,
            n=len(tasks),
            unit=metric.unit,
            better=metric.better,
            title=metric.title or metric.name,
            headline=metric.headline,
            scored=scored,
        )
    counts = {
        "tasks": len(tasks),
        "distinct_tasks": len(index.unique()),
        "identities": len(clusters.unique()),
    }
    return _row(subject, metrics, {"source": source, **counts, **more})


def simulated_row(subject: Subject, share: Tensor, *, basis: str, draws: int, index: Tensor | None = None, **more: Any) -> Row:
    """A row for a simulation: only the headline, averaged over noise draws task by task.

    Args:
        subject: who and by what.
        share: the headline's mean over the draws, float64 [task].
        basis: SNR that was drawn at.
        draws: noise draws of each task.
        index: int64 [task], the distinct task of each; None for 0, 1, 2, ….
        more: further keys.
    """
    count = len(share)
    clusters = subject.clusters[:count] if index is None else subject.clusters[index]
    metric = headline(subject.goal)
    value = float(share.mean())
    metrics = {
        metric.name: MetricValue(
            value=value,
            ci=bootstrap_interval(share, clusters, seed=INTERVAL_SEED),
            n=count * draws,
            unit=metric.unit,
            better=metric.better,
            title=metric.title or metric.name,
            headline=True,
            scored=value,
        )
    }
    counts = {
        "tasks": count * draws,
        "distinct_tasks": min(count, len(subject.clusters)),
        "identities": len(clusters.unique()),
        "draws": draws,
    }
    return _row(subject, metrics, {"source": "simulation", "snr_basis": basis, **counts, **more})


def constant_row(goal: Goal, name: str, value: float, *, tasks: int) -> Row:
    """A row for what needs no scheme, such as chance: a bound, without an interval."""
    metric = headline(goal)
    title = metric.title or metric.name
    found = MetricValue(value=value, n=tasks, unit=metric.unit, better=metric.better, title=title, headline=True)
    flat = {metric.name: value, f"{metric.name}_ci": None}
    return Row(
        scheme=name,
        kind="bound",
        goal=goal.name,
        goal_version=goal.version,
        source="noiseless",
        tasks=tasks,
        metrics={metric.name: found},
        **flat,
    )


def _row(subject: Subject, metrics: Mapping[str, MetricValue], more: Mapping[str, Any]) -> Row:
    plan, card = subject.plan, subject.card
    flat: dict[str, Any] = {metric.name: None for metric in subject.goal.metrics}
    for name, metric in metrics.items():
        flat |= {name: metric.value}
        if metric.headline:
            flat |= {f"{name}_ci": metric.ci, f"{name}_scored": metric.scored}
    chosen = subject.options.model_dump(mode="json")
    options = {name: value if plan.uses else None for name, value in chosen.items()}
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
        **options,
        **flat,
    }
    return Row.model_validate(
        rounded({**own, **more, "metrics": {name: value.model_dump() for name, value in metrics.items()}})
    )


def _uses(plan: Plan) -> list[int | float] | None:
    return [int(count) for count in plan.occupied.sum(1)] if plan.uses else None


def mean_uses(plan: Plan, length: Tensor | None) -> Sequence[int | float] | None:
    """Uses a task of each transmitter, the mean where codewords vary in length."""
    return _uses(plan) if length is None else length.to(torch.float64).mean(1).tolist()
