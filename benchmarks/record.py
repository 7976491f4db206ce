"""The committed results of whole measurements: benchmarks/results/NAME-DATE.json."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.rows import Row

__all__ = ["RESULTS", "clean", "keep"]

RESULTS = Path(__file__).with_name("results")


def clean(value: Any) -> Any:
    """JSON has no NaN, and its keys are text."""
    if isinstance(value, dict):
        return {str(key): clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [clean(entry) for entry in value]
    if isinstance(value, float) and value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def keep(name: str, rows: list[Row], *, machine: dict[str, Any], seconds: float, **more: Any) -> Path:
    """Write a measurement with its date and machine; the file, which standard error names.

    Args:
        name: of the benchmark.
        rows: what was measured.
        machine: `describe()` of before.
        seconds: it took.
        more: further entries.
    """
    date = datetime.datetime.now(datetime.UTC)
    result = {
        "benchmark": name,
        "date": date.isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "machine": machine | {"load_at_end": describe()["load"]},
        "rows": rows,
        **more,
    }
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}-{date:%Y-%m-%d}.json"
    target.write_text(json.dumps(clean(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"scripts/bench: wrote {target}", file=sys.stderr)
    return target
