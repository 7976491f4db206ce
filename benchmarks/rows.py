"""Rows of a benchmark, as scripts read them (DESIGN.md, "Outputs that scripts read") and as people do."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["quiet_stdout", "row", "show"]


def row(
    name: str,
    value: Any,
    unit: str,
    *,
    target: float | None = None,
    better: str = "higher",
    met: bool | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One row; `met` follows from value and target where it is not given."""
    if met is None and target is not None and value is not None:
        met = value >= target if better == "higher" else value <= target
    base = {"name": name, "value": value, "unit": unit, "target": target, "better": better, "met": met}
    return base | {"peer": None, "peer_value": None, "ratio": None} | more


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as one JSON list, or as a table."""
    if as_json:
        print(json.dumps(rows))
        return
    for entry in rows:
        mark = {True: "met", False: "MISSED", None: ""}[entry["met"]]
        target = "" if entry["target"] is None else f"(target {entry['target']:g})"
        print(f"{entry['name']:<44} {entry['value']!s:>12} {entry['unit']:<12} {target:<18} {mark} {entry.get('note', '')}")


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what vendors' libraries print on standard output to standard error, so that JSON stays alone there."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
