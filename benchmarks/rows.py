"""What a benchmark reports: rows with a target and a peer, as a table or as JSON (docs/benchmarks.md, "Rows")."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["Row", "quiet_stdout", "row", "show", "table"]

Row = dict[str, Any]


def row(
    name: str,
    value: float | None,
    unit: str,
    *,
    better: str = "higher",
    target: float | None = None,
    peer: str | None = None,
    peer_value: float | None = None,
    **more: Any,
) -> Row:
    """One row; `met` is None without a target, False where there is no value; `ratio` = value/peer_value, not for dB.

    Further keys are kept; `met` among them overrides what follows from value and target.
    """
    known = value is not None and not math.isnan(value)
    met: bool | None = None
    if target is not None:
        met = known and (value >= target if better == "higher" else value <= target)  # type: ignore[operator]
    ratio = None
    if known and peer_value and unit != "dB":
        ratio = value / peer_value  # type: ignore[operator]
    return {
        "name": name, "value": value if known else None, "unit": unit, "target": target, "better": better, "met": met,
        "peer": peer, "peer_value": peer_value, "ratio": ratio,
    } | more  # fmt: skip


def show(rows: Sequence[Row], as_json: bool) -> None:
    """Print rows as one JSON list, or as a table."""
    print(json.dumps(list(rows)) if as_json else table(rows))


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if value and abs(value) < 1e-2:
        return f"{value:.2e}" if abs(value) < 1e-4 else f"{value:.5f}"
    return f"{value:.4g}"


def table(rows: Sequence[Row]) -> str:
    """Rows as text; misses are marked."""
    words = [["", "name", "value", "unit", "target", "peer", "peer value", "ratio"]]
    for item in rows:
        mark = {True: "met", False: "MISS", None: ""}[item["met"]]
        sign = "≥ " if item["better"] == "higher" else "≤ "
        target = "" if item["target"] is None else sign + _number(item["target"])
        ratio = "" if item["ratio"] is None else f"{item['ratio']:.2f}×"
        words.append(
            [
                mark,
                item["name"],
                _number(item["value"]),
                item["unit"],
                target,
                item["peer"] or "",
                _number(item["peer_value"]),
                ratio,
            ]
        )
    widths = [max(len(line[column]) for line in words) for column in range(len(words[0]))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in words]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


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
