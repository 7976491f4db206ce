"""What rows, agreement and comparisons say together, in `results.json`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hil.results.document import SIMULATION, Agreement, MeanOverSnrs, Row

__all__ = ["summary"]

_ORDERED = ("goal", "receiver", "source", "snr_basis", "energy", "snr_db_target")
_AGREED = ("goal", "snr_basis", "bound")


def summary(rows: Sequence[Row], agreement: Sequence[Agreement], means: Sequence[MeanOverSnrs] = ()) -> dict[str, Any]:
    """Agreement and receiver loss a scheme, how many points agree, and who is first where.

    Args:
        rows: all of them.
        agreement: of the points.
        means: over SNRs; those of air − simulation are taken.
    """
    gaps = {(item.first, item.goal): item for item in means if item.second == SIMULATION}
    return {
        "schemes": {
            name: _of_scheme(name, rows, agreement, {goal: item for (first, goal), item in gaps.items() if first == name})
            for name in dict.fromkeys(row.scheme for row in rows if row.source != "noiseless")
        },
        "agreement": _counted(agreement),
        "order": _orders(rows),
    }


def _of_scheme(name: str, rows: Sequence[Row], agreement: Sequence[Agreement], gaps: dict[str, MeanOverSnrs]) -> dict[str, Any]:
    differences: dict[str, list[float]] = {}
    for item in agreement:
        if item.scheme == name:
            differences.setdefault(item.goal, []).append(item.difference)
    found = {goal: sum(values) / len(values) for goal, values in differences.items()}
    losses = [loss for row in rows if row.scheme == name and row.source == "air" and (loss := row.receiver_loss_db) is not None]
    return {
        "mean_air_minus_simulation": next(iter(found.values()), None),
        "mean_air_minus_simulation_by_goal": found,
        "mean_air_minus_simulation_ci_by_goal": {goal: item.simultaneous_ci for goal, item in gaps.items()},
        "largest_receiver_loss_db": max(losses) if losses else None,
    }


def _counted(agreement: Sequence[Agreement]) -> list[dict[str, Any]]:
    """How many points of each goal lie inside the bound, beyond it, and neither."""
    groups: dict[tuple[Any, ...], Counter[str]] = {}
    for item in agreement:
        groups.setdefault(tuple(getattr(item, name) for name in _AGREED), Counter())[item.verdict] += 1
    return [
        dict(zip(_AGREED, key, strict=True))
        | {"points": sum(counts.values())}
        | {verdict: counts[verdict] for verdict in ("inside", "undetermined", "beyond")}
        for key, counts in groups.items()
    ]


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
