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
from hil.results.statistics import (
    INTERVAL_SEED,
    clustered_difference,
    holm_exceeds,
    paired_difference,
    simultaneous_intervals,
)

__all__ = ["BOUNDS", "Condition", "Pair", "Shares", "agreement_rows", "comparison_rows", "summary"]

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
    """One point over the air and simulated: the headline of the same tasks, float64 [task] each, and their clusters."""

    row: Row
    air: Tensor
    simulated: Tensor
    clusters: Tensor


Shares = dict[Condition, dict[str, Tensor]]
"""Condition -> scheme -> the headline of each distinct task, float64 [task]."""


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
        bound = BOUNDS[headline(goals[name]).unit]
        differences = [clustered_difference(pair.air, pair.simulated, pair.clusters) for pair in own]
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
    shares: Shares, noiseless: Mapping[tuple[str, str, str | None], Tensor], clusters: Tensor
) -> list[Comparison]:
    """Schemes against each other, and each against itself without noise, on the same tasks: paired differences.

    Args:
        shares: condition -> scheme -> headline of each distinct task, float64 [task].
        noiseless: (goal, scheme, receiver) -> the same without noise, float64 [task].
        clusters: int64 [task].
    """
    rows = []
    for condition, found in shares.items():
        pairs = [(first, second, found[first], found[second]) for first, second in combinations(found, 2)]
        if condition.source == "air":
            for name, share in found.items():
                without = noiseless.get((condition.goal, name, condition.receiver))
                if without is not None:
                    pairs.append((name, "noiseless", share, without))
        for first, second, one, other in pairs:
            value, low, high = paired_difference(one, other, clusters[: len(one)], seed=INTERVAL_SEED)
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
            loss
            for row in rows
            if row.scheme == name and row.source == "air" and (loss := getattr(row, "receiver_loss_db", None)) is not None
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
