"""Bring results of older schemas up to today's, one step a version. A newer one is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hil.errors import ConfigError
from hil.provenance import from_versions

__all__ = ["SCHEMA", "STEPS", "row_two", "upgrade"]

SCHEMA = 3

Document = dict[str, Any]


def _one_to_two(old: Document) -> Document:
    """Schema 1 had one goal and receiver, top-1 and mAP only, no names in `summary.order`, and `versions` for `provenance`."""
    new = {key: value for key, value in old.items() if key != "versions"}
    new["provenance"] = from_versions(old.get("versions") or {})
    new["status"] = "complete"
    new["points"] = [row_two(row) for row in old["points"]]
    for name in ("agreement", "comparisons"):
        new[name] = [{"goal": _GOAL, **item} for item in old.get(name) or []]
    for item in new["agreement"]:
        item["bound"], item["outside_bound"] = 0.03, item.pop("outside_3_points", False)
    summary = old.get("summary") or {}
    new["summary"] = {**summary, "order": [_order_two(item, old["points"]) for item in summary.get("order") or []]}
    return new


_GOAL = "retrieval"  # the only one that schema 1 knew
_ORDERED = ("source", "snr_basis", "energy", "snr_db_target")


def _order_two(item: Document, rows: list[Document]) -> Document:
    own = [row for row in rows if all(row.get(key) == item.get(key) for key in _ORDERED)]
    schemes = [row["scheme"] for row in sorted(own, key=lambda row: -(row.get("top1") or 0.0))]
    return {"goal": _GOAL, "receiver": None, **item, "schemes": schemes, "metric": "top1"}


def row_two(row: Document) -> Document:
    """A row of schema 1 as one of schema 2."""
    share = {"unit": "share", "better": "higher", "n": row.get("tasks") or 0}
    top1 = {"value": row.get("top1"), "ci": row.get("top1_ci"), "headline": True, "scored": row.get("top1_scored")}
    metrics: Document = {"top1": {**share, "title": "top-1", **top1}}
    if "map" in row:
        metrics["map"] = {**share, "title": "mAP", "value": row["map"]}
    options = {"gallery": row["gallery"]} if "gallery" in row else {}
    return {**row, "goal": _GOAL, "goal_version": 1, "options": options, "metrics": metrics}


def _two_to_three(old: Document) -> Document:
    """Schema 2 compared schemes at equal targets, each by itself, and called everything not beyond the bound in agreement."""
    agreement = [{**item, "verdict": _verdict(item)} for item in old.get("agreement") or []]
    return {**old, "agreement": agreement}


def _verdict(item: Document) -> str:
    if item.get("outside_bound"):
        return "beyond"
    low, high = item["simultaneous_ci"]
    return "inside" if -item["bound"] <= low and high <= item["bound"] else "undetermined"


STEPS: Mapping[int, Callable[[Document], Document]] = {1: _one_to_two, 2: _two_to_three}
"""Version n -> the step from n to n + 1."""


def upgrade(data: Document, source: str, *, target: int = SCHEMA) -> Document:
    """Apply the steps from the document's version to `target`.

    Raises:
        ConfigError: no version, or a newer one.
    """
    version = data.get("schema")
    if not isinstance(version, int) or version < 1:
        raise ConfigError(f"{source} holds no results of hil: 'schema' must be its version, not {version!r}")
    if version > target:
        raise ConfigError(f"{source} has schema {version}, this hil reads up to {target}; upgrade hil")
    for step in range(version, target):
        data = {**STEPS[step](data), "schema": step + 1}
    return data
