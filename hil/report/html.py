"""A run as one self-contained HTML page: numbers, plots, what the capture holds, where it all comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.errors import CaptureError, ConfigError
from hil.report import captured, figures, provenance
from hil.report.evidence import Evidence, read_evidence
from hil.report.findings import PAPER_CLAIM, number, orders, percent, points, summary_lines
from hil.report.page import Html, cell, document, element, figure, join, paragraph, plots, section, table, text
from hil.report.svg import figure_style, inline_svg
from hil.report.theme import looks
from hil.report.view import Point, View

__all__ = ["write_report"]


def write_report(results: Mapping[str, Any], capture: Path | None, path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        results: as in `results.json`, of a run, a replay or a simulation.
        capture: the run's capture, complete or not; None if there is none. One that cannot be read is named in the page.
        path: file to write.

    Raises:
        ConfigError: these are no results of hil, or the page cannot be written there.
    """
    view = View(results)
    evidence, problem = None, ""
    if capture is not None:
        try:
            evidence = read_evidence(capture)
        except CaptureError as err:
            problem = str(err)
    with figure_style():
        content = _page(view, evidence, problem)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)
    except OSError as err:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"cannot write the report {path}: {err.strerror}") from err


def _page(view: View, evidence: Evidence | None, problem: str) -> str:
    sections = [
        ("table", "Every point", _points(view)),
        ("simulation", "Over the air beside simulation", _simulation(view)),
        ("energy", "Single, OMA and NOMA under equal energy", _energy(view)),
        ("references", "References", provenance.references(view)),
        ("signals", "Received signals", _signals(view, evidence)),
        ("ledger", "Ledger", _ledger(view, evidence)),
        ("provenance", "Provenance", provenance.provenance(view, evidence)),
    ]
    shown = [(name, title, parts) for name, title, parts in sections if parts]
    links = join(element("a", text(title), href=f"#{name}") for name, title, _ in shown)
    header = element("header", Html(_headline(view, evidence, problem) + element("nav", links)))
    body = [header, _hero(view), *(section(name, title, *parts) for name, title, parts in shown)]
    return document(_title(view), element("main", join(body)))


def _svg(drawn: Any, name: str, label: str) -> str:
    return inline_svg(drawn, name, label)


def _title(view: View) -> str:
    kind = "over the air" if view.measured else "simulated"
    return f"Retrieval accuracy {kind}: {', '.join(view.label(name) for name in view.schemes) or 'no points'}"


def _headline(view: View, evidence: Evidence | None, problem: str) -> Html:
    facts = provenance.facts(view, evidence)
    parts = [
        element("p", text("hil · " + " · ".join(facts["kicker"])), class_="kicker"),
        element("h1", text(_title(view))),
        paragraph(facts["lead"], "lead"),
    ]
    if problem:
        parts.append(paragraph(f"The capture could not be read, so its plots are missing: {problem}", "warning"))
    if evidence is not None and not evidence.complete:
        parts.append(
            paragraph(
                "The capture is incomplete: the run was cut short or is still going. What was committed is shown.", "warning"
            )
        )
    verification = view.results.get("verification") or {}
    if verification:
        parts.append(
            paragraph(
                f"Replayed from the capture; received symbols verified by: {verification.get('verified')} "
                f"(largest difference {verification.get('largest_difference', 0):.1e}, "
                f"{verification.get('changed_top1', 0)} tasks with another top-1)."
            )
        )
    return join(parts)


def _hero(view: View) -> Html:
    if not view.points:
        return paragraph("No point was finished.", "warning")
    caption = (
        "Top-1 over the air against the measured SNR of the link. Bars: 95 % intervals, bootstrap over identities."
        if view.measured
        else "Top-1 simulated in AWGN against the SNR target. Bars: 95 % intervals, bootstrap over identities."
    )
    plot = figure(_svg(figures.accuracy(view), "acc", "Top-1 accuracy against SNR for each scheme"), caption)
    lines = join(element("li", text(line)) for line in summary_lines(view.results))
    return element("div", Html(plot + element("ul", lines, class_="findings")), class_="hero")


def _points(view: View) -> list[Html]:
    main = view.main_points()
    if not main:
        return []
    colours = looks(view)
    head = ["scheme", "target dB", "SNR of each link dB", "effect. SNR dB", "loss dB", "top-1 over the air % [95 %]", "tasks",
            "simul. at link SNR %", "simul. at eff. SNR %", "air − simul. at eff. SNR, points [simultaneous 95 %]", "mAP %",
            "frames sent", "lost"]  # fmt: skip
    rows, starts = [], []
    for index, point in enumerate(main):
        starts.append(index > 0 and main[index - 1].target != point.target)
        dot = element("span", Html(""), class_="dot", style=f"background:var(--c{colours[point.scheme].colour[1:]})")
        name = element("td", Html(dot + text(view.label(point.scheme))), class_="text")
        rows.append([name, *(_numbers(point))])
    keep = [column for column in range(len(head)) if column == 0 or any(row[column] != cell("–") for row in rows)]
    note = (
        "SNR is measured on each link (linear mean over its frames); effective SNR is −EVM of the received symbols; the loss "
        "is their difference. A task whose frame was lost counts as a miss. "
        "Simulations average "
        f"{(view.results.get('experiment') or {}).get('draws', 'several')} noise draws of the same tasks. "
        "Differences are paired by task; their intervals are simultaneous over all points (Holm)."
    )
    return [
        table([head[i] for i in keep], [[row[i] for i in keep] for row in rows], groups=starts),
        paragraph(note, "note"),
    ]


def _numbers(point: Point) -> list[Html]:
    air, agreement = point.air or {}, point.agreement or {}
    frames = air.get("frames") or {}
    difference = cell("–")
    if agreement:
        low, high = agreement["simultaneous_ci"]
        kind = "bad" if agreement.get("outside_3_points") else ""
        difference = _with_interval(points(agreement["difference"]), f"[{points(low)}, {points(high)}]", kind)
    lost = frames.get("lost")
    return [
        cell(number(point.target, 0)),
        cell(" / ".join(number(value, 2) for value in air.get("snr_db") or [None])),
        cell(number(air.get("snr_eff_db"), 2)),
        cell(number(air.get("receiver_loss_db"), 2)),
        _accuracy(air),
        cell(f"{air['tasks']:,}" if "tasks" in air else f"{(point.best or {}).get('tasks', 0):,}"),
        cell(percent((point.link or {}).get("top1"))),
        cell(percent((point.effective or point.channel or {}).get("top1"))),
        difference,
        cell(percent(air.get("map"))),
        cell("–" if "sent" not in frames else f"{frames['sent']:,}"),
        cell("–" if lost is None else lost, kind="bad" if lost else ""),
    ]


def _accuracy(row: Mapping[str, Any]) -> Html:
    if "top1" not in row:
        return cell("–")
    interval = row.get("top1_ci")
    return _with_interval(percent(row["top1"]), f"[{percent(interval[0])}, {percent(interval[1])}]" if interval else "")


def _with_interval(value: str, interval: str, kind: str = "") -> Html:
    inner = element("b", text(value)) + " " + element("span", text(interval), class_="ci")
    return element("td", Html(inner), **({"class_": kind} if kind else {}))


def _simulation(view: View) -> list[Html]:
    if not view.measured:
        return []
    parts: list[Html] = []
    simulated = any(point.link or point.effective or point.channel for point in view.points)
    if simulated:
        drawn = [
            figure(_svg(figures.against_simulation(view, name), f"sim{index}", f"{name}: air and simulation"))
            for index, name in enumerate(view.schemes)
        ]
        parts += [
            plots(drawn, "three"),
            paragraph(
                "The same symbols through y = Σ x + n with ideal knowledge, once at the SNR of the link and once at the "
                "effective SNR of what was received. Every row of a point is drawn at the point's measured link SNR, so "
                "that vertical distances compare the same point.",
                "note",
            ),
        ]
    pair = []
    if any(point.agreement for point in view.points):
        caption = (
            "Dotted: ±1 point (bound for a scheme's mean). Dashed: ±3 points (bound for each point's simultaneous interval)."
        )
        pair.append(
            figure(_svg(figures.agreement(view), "agr", "Air minus simulation in points of top-1 against SNR"), caption)
        )
    if any((point.air or {}).get("receiver_loss_db") is not None for point in view.points):
        caption = "What channel estimation, equalisation and distortion cost. Below zero: the noise of the two SNR estimates."
        pair.append(figure(_svg(figures.receiver_loss(view), "loss", "Receiver loss in dB against SNR"), caption))
    return parts + ([plots(pair, "two")] if pair else [])


def _energy(view: View) -> list[Html]:
    found = orders(view)
    if len(view.schemes) < 2 or not found:
        return []
    place = {"per_use": 0, "per_task": 1}
    rules = sorted(view.energies, key=lambda rule: place.get(rule, 2))
    drawn = [
        figure(_svg(figures.energy(view, rule), f"en{index}", f"Top-1 against SNR under {rule} energy"))
        for index, rule in enumerate(rules)
    ]
    parts = [
        paragraph(
            "Markers: over the air. Lines: simulated at the effective SNR. Under per_use energy NOMA's two transmitters "
            "together spend twice what OMA and a single transmitter spend on a task (3 dB); under per_task "
            "energy all spend the same.",
            "note",
        ),
        plots(drawn, "two"),
        paragraph(PAPER_CLAIM + " Found here:"),
        element("ul", join(element("li", text(order.sentence())) for order in found if order.sentence())),
    ]
    targets = sorted({float(item["snr_db_target"]) for order in found for item in order.items})
    ranks = [{float(item["snr_db_target"]): order.ranking(item) for item in order.items} for order in found]
    rows = [[cell(number(target, 0)), *(cell(rank.get(target, "–"), kind="text") for rank in ranks)] for target in targets]
    parts += [table(["SNR target dB", *(f"best first: {order.title}" for order in found)], rows, left=1 + len(found))]
    return parts


def _signals(view: View, evidence: Evidence | None) -> list[Html]:
    if evidence is None or not (evidence.clouds or evidence.spectra):
        return []
    parts: list[Html] = []
    if evidence.clouds:
        drawn = [
            figure(
                _svg(
                    captured.constellation(view, cloud),
                    f"con{index}",
                    f"Received symbols of {cloud.scheme} at {cloud.target:g} dB",
                )
            )
            for index, cloud in enumerate(evidence.clouds)
            if cloud.scheme in view.schemes
        ]
        parts += [
            element("h3", text("Received symbols against sent")),
            paragraph(
                "Coloured: received symbols y/Ḡ as the decoder gets them. Black (white in the dark): what was sent, in "
                "NOMA the sum. Lines join 40 of them. The circle has the radius of the rms error.",
                "note",
            ),
            plots(drawn, "small three"),
        ]
    spectra = [item for item in evidence.spectra if item.scheme in view.schemes]
    if spectra:
        drawn = [
            figure(
                _svg(captured.spectrum(view, item), f"spec{index}", f"Spectrum of a burst of {item.scheme}")
                + _svg(captured.envelope(view, item), f"env{index}", f"Level over time of a burst of {item.scheme}")
            )
            for index, item in enumerate(spectra)
        ]
        parts += [
            element("h3", text("Spectrum and level of a received burst")),
            paragraph(
                "Welch, Hann, 256 bins, the whole frame as the converter gave it; noise floor from the silence before frames. "
                "Below: level of the same burst (mean over 16 samples): silent symbol, preamble, sounding, header, payload.",
                "note",
            ),
            plots(drawn, "three"),
        ]
    return parts


def _ledger(view: View, evidence: Evidence | None) -> list[Html]:
    if evidence is None:
        return []
    parts = provenance.ledger_tables(evidence)
    if evidence.names and len(evidence.ledger):
        drawn = _svg(captured.ledger_snr(view, evidence), "led", "Measured SNR of every frame, in the order sent")
        parts.append(figure(drawn, "Each frame's measured SNR on each link, from the ledger; the step is the target.", "wide"))
    return parts
