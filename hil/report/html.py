"""A run as one self-contained HTML page: numbers, plots, what the capture holds, where it all comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.errors import CaptureError
from hil.files import replace_file
from hil.report import figures, methods, provenance
from hil.report.evidence import Evidence, read_evidence
from hil.report.findings import notices, run_lines
from hil.report.judged import judged
from hil.report.measure import sentence
from hil.report.page import Html, document, heading, plot, plots, section
from hil.report.panel import Panel
from hil.report.signals import ledger, signals
from hil.report.svg import figure_style, inline_svg
from hil.report.view import View
from hil.results.document import ResultsDocument
from hil.timing import timed

__all__ = ["write_report"]

NAMED = 5
"""Schemes that the page's title names."""

Link = tuple[str, str]
"""Anchor and title."""


@timed("report")
def write_report(results: ResultsDocument, capture: Path | None, path: Path, *, run: Path | None = None) -> None:
    """Write the page, whole or not at all.

    Args:
        results: of a run, a replay, a simulation, or of published curves.
        capture: the run's capture, complete or not; None if there is none. One that cannot be read is named in the page.
        path: file to write.
        run: the run's folder, for the command that makes it again; that of `path` if None.

    Raises:
        ConfigError: a row has no metric.
        OutputError: the page cannot be written there.
    """
    view = View(results)
    evidence, problem = None, ""
    if capture is not None:
        try:
            evidence = read_evidence(capture)
        except CaptureError as err:
            problem = str(err)
    with figure_style():
        content = _page(view, evidence, problem, run or path.parent)
    replace_file(path, content.encode("utf-8", "replace"))


def _page(view: View, evidence: Evidence | None, problem: str, run: Path) -> str:
    links: list[Link] = []
    body: list[Html] = []
    for index, panel in enumerate(view.panels):
        name = f"p{index}"
        parts = judged(view, panel, name)
        titles = [(f"{name}-{short}", title) for short, title, _ in parts if title]
        title = f"{sentence(view.title(panel))}: {panel.metric.title}"
        body.append(section(name, title, *(one for part in parts for one in _part(name, *part))))
        # A single panel's parts, else the panels themselves, are the table of contents.
        links += titles if len(view.panels) == 1 else [(name, title)]
        body += _receivers(view, panel, name)
    shared = [
        ("seeds", "Training seeds", methods.seeds(view)),
        ("codewords", "Codewords", methods.codewords(view)),
        ("signals", "Received signals", signals(view, evidence)),
        ("ledger", "Ledger", ledger(view, evidence)),
        ("provenance", "Provenance", provenance.provenance(view, evidence, run)),
    ]
    for name, title, content in shared:
        if content:
            body.append(section(name, title, *content))
            links.append((name, title))
    check = view.document.verification
    return document(
        "report",
        _title(view),
        kicker=provenance.kicker(view, evidence),
        lead=provenance.lead(view),
        warnings=[*notices(view), *_doubts(evidence, problem)],
        lines=[*([_verified(check)] if check else []), *run_lines(view)],
        links=links,
        body=body,
    )


def _part(panel: str, name: str, title: str, content: list[Html]) -> list[Html]:
    return [heading(title, f"{panel}-{name}"), *content] if title else content


def _receivers(view: View, panel: Panel, name: str) -> list[Html]:
    """After the last panel of a goal that several receivers heard: all of them in one plot."""
    same = [other for other in view.panels if other.goal == panel.goal and other.receiver is not None and other.points]
    if len(same) < 2 or same[-1] is not panel:
        return []
    drawn = inline_svg(figures.receivers(view, same), f"{name}-receivers", f"{panel.metric.title} at each receiver")
    caption = "Each receiver's points stand at its own measured SNR."
    return [heading(f"{sentence(panel.goal)} at all receivers"), plots([plot(drawn, caption)], "two")]


def _title(view: View) -> str:
    goals = ", ".join(dict.fromkeys(panel.goal for panel in view.panels)) or "Results"
    kind = "over the air" if view.measured else "simulated" if view.points else "published" if view.names else ""
    names = [view.label(name) for name in view.names]
    shown = ", ".join(names) if len(names) <= NAMED else f"{len(names)} schemes"
    return f"{sentence(goals)} {kind}".strip() + f": {shown or 'no points'}"


def _doubts(evidence: Evidence | None, problem: str) -> list[str]:
    """What is to be known of the capture before the page is read."""
    if problem:
        return [f"The capture could not be read, so its plots are missing: {problem}"]
    if evidence is not None and not evidence.complete:
        return ["The capture is incomplete: the run was cut short or is still going. What was committed is shown."]
    return []


def _verified(check: Mapping[str, Any]) -> str:
    changed = {key.removeprefix("changed_"): count for key, count in check.items() if key.startswith("changed_")}
    largest = check.get("largest_difference")
    facts = [f"largest difference {largest:.1e}"] if isinstance(largest, float | int) else []
    facts += [f"{count} tasks with another {name}" for name, count in changed.items()]
    return f"Replayed from the capture; received symbols verified by: {check.get('verified')} ({', '.join(facts)})."
