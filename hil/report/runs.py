"""Find a run's results and its capture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hil.errors import CaptureError, ConfigError

__all__ = ["load_run"]


def load_run(run: Path) -> tuple[dict[str, Any], Path | None, Path]:
    """Results, capture (None if there is none) and folder of a run.

    Args:
        run: a run's folder, its name under ``runs/``, a `results.json`, or a capture (complete or not).

    Raises:
        ConfigError: nothing is there, or the results cannot be read.
        CaptureError: a capture that cannot be read.
    """
    if not run.exists() and not run.is_absolute() and (Path("runs") / run).exists():
        run = Path("runs") / run
    if not run.exists():
        raise ConfigError(f"no such run: {run}; give a run's folder, its results.json or its capture.h5")
    if run.is_dir():
        results, capture = run / "results.json", run / "capture.h5"
        if results.is_file():
            return _read(results), capture if capture.is_file() else None, run
        if capture.is_file():
            return _from_capture(capture), capture, run
        raise ConfigError(f"{run} holds neither results.json nor capture.h5; make them with: hil run")
    if run.suffix == ".json":
        results_data = _read(run)
        capture = run.parent / str(results_data.get("capture") or "capture.h5")
        return results_data, capture if capture.is_file() else None, run.parent
    return _from_capture(run), run, run.parent


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ConfigError(f"{path} cannot be read as results: {err}") from err
    if not isinstance(data, dict) or not isinstance(data.get("points"), list):
        raise ConfigError(f"{path} holds no results: it lacks the list 'points'")
    return data


def _from_capture(path: Path) -> dict[str, Any]:
    """Results stored in a capture; of one that was cut short, those of the points that were finished."""
    from hil.captures import Capture
    from hil.results import SCHEMA, summary

    with Capture.open(path) as capture:
        stored = capture.results
        if stored is not None:
            return stored
        rows = [dict(result) for record in capture.points if (result := record.results) is not None and "top1" in result]
        if not rows and not capture.points:
            raise CaptureError(f"{path} holds no point: the run was stopped before it began to measure")
        experiment = capture.config.get("experiment") or {}
        return {
            "schema": SCHEMA,
            "received_sha256": None,
            "points": rows,
            "agreement": [],
            "summary": summary(rows, []),
            "experiment": experiment,
            "dataset": capture.config.get("dataset") or {},
            "bench": (capture.config.get("bench") or {}).get("name"),
            "versions": capture.versions,
            "capture": path.name,
        }
