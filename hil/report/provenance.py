"""Where a result comes from: what, when, on which bench, with which seeds and checksums, the command that makes it again."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.report.evidence import Evidence
from hil.report.measure import number, snr_list, target_text
from hil.report.page import Html, cell, code, fold, heading, paragraph, table
from hil.report.view import View

__all__ = ["commands", "kicker", "lead", "provenance", "when"]

CONFIGURATION = "run.toml"
"""In a run's folder: its configuration, as `hil run --config` reads it."""


def kicker(view: View, evidence: Evidence | None) -> list[str]:
    """Bench, data set, time, and how the run ended."""
    document = view.document
    bench = document.bench or (view.asked("bench") if view.measured else None)
    dataset = document.dataset.get("spec") or view.asked("dataset")
    facts = [f"bench {bench}" if bench else "mathematical channel, no bench" if view.points else "no bench"]
    facts.append(f"data set {dataset or 'not named'}")
    if made := when(view, evidence):
        facts.append(made)
    return [*facts, document.status]


def lead(view: View) -> str:
    """One sentence of what was measured: tasks, SNRs, channel uses, energy."""
    main = [point for panel in view.panels for point in panel.main_points()]
    best = [row for point in main if (row := point.best)]
    tasks = sorted({row.tasks for row in best})
    distinct = sorted({row.distinct_tasks for row in best if row.distinct_tasks is not None})
    clusters = sorted({row.identities for row in best if row.identities is not None})
    targets = sorted({point.target for point in main})
    parts = []
    if tasks:
        grouped = f", in {_range(clusters)} clusters" if clusters and clusters != distinct else ""
        of = f" ({_range(distinct)} distinct{grouped})" if distinct else ""
        parts.append(f"{_range(tasks)} tasks a scheme and SNR{of}")
    if len(targets) > 1:
        parts.append(f"{len(targets)} SNRs, {target_text(targets[0])}…{target_text(targets[-1])} dB")
    elif targets:
        parts.append(f"1 SNR, {snr_list(targets)}")
    if (uses := view.uses()) is not None:
        parts.append(f"q = {uses} complex channel uses a task")
    receivers = list(dict.fromkeys(panel.receiver for panel in view.panels if panel.receiver is not None))
    if receivers:
        parts.append(f"receivers {', '.join(receivers)}")
    if main:
        parts.append(f"energy {view.energy}")
    return "; ".join(parts) + "." if parts else ""


def _range(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,}–{values[-1]:,}"


def when(view: View, evidence: Evidence | None) -> str:
    """When it was measured: as the results say, else the time of the capture file."""
    document = view.document
    for word, time in (("started", document.started), ("finished", document.finished)):
        if time:
            return f"{word} {time}"
    if evidence is not None and evidence.path.exists():
        stamp = datetime.datetime.fromtimestamp(evidence.path.stat().st_mtime, datetime.UTC)
        return f"capture of {stamp:%Y-%m-%d %H:%M} UTC"
    return ""


def commands(view: View, evidence: Evidence | None, run: Path) -> list[str]:
    """What makes the result again: the command as it was given, the run's configuration, the capture."""
    lines = []
    argv = [str(word) for word in view.document.provenance.get("argv") or []]
    if argv and (Path(argv[0]).name == "hil" or argv[0].endswith(("hil/__main__.py", "hil/cli/main.py"))):
        lines.append(shlex.join(["hil", *argv[1:]]))
    if (run / CONFIGURATION).is_file():
        lines.append(shlex.join(["hil", "run", "--config", str(run / CONFIGURATION)]))
    if evidence is not None:
        lines.append(shlex.join(["hil", "replay", str(evidence.path)]))
    return lines


def provenance(view: View, evidence: Evidence | None, run: Path) -> list[Html]:
    """Commands, versions, seeds, checksums, calibration, capture."""
    parts = []
    if lines := commands(view, evidence, run):
        parts.append(paragraph("To measure it again, and to score the capture again:"))
        parts.append(code(lines))
    parts += _links(view.document.links)
    cells = [[cell(key, kind="text"), cell(value, kind="text wrap")] for key, value in _facts(view, evidence)]
    return [*parts, fold("Versions, seeds, configuration, checksums", table(["key", "value"], cells, left=2), opened=True)]


def _facts(view: View, evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    document = view.document
    yield "status", document.status + (f": {document.why}" if document.why else "")
    yield from _flat("", document.provenance or (evidence.provenance if evidence is not None else {}))
    yield from _flat("experiment.", document.experiment)
    yield from _flat("dataset.", document.dataset)
    yield from ((f"scheme {label}", name) for name in view.schemes if (label := view.label(name)) != name)
    seeds = {row.scheme: row.training_seed for row in document.points if row.training_seed is not None}
    yield from ((f"training seed of {name}", str(seed)) for name, seed in sorted(seeds.items()))
    yield "SHA-256 of all received symbols", document.received_sha256 or "nothing was received"
    if evidence is not None:
        yield from ((f"SHA-256 of weights {name}", digest) for name, digest in evidence.models.items())
        bench = evidence.config.get("bench") or {}
        yield from _flat("bench.", {key: value for key, value in bench.items() if not isinstance(value, dict | list)})
        yield "capture", str(evidence.path)
        yield "capture version", str(evidence.version)
        yield "capture complete", "yes" if evidence.complete else "no"
    elif document.capture:
        yield "capture", f"{document.capture} (not read for this page)"


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Nested keys with dots between."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        elif key == "argv" and isinstance(value, list):
            yield f"{prefix}{key}", shlex.join(map(str, value))
        else:
            yield f"{prefix}{key}", _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _links(links: Sequence[Mapping[str, Any]]) -> list[Html]:
    if not links:
        return []
    several = len({link.get("receiver") for link in links}) > 1
    rows = [
        [
            cell(f"transmitter {link.get('tx')}" + (f" to {link.get('receiver')}" if several else ""), kind="text"),
            cell(number(link.get("gain_db"), 2)),
            cell(f"{number(link.get('snr_db'), 2)} ± {number(2 * (link.get('snr_db_std') or 0.0), 2)}"),
            cell(number(link.get("cfo_hz"), 1)),
            cell(number(link.get("noise_dbfs"), 1)),
            cell(link.get("frames", "–")),
        ]
        for link in links
    ]
    head = ["link", "transmit gain dB", "SNR dB (± 2 σ)", "CFO Hz", "noise dBFS", "frames"]
    return [heading("First calibration of each link"), table(head, rows)]
