"""Schemes against each other on the page: under each rule of energy, against papers' claims, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

from hil.report import figures
from hil.report.claims import claims, held_against
from hil.report.drawing import Drawing
from hil.report.findings import claim_text
from hil.report.measure import number, target_text
from hil.report.orders import Order, orders
from hil.report.page import Html, cell, fold, paragraph, plots, table, with_interval
from hil.report.panel import Panel
from hil.report.view import View
from hil.results.document import NOISELESS

__all__ = ["compared"]


def compared(draw: Drawing) -> list[Html]:
    """Plots under each rule of energy, claims of papers, orders, and every difference at equal SNR."""
    view, panel = draw.view, draw.panel
    found = orders(panel)
    if len(panel.schemes) < 2 or not found:
        return []
    drawn = [
        draw.plot(
            figures.energy(view, panel, rule, named=not panel.crowded),
            f"en{index}",
            f"{panel.metric.title} against SNR under {rule} energy",
        )
        for index, rule in enumerate(panel.energies)
    ]
    parts = [
        paragraph(
            "Markers: over the air. Lines: simulated at the effective SNR. Under per_use energy superposed transmitters "
            "together spend more on a task than those that take turns (two of them twice as much, 3 dB); under per_task "
            "energy all spend the same.",
            "note",
        ),
        plots(drawn, "two"),
    ]
    parts += _claims(panel)
    targets = sorted({target for order in found for target in order.values})
    rows = [
        [
            cell(target_text(target), kind="text"),
            *(cell(order.ranking(target, view) if target in order.values else "–", kind="text") for order in found),
        ]
        for target in targets
    ]
    head = ["SNR target dB", *(f"best first: {order.title}" for order in found)]
    parts += [table(head, rows, left=len(head)), paragraph(_reading(found), "note")]
    return parts + [fold(f"All differences, {order.title}", _differences(view, order)) for order in found if order.comparisons]


def _reading(found: Sequence[Order]) -> str:
    """How the orders are to be read."""
    text = "> where the interval of the difference says so, ~ where it does not."
    families = [order.family for order in found if order.family]
    if not families:
        return text
    return (
        f"{text} Curves are compared where their measured SNRs are equal: read, on the logit of shares, at the mean of the "
        "SNRs that the schemes had at a target. Errors of both axes are in the intervals, which are simultaneous over "
        f"{' and over '.join(families)}."
    )


def _differences(view: View, order: Order) -> Html:
    """Every pair at every SNR and on the mean."""
    metric = order.measure
    rows = [
        [
            cell(target_text(item.snr_db_target), kind="text"),
            cell(number(item.snr_db, 2)),
            cell(f"{view.label(item.first)} − {view.label(item.second)}", kind="text"),
            cell(" / ".join(metric.text(value) for value in item.values or ()) or "–"),
            with_interval(metric.difference(item.difference), metric.span(item.simultaneous_ci or item.ci)),
            cell(number(item.snr_gap_db, 2, sign=True)),
        ]
        for item in order.comparisons.values()
        if item.second != NOISELESS
    ]
    for mean in order.means:
        if mean.second is not None:
            span = f"{number(mean.snr_db[0])}…{number(mean.snr_db[1])}"
            pair = f"{view.label(mean.first)} − {view.label(mean.second)}"
            values = " / ".join(metric.text(value) for value in mean.values or ())
            ends = metric.span(mean.simultaneous_ci)
            found = with_interval(metric.difference(mean.value), ends)
            rows.append([cell("mean", kind="text"), cell(span), cell(pair, kind="text"), cell(values), found, cell("–")])
    unit = f" {metric.difference_unit}" if metric.difference_unit else ""
    head = [
        "SNR target dB",
        "read at dB",
        "schemes",
        metric.heading,
        f"difference{unit} [{order.kind}]",
        "measured apart by dB",
    ]
    return table(head, rows)


def _claims(panel: Panel) -> list[Html]:
    """What papers say of these schemes, beside what was found."""
    rows = []
    for claim in claims(panel):
        said = claim_text(claim)
        for order in orders(panel):
            held = held_against(claim, order)
            if held is not None:
                counts = (held.snrs, held.supported, held.undetermined, held.contradicted)
                texts = [cell(said, kind="text wrap"), cell(order.title, kind="text wrap")]
                rows.append([*texts, *(cell("–" if count is None else str(count)) for count in counts)])
                said = ""  # once for all its orders
    if not rows:
        return []
    head = ["claim", "held against", "SNRs", "supported by intervals", "undetermined", "contradicted"]
    return [table(head, rows, left=2)]
