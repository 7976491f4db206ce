"""Find a run's results and its capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.errors import CaptureError, ConfigError
from hil.results.document import SCHEMA, ResultsDocument, Row, parse_results, read_results
from hil.runs.folder import find_run

__all__ = ["load_run", "run_label", "together", "with_published"]

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


def run_label(run: Path, runs: Sequence[Path]) -> str:
    """A short name of a run among others: its folder's, or its file's own; as it was given where two have the same."""

    def short(one: Path) -> str:
        place = find_run(one).resolve()
        return place.parent.name if place.is_file() and place.stem in ("results", "capture") else place.stem

    name = short(run)
    return name if [short(one) for one in runs].count(name) == 1 else str(run)


def together(documents: Mapping[str, ResultsDocument]) -> ResultsDocument:
    """One document of several, to be drawn in common plots: schemes are named ``SCHEME @ RUN``.

    References that need no scheme, and are equal, stand once. What compares schemes of one run is left out; `hil compare`
    compares runs.

    Args:
        documents: short name of a run -> its results.
    """
    rows: list[Row] = []
    seen: set[tuple[object, ...]] = set()
    for label, document in documents.items():
        own = {row.scheme for row in document.points if row.source in ("air", "simulation")}
        for row in document.points:
            if row.scheme in own:
                rows.append(row.model_copy(update={"scheme": f"{row.scheme} @ {label}"}))
                continue
            value = row.headline[1].value
            key = (row.scheme, row.source, row.goal, row.goal_version, row.receiver, str(row.options), row.snr_db_target, value)
            if key not in seen:
                seen.add(key)
                rows.append(row)
    agreement = [
        item.model_copy(update={"scheme": f"{item.scheme} @ {label}"})
        for label, document in documents.items()
        for item in document.agreement
    ]
    first = next(iter(documents.values()))
    return first.with_(points=rows, agreement=agreement, comparisons=[], means=[], summary={}, capture=None)


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
