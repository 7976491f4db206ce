"""Find a run's results and its capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.errors import CaptureError, ConfigError
from hil.results.document import SCHEMA, ResultsDocument, parse_results, read_results
from hil.runs.folder import find_run

__all__ = ["load_run", "with_published"]

RESULTS, CAPTURE = "results.json", "capture.h5"
CUT_SHORT = "the capture holds no results of the whole: the run was cut short, or is still going"


def load_run(run: Path) -> tuple[ResultsDocument, Path | None, Path]:
    """Results, capture (None if there is none) and folder of a run.

    Args:
        run: a run's folder, its name under ``runs/``, a `results.json`, or a capture (complete or not).

    Raises:
        ConfigError: nothing is there, or the results cannot be read.
        CaptureError: a capture that cannot be read.
    """
    run = find_run(run)
    if run.is_dir():
        results, capture = run / RESULTS, run / CAPTURE
        if results.is_file():
            return read_results(results), capture if capture.is_file() else None, run
        if capture.is_file():
            return _from_capture(capture), capture, run
        raise ConfigError(f"{run} holds neither {RESULTS} nor {CAPTURE}; make them with: hil run")
    if run.suffix == ".json":
        document = read_results(run)
        capture = run.parent / (document.capture or CAPTURE)
        return document, capture if capture.is_file() else None, run.parent
    return _from_capture(run), run, run.parent


def with_published(document: ResultsDocument, files: Sequence[Path]) -> ResultsDocument:
    """The document with the published rows of others, to be drawn beside its own.

    Args:
        document: of a run.
        files: `results.json` with rows of source ``published``.

    Raises:
        ConfigError: a file cannot be read, or has no such row.
    """
    rows = list(document.points)
    for path in files:
        found = [row for row in read_results(path).points if row.source == "published"]
        if not found:
            raise ConfigError(f"{path} has no row of source 'published'; docs/results.md shows how such a file is written")
        rows += found
    return document.with_(points=rows)


def _from_capture(path: Path) -> ResultsDocument:
    """Results stored in a capture; of one that was cut short, those of the points that were finished."""
    from hil.captures import Capture
    from hil.report.evidence import made_with

    with Capture.open(path) as capture:
        if (stored := capture.results) is not None:
            return parse_results(stored, str(path))
        records = capture.points
        rows = [row for record in records for row in _rows(record.results)]
        if not rows and not records:
            raise CaptureError(f"{path} holds no point: the run was stopped before it began to measure")
        typed = all("metrics" in row for row in rows)  # rows of schema 1 have no such key
        data = {
            "schema": SCHEMA if typed else 1,
            "status": "stopped",
            "points": rows,
            "experiment": capture.config.get("experiment") or {},
            "dataset": capture.config.get("dataset") or {},
            "bench": (capture.config.get("bench") or {}).get("name"),
            "provenance" if typed else "versions": made_with(capture),
            "capture": path.name,
        }
        return parse_results(data, str(path)).with_(status="stopped", why=CUT_SHORT)


def _rows(stored: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """A point's rows: one by itself, or a list under ``rows``."""
    found = [] if stored is None else stored.get("rows", [stored])
    return [dict(row) for row in found if "scheme" in row and "source" in row]
