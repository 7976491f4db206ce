"""Bring results of older schemas up to today's, one step a version. A newer one is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hil.errors import ConfigError
from hil.provenance import from_versions

__all__ = ["SCHEMA", "STEPS", "row_two", "upgrade"]

SCHEMA = 2

Document = dict[str, Any]


def _one_to_two(old: Document) -> Document:
    """Schema 1 had one goal and one receiver, top-1 and mAP only, and `versions` in the place of `provenance`."""
    new = {key: value for key, value in old.items() if key != "versions"}
    new["provenance"] = from_versions(old.get("versions") or {})
    new["status"] = "complete"
    new["points"] = [row_two(row) for row in old["points"]]
    for name in ("agreement", "comparisons"):
        new[name] = [{"goal": _GOAL, **item} for item in old.get(name) or []]
    for item in new["agreement"]:
        item["bound"], item["outside_bound"] = 0.03, item.pop("outside_3_points", False)
    summary = old.get("summary") or {}
    new["summary"] = {**summary, "order": [{"goal": _GOAL, **item} for item in summary.get("order") or []]}
    return new


_GOAL = "retrieval"  # the only one that schema 1 knew


def row_two(row: Document) -> Document:
    """A row of schema 1 as one of schema 2."""
    share = {"unit": "share", "better": "higher", "n": row.get("tasks") or 0}
    top1 = {**share, "value": row.get("top1"), "ci": row.get("top1_ci"), "headline": True, "scored": row.get("top1_scored")}
    metrics: Document = {"top1": top1}
    if "map" in row:
        metrics["map"] = {**share, "value": row["map"]}
    return {**row, "goal": _GOAL, "goal_version": 1, "metrics": metrics}


STEPS: Mapping[int, Callable[[Document], Document]] = {1: _one_to_two}
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
