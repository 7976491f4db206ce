"""Where a result comes from: what, when, on which bench, with which seeds and checksums, the command that makes it again."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hil.captures import FrameKind, FrameStatus
from hil.report.evidence import Evidence
from hil.report.findings import number, percent
from hil.report.page import Html, cell, element, join, paragraph, table, text
from hil.report.view import View

__all__ = ["facts", "ledger_tables", "provenance", "references", "reproduce"]


def facts(view: View, evidence: Evidence | None) -> dict[str, Any]:
    """The headline: bench, time, data set (`kicker`), and one sentence of what was measured (`lead`)."""
    results = view.results
    experiment = results.get("experiment") or {}
    bench = results.get("bench") or (experiment.get("bench") if view.measured else None)
    dataset = (results.get("dataset") or {}).get("spec") or experiment.get("dataset")
    kicker = [f"bench {bench}" if bench else "mathematical channel, no bench", f"data set {dataset or 'not named'}"]
    if made := when(view, evidence):
        kicker.append(made)
    main = view.main_points()
    best = [point.best or {} for point in main]
    tasks = sorted({int(row["tasks"]) for row in best if "tasks" in row})
    distinct = sorted({int(row["distinct_tasks"]) for row in best if "distinct_tasks" in row})
    identities = sorted({int(row["identities"]) for row in best if "identities" in row})
    targets = sorted({point.target for point in main})
    parts = []
    if tasks:
        parts.append(
            f"{_range(tasks)} tasks a scheme and SNR ({_range(distinct)} distinct, of {_range(identities)} identities)"
        )
    if targets:
        span = f"{targets[0]:g}…{targets[-1]:g} dB" if len(targets) > 1 else f"{targets[0]:g} dB"
        parts.append(f"{len(targets)} SNR{'s' if len(targets) > 1 else ''}, {span}".replace("-", "−"))
    if (uses := view.uses()) is not None:
        parts.append(f"q = {uses} complex channel uses a task")
    parts.append(f"energy {view.energy}")
    if gallery := experiment.get("gallery"):
        parts.append(f"gallery {gallery}")
    return {"kicker": kicker, "lead": "; ".join(parts) + "."}


def _range(values: list[int]) -> str:
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,}–{values[-1]:,}"


def when(view: View, evidence: Evidence | None) -> str:
    """When it was measured: as the results say, else the time of the capture file."""
    for key in ("started", "finished"):
        if view.results.get(key):
            return f"{key} {view.results[key]}"
    if evidence is not None and evidence.path.exists():
        stamp = datetime.datetime.fromtimestamp(evidence.path.stat().st_mtime, datetime.UTC)
        return f"capture of {stamp:%Y-%m-%d %H:%M} UTC"
    return ""


def references(view: View) -> list[Html]:
    """Accuracy without a channel: every scheme with both galleries, baselines, chance."""
    rows = []
    noiseless = [row for name in view.schemes for row in view.noiseless(name)]
    for row in [*noiseless, *view.baselines()]:
        interval = row.get("top1_ci")
        rows.append(
            [
                cell(row["scheme"], kind="text"),
                cell(row.get("gallery") or "–", kind="text"),
                cell(percent(row["top1"])),
                cell(f"[{percent(interval[0])}, {percent(interval[1])}]" if interval else "–"),
                cell(percent(row.get("map"))),
                cell(f"{row['tasks']:,}" if row.get("tasks") else "–"),
                cell(row.get("snr_train_db") or "–"),
                cell("–" if row.get("training_seed") is None else row["training_seed"]),
            ]
        )
    if (chance := view.chance()) is not None:
        rows.append(
            [cell("chance", kind="text"), cell("–", kind="text"), cell(percent(chance, 2)), *(cell("–") for _ in range(5))]
        )
    if not rows:
        return []
    head = ["noiseless", "gallery", "top-1 %", "95 %", "mAP %", "tasks", "trained at", "training seed"]
    return [
        table(head, rows, left=2),
        paragraph(
            "Gallery reconstructed: gallery images pass the branch's encoder and autoencoder without noise; raw: the encoder's "
            "feature. Baselines send nothing over a channel. One training seed each unless named otherwise.",
            "note",
        ),
    ]


def ledger_tables(evidence: Evidence) -> list[Html]:
    """Frames by kind and status, events by kind, clipped samples."""
    ledger, events = evidence.ledger, evidence.events
    rows = []
    for kind in FrameKind:
        own = ledger[ledger["kind"] == kind]
        if not len(own):
            continue
        counts = [int(np.count_nonzero(own["status"] == status)) for status in FrameStatus]
        clipped = int(own["clipped"].sum())
        rows.append(
            [
                cell(kind.name.lower(), kind="text"),
                cell(f"{len(own):,}"),
                *(cell(f"{count:,}" if count else "·") for count in counts),
                cell(f"{clipped:,}", kind="bad" if clipped else ""),
            ]
        )
    head = ["frames", "all", *(status.name.lower() for status in FrameStatus), "samples at full scale"]
    committed = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in evidence.counts.items())
    parts = [paragraph(f"Every frame ever sent has its row; nothing is dropped silently. Committed: {committed}.", "note")]
    if rows:
        parts.append(table(head, rows))
    kinds, tally = np.unique(events["kind"], return_counts=True)
    if len(kinds):
        body = []
        for name, count in zip(kinds, tally, strict=True):
            own = events[events["kind"] == name]
            radios = ", ".join(sorted({bytes(radio).decode("utf-8", "replace") for radio in own["radio"]}))
            label = bytes(name).decode("utf-8", "replace")
            body.append(
                [cell(label, kind="text"), cell(radios, kind="text"), cell(f"{count:,}"), cell(f"{int(own['count'].sum()):,}")]
            )
        parts.append(table(["stream events", "radio", "events", "samples"], body, left=2))
    else:
        parts.append(paragraph("No stream events: no overflow, underflow, late burst or gap was reported."))
    return parts


def reproduce(view: View) -> str:
    """The command that makes the result again: as it was given, else from the configuration."""
    argv = [str(word) for word in (view.results.get("versions") or {}).get("argv") or []]
    if argv and (Path(argv[0]).name == "hil" or argv[0].endswith(("hil/__main__.py", "hil/cli/main.py"))):
        return shlex.join(["hil", *argv[1:]])
    experiment: Mapping[str, Any] = view.results.get("experiment") or {}
    words = ["hil", "run"]
    if view.measured:
        words.append(str(experiment.get("bench") or view.results.get("bench") or "builtin"))
    else:
        words.append("--simulate=awgn")
    keys = ("dataset", "schemes", "snr_db", "tasks", "distinct_tasks", "tasks_per_frame", "energy", "gallery", "seed", "draws")
    names = {key: "--" + key.removesuffix("_db").replace("_", "-") for key in keys}
    if experiment.get("interleave") is False:
        words.append("--no-interleave")
    for key, option in names.items():
        value = experiment.get(key)
        if value is not None:
            given = (
                ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
                if isinstance(value, list)
                else value
            )
            words.append(f"{option}={given}" if str(given).startswith("-") else f"{option} {shlex.quote(str(given))}")
    return " ".join(words)


def provenance(view: View, evidence: Evidence | None) -> list[Html]:
    """Command, versions, seeds, checksums, calibration, capture."""
    results = view.results
    parts = [paragraph("To measure it again, and to score the capture again:"), _code(reproduce(view), evidence)]
    rows = []
    for key, value in (results.get("versions") or {}).items():
        rows.append((key, " ".join(map(str, value)) if isinstance(value, list) else value))
    experiment = results.get("experiment") or {}
    rows += [(f"experiment.{key}", _plain(value)) for key, value in experiment.items()]
    dataset = results.get("dataset") or {}
    rows += [(f"dataset.{key}", value) for key, value in dataset.items()]
    seeds = sorted(
        {(str(row["scheme"]), str(row["training_seed"])) for row in view.rows if row.get("training_seed") is not None}
    )
    rows += [(f"training seed of {name}", seed) for name, seed in seeds]
    rows.append(("SHA-256 of all received symbols", results.get("received_sha256") or "nothing was received"))
    if evidence is not None:
        rows += [(f"SHA-256 of weights {name}", digest) for name, digest in evidence.models.items()]
        bench = evidence.config.get("bench") or {}
        rows += [(f"bench.{key}", _plain(bench[key])) for key in bench if not isinstance(bench[key], dict | list)]
        rows += [
            ("capture", evidence.path),
            ("capture version", evidence.version),
            ("capture complete", "yes" if evidence.complete else "no"),
        ]
    elif results.get("capture"):
        rows.append(("capture", f"{results['capture']} (not read for this page)"))
    links = results.get("links") or []
    if links:
        body = [
            [
                cell(f"transmitter {link.get('tx')}", kind="text"),
                cell(number(link.get("gain_db"), 2)),
                cell(f"{number(link.get('snr_db'), 2)} ± {number(2 * (link.get('snr_db_std') or 0.0), 2)}"),
                cell(number(link.get("cfo_hz"), 1)),
                cell(number(link.get("noise_dbfs"), 1)),
                cell(link.get("frames", "–")),
            ]
            for link in links
        ]
        parts.append(element("h3", text("First calibration of each link")))
        parts.append(table(["link", "transmit gain dB", "SNR dB (± 2 σ)", "CFO Hz", "noise dBFS", "frames"], body))
    cells = [[cell(key, kind="text"), cell(value, kind="text wrap")] for key, value in rows]
    parts.append(
        element(
            "details",
            Html(
                element("summary", text("Versions, seeds, configuration, checksums")) + table(["key", "value"], cells, left=2)
            ),
            open="open",
        )
    )
    return parts


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return str(value)


def _code(command: str, evidence: Evidence | None) -> Html:
    lines = [command]
    if evidence is not None:
        lines.append(shlex.join(["hil", "replay", str(evidence.path)]))
    return element("pre", join([element("code", text("\n".join(lines)))]))
