"""`results.json`: its schema, how points become rows of it, and its table. docs/results.md describes every key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from torch import Tensor

from hil.agreement import Difference, clustered_difference, holm_intervals
from hil.retrieval import bootstrap_interval, paired_difference
from hil.scoring import Outcome, Scorer

__all__ = ["Shares", "agreement_rows", "comparison_rows", "point_row", "read_results", "rounded", "summary", "write_results"]

SCHEMA = 1
INTERVAL_SEED = 20260101

Shares = dict[tuple[str, str, str, float], dict[str, Tensor]]
"""(source, SNR basis, energy, target) -> scheme -> share of hits of each distinct task, float64 [task]."""


def interval(values: Any, identities: Any) -> list[float]:
    """95 % bootstrap interval over identities, as a list for JSON."""
    low, high = bootstrap_interval(values, identities, seed=INTERVAL_SEED)
    return [float(low), float(high)]


def point_row(
    *,
    scorer: Scorer,
    source: str,
    outcome: Outcome,
    task_index: Any,
    basis: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A row of `points` for tasks scored one by one (air, noiseless)."""
    identities = scorer.tasks.identities[task_index]
    hits = outcome.hit.double()
    scored = outcome.scored
    return {
        **_common(scorer, source, basis),
        "tasks": len(hits),
        "distinct_tasks": len(task_index.unique()),
        "identities": len(identities.unique()),
        "top1": float(hits.mean()),
        "top1_ci": interval(hits, identities),
        "top1_scored": float(hits[scored].mean()) if bool(scored.any()) else None,
        "map": float(outcome.ap.double().mean()),
        **more,
    }


def simulation_row(
    *, scorer: Scorer, share: Any, basis: str, draws: int, task_index: Any = None, **more: Any
) -> dict[str, Any]:
    """A row of `points` for a simulation: `share` of hits over the draws, float64 [task]."""
    count = len(share)
    identities = scorer.tasks.identities[slice(count) if task_index is None else task_index]
    return {
        **_common(scorer, "simulation", basis),
        "tasks": count * draws,
        "distinct_tasks": min(count, len(scorer.tasks)),
        "identities": len(identities.unique()),
        "draws": draws,
        "top1": float(share.mean()),
        "top1_ci": interval(share, identities),
        "top1_scored": float(share.mean()),
        "map": None,
        **more,
    }


def _common(scorer: Scorer, source: str, basis: str | None) -> dict[str, Any]:
    plan = scorer.plan
    scheme: Any = scorer.scheme
    return {
        "scheme": scorer.name,
        "access": plan.access,
        "kind": plan.kind,
        "source": source,
        "snr_basis": basis,
        "snr_db_target": None,
        "snr_db": None,
        "snr_eff_db": None,
        "energy": None,
        "uses": [int(count) for count in plan.occupied.sum(1)] if plan.uses else None,
        "dropped_tasks": scorer.tasks.dropped,
        "gallery": getattr(scheme, "gallery_mode", None) if plan.uses else None,
        "csi": {"tx": plan.tx_csi, "rx": plan.rx_csi},
        "fading": "none",
        "snr_train_db": getattr(scheme, "snr_train_db", None),
        "training_seed": getattr(scheme, "training_seed", None),
        "frames": None,
    }


def agreement_rows(
    pairs: Iterable[tuple[dict[str, Any], Any, Any, Any]],
) -> list[dict[str, Any]]:
    """Air − simulation at the effective SNR, for every point, with intervals simultaneous over all of them (Holm).

    Args:
        pairs: (the air's row, share of hits on the air [task], the same simulated [task], identities [task]).
    """
    pairs = list(pairs)
    differences: list[Difference] = [clustered_difference(air, simulated, ids) for _, air, simulated, ids in pairs]
    intervals = holm_intervals(differences, bound=0.03)
    return [
        {
            "scheme": row["scheme"],
            "snr_db_target": row["snr_db_target"],
            "difference": item.value,
            "standard_error": item.error,
            "simultaneous_ci": [low, high],
            "outside_3_points": low > 0.03 or high < -0.03,
        }
        for (row, *_), item, (low, high) in zip(pairs, differences, intervals, strict=True)
    ]


def comparison_rows(shares: Shares, noiseless: Mapping[str, Tensor], identities: Tensor) -> list[dict[str, Any]]:
    """Schemes against each other, and each against itself without noise, on the same tasks: paired differences of top-1.

    Args:
        shares: (source, basis, energy, target) -> scheme -> share of hits of each distinct task, float64 [task].
        noiseless: scheme -> hits without noise, float64 [task].
        identities: int64 [task].
    """
    rows = []
    for (source, basis, energy, target), found in shares.items():
        pairs = [(first, second, found[first], found[second]) for first, second in combinations(found, 2)]
        if source == "air" and noiseless:
            pairs += [(name, "noiseless", share, noiseless[name]) for name, share in found.items()]
        for first, second, one, other in pairs:
            value, low, high = paired_difference(one, other, identities[: len(one)], seed=INTERVAL_SEED)
            rows.append(
                {
                    "source": source,
                    "snr_basis": basis,
                    "energy": energy,
                    "snr_db_target": target,
                    "first": first,
                    "second": second,
                    "difference": value,
                    "ci": [low, high],
                }
            )
    return rows


def summary(rows: list[dict[str, Any]], agreement: list[dict[str, Any]]) -> dict[str, Any]:
    """What the result says: agreement and receiver loss a scheme, and who wins where."""
    air = [row for row in rows if row["source"] == "air"]
    schemes = list(dict.fromkeys(row["scheme"] for row in rows if row["source"] != "noiseless"))
    result: dict[str, Any] = {"schemes": {}}
    for name in schemes:
        own = [row for row in air if row["scheme"] == name]
        differences = [item["difference"] for item in agreement if item["scheme"] == name]
        losses = [row["receiver_loss_db"] for row in own if row.get("receiver_loss_db") is not None]
        result["schemes"][name] = {
            "mean_air_minus_simulation": sum(differences) / len(differences) if differences else None,
            "largest_receiver_loss_db": max(losses) if losses else None,
        }
    result["order"] = _orders(rows)
    return result


def _orders(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At each SNR the schemes from best to worst, by source and energy."""
    orders = []
    with_snr = [row for row in rows if row["snr_db_target"] is not None]
    names = ("source", "snr_basis", "energy", "snr_db_target")
    for key in dict.fromkeys(tuple(row[name] for name in names) for row in with_snr):
        own = [row for row in with_snr if tuple(row[name] for name in names) == key]
        if len(own) > 1:
            ranked = sorted(own, key=lambda row: -row["top1"])
            orders.append(
                dict(zip(names, key, strict=True))
                | {"best_first": [row["access"] for row in ranked], "top1": [row["top1"] for row in ranked]}
            )
    return orders


def rounded(value: Any) -> Any:
    """The same with NaN and infinities as None, so that it is strict JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def write_results(results: dict[str, Any], path: Path) -> None:
    """Write `results.json`, whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(rounded(results), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_results(path: Path) -> dict[str, Any]:
    """Read `results.json`."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
