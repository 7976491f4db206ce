"""What rows say together: air against simulation, schemes against each other, who wins where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from torch import Tensor

from hil.goals.contract import Goal, headline
from hil.results.document import Agreement, Comparison, Row
from hil.results.sample import Sample
from hil.results.statistics import compared, holm_exceeds, sampled_difference, simultaneous_intervals

__all__ = ["BOUNDS", "Condition", "Pair", "Samples", "agreement_rows", "comparison_rows", "summary"]

BOUNDS: Mapping[str, float] = {"share": 0.03, "dB": 0.3, "1": 0.03}
"""Largest difference of air and simulation that counts as agreement, by the headline's unit."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Under which schemes are compared: the same goal, receiver, source, SNR basis, rule of energy and SNR."""

    goal: str
    receiver: str | None
    source: str
    snr_basis: str | None
    energy: str
    snr_db_target: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One point over the air and simulated: answers to the same tasks, and the clusters of all distinct tasks."""

    row: Row
    air: Sample
    simulated: Sample
    clusters: Tensor


Samples = dict[Condition, dict[str, Sample]]
"""Condition -> scheme -> how it answered the tasks; at least the headline's values."""


def agreement_rows(pairs: Sequence[Pair], goals: Mapping[str, Goal], *, basis: str) -> list[Agreement]:
    """Air − simulation on the same tasks, for every point, with intervals simultaneous over all of one goal's.

    Args:
        pairs: of all points.
        goals: by name.
        basis: what was simulated: "effective" (AWGN at the effective SNR) or "channel" (the captured channel).
    """
    found: list[Agreement] = []
    for name in dict.fromkeys(pair.row.goal for pair in pairs):
        own = [pair for pair in pairs if pair.row.goal == name]
        metric = headline(goals[name])
        bound = BOUNDS[metric.unit]
        differences = [sampled_difference(metric, pair.air, pair.simulated, pair.clusters) for pair in own]
        intervals = simultaneous_intervals(differences)
        exceeds = holm_exceeds(differences, bound=bound)
        found += [
            Agreement(
                scheme=pair.row.scheme,
                goal=name,
                receiver=pair.row.receiver,
                snr_basis=basis,
                snr_db_target=float(pair.row.snr_db_target or 0.0),
                difference=item.value,
                standard_error=item.error,
                simultaneous_ci=interval,
                bound=bound,
                outside_bound=beyond,
            )
            for pair, item, interval, beyond in zip(own, differences, intervals, exceeds, strict=True)
        ]
    return found


def comparison_rows(
    samples: Samples,
    noiseless: Mapping[tuple[str, str, str | None], Sample],
    clusters: Tensor,
    goals: Mapping[str, Goal],
) -> list[Comparison]:
    """Schemes against each other, and each against itself without noise, on the same tasks: paired differences.

    Args:
        samples: condition -> scheme -> how it answered the tasks.
        noiseless: (goal, scheme, receiver) -> the same without noise.
        clusters: int64 [distinct task].
        goals: by name.
    """
    rows = []
    for condition, found in samples.items():
        metric = headline(goals[condition.goal])
        pairs = [(first, second, found[first], found[second]) for first, second in combinations(found, 2)]
        if condition.source == "air":
            own = {name: noiseless.get((condition.goal, name, condition.receiver)) for name in found}
            pairs += [(name, "noiseless", sample, clean) for name, sample in found.items() if (clean := own[name]) is not None]
        for first, second, one, other in pairs:
            value, low, high = compared(metric, one, other, clusters)
            rows.append(
                Comparison(
                    goal=condition.goal,
                    receiver=condition.receiver,
                    source=condition.source,
                    snr_basis=condition.snr_basis,
                    energy=condition.energy,
                    snr_db_target=condition.snr_db_target,
                    first=first,
                    second=second,
                    difference=value,
                    ci=(low, high),
                )
            )
    return rows


def summary(rows: Sequence[Row], agreement: Sequence[Agreement]) -> dict[str, Any]:
    """What the result says: agreement and receiver loss a scheme, and who wins where."""
    result: dict[str, Any] = {"schemes": {}}
    for name in dict.fromkeys(row.scheme for row in rows if row.source != "noiseless"):
        differences: dict[str, list[float]] = {}
        for item in agreement:
            if item.scheme == name:
                differences.setdefault(item.goal, []).append(item.difference)
        means = {goal: sum(values) / len(values) for goal, values in differences.items()}
        losses = [
            loss for row in rows if row.scheme == name and row.source == "air" and (loss := row.receiver_loss_db) is not None
        ]
        result["schemes"][name] = {
            "mean_air_minus_simulation": next(iter(means.values()), None),
            "mean_air_minus_simulation_by_goal": means,
            "largest_receiver_loss_db": max(losses) if losses else None,
        }
    result["order"] = _orders(rows)
    return result


_ORDERED = ("goal", "receiver", "source", "snr_basis", "energy", "snr_db_target")


def _orders(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """At each SNR the schemes from best to worst, by goal, receiver, source and energy."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row.snr_db_target is not None:
            groups.setdefault(tuple(getattr(row, name) for name in _ORDERED), []).append(row)
    orders = []
    for key, own in groups.items():
        if len(own) < 2:
            continue
        name, first = own[0].headline
        sign = -1 if first.better == "higher" else 1
        ranked = sorted(own, key=lambda row: math.inf if (value := row.headline[1].value) is None else sign * value)
        orders.append(
            dict(zip(_ORDERED, key, strict=True))
            | {"best_first": [row.access for row in ranked], "schemes": [row.scheme for row in ranked]}
            | {"metric": name, name: [row.headline[1].value for row in ranked]}
        )
    return orders
