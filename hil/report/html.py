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
from hil.report.page import Html, document, element, join, paragraph, plot, section, text
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
        body.append(section(name, title, *(_part(name, *part) for part in parts)))
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
    contents = element("nav", join(element("a", text(title), href=f"#{name}") for name, title in links))
    header = element("header", Html(_headline(view, evidence, problem) + contents))
    return document(_title(view), element("main", join([header, *body])))


def _part(panel: str, name: str, title: str, content: list[Html]) -> Html:
    heading = element("h3", text(title), id=f"{panel}-{name}") if title else Html("")
    return join([heading, *content])


def _receivers(view: View, panel: Panel, name: str) -> list[Html]:
    """After the last panel of a goal that several receivers heard: all of them in one plot."""
    same = [other for other in view.panels if other.goal == panel.goal and other.receiver is not None and other.points]
    if len(same) < 2 or same[-1] is not panel:
        return []
    drawn = inline_svg(figures.receivers(view, same), f"{name}-receivers", f"{panel.metric.title} at each receiver")
    caption = "Each receiver's points stand at its own measured SNR."
    heading = element("h3", text(f"{sentence(panel.goal)} at all receivers"))
    return [heading, element("div", plot(drawn, caption), class_="plots two")]


def _title(view: View) -> str:
    goals = ", ".join(dict.fromkeys(panel.goal for panel in view.panels)) or "Results"
    kind = "over the air" if view.measured else "simulated" if view.points else "published" if view.names else ""
    names = [view.label(name) for name in view.names]
    shown = ", ".join(names) if len(names) <= NAMED else f"{len(names)} schemes"
    return f"{sentence(goals)} {kind}".strip() + f": {shown or 'no points'}"


def _headline(view: View, evidence: Evidence | None, problem: str) -> Html:
    parts = [
        element("p", text("hil · " + " · ".join(provenance.kicker(view, evidence))), class_="kicker"),
        element("h1", text(_title(view))),
        paragraph(provenance.lead(view), "lead"),
    ]
    parts += [paragraph(notice, "warning") for notice in notices(view)]
    if problem:
        parts.append(paragraph(f"The capture could not be read, so its plots are missing: {problem}", "warning"))
    if evidence is not None and not evidence.complete:
        parts.append(
            paragraph(
                "The capture is incomplete: the run was cut short or is still going. What was committed is shown.", "warning"
            )
        )
    if view.document.verification:
        parts.append(paragraph(_verified(view.document.verification)))
    parts += [paragraph(line) for line in run_lines(view)]
    return join(parts)


def _verified(check: Mapping[str, Any]) -> str:
    changed = {key.removeprefix("changed_"): count for key, count in check.items() if key.startswith("changed_")}
    largest = check.get("largest_difference")
    facts = [f"largest difference {largest:.1e}"] if isinstance(largest, float | int) else []
    facts += [f"{count} tasks with another {name}" for name, count in changed.items()]
    return f"Replayed from the capture; received symbols verified by: {check.get('verified')} ({', '.join(facts)})."
