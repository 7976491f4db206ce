"""Points that were measured several times: what changed from one measurement to the next, in a line and on the page."""

from __future__ import annotations

import math

from hil.report.measure import number, snr_list, target_text
from hil.report.page import Html, cell, paragraph, table, with_interval
from hil.report.panel import Panel, Point
from hil.report.view import View
from hil.results.document import Repeat

__all__ = ["repeat_lines", "repeated"]

_DOUBTFUL = 0.05
"""Probability, over all points together, below which a spread is more than chance."""


def _points(panel: Panel) -> list[tuple[Point, Repeat]]:
    airs = [(point, point.air) for point in panel.main_points() if point.air is not None]
    return [(point, row.repeat) for point, row in airs if row.repeat is not None]


def repeat_lines(view: View, panel: Panel) -> list[str]:
    """Whether measurements of a point differ by more than chance."""
    found = _points(panel)
    if not found:
        return []
    metric = panel.metric
    rms, chance = (
        math.sqrt(sum((value or 0.0) ** 2 for value in values) / len(found))
        for values in ([one.deviation for _, one in found], [one.expected for _, one in found])
    )
    beyond = [point for point, one in found if one.p_value is not None and one.p_value < _DOUBTFUL / len(found)]
    unit = f" {metric.difference_unit}".rstrip()
    where = ", ".join(f"{view.label(point.scheme)} at {snr_list([point.target])}" for point in beyond)
    times = max(one.visits for _, one in found)
    return [
        f"Each point measured {times} times: standard deviation between measurements "
        f"{metric.difference(rms).lstrip('+')}{unit} (rms over {len(found)} points), where chance makes "
        f"{metric.difference(chance).lstrip('+')}; beyond chance at {len(beyond)} of {len(found)} points"
        + (f" ({where})." if where else ".")
    ]


def repeated(view: View, panel: Panel) -> list[Html]:
    """Every measurement of every point."""
    found = _points(panel)
    if not found:
        return []
    metric = panel.metric
    most = max(one.visits for _, one in found)
    head = [
        "scheme", "target dB", *(f"{metric.heading}, {index + 1} of {most} [95 %]" for index in range(most)),
        "SNRs dB", f"deviation {metric.difference_unit}".strip(), "by chance", "p",
    ]  # fmt: skip
    rows = []
    for point, one in found:
        values = [
            with_interval(metric.text(value), metric.interval(ends), strong=False)
            for value, ends in zip(one.values, one.cis, strict=True)
        ]
        mean = point.air.snr_mean_db if point.air is not None else None
        snrs = [None if mean is None or offset is None else mean + offset for offset in one.snr_offset_db]
        rows.append(
            [
                cell(view.label(point.scheme), kind="text"),
                cell(target_text(point.target)),
                *values,
                *(cell("–") for _ in range(most - len(values))),
                cell(" / ".join(number(snr, 2) for snr in snrs)),
                cell(metric.difference(one.deviation).lstrip("+")),
                cell(metric.difference(one.expected).lstrip("+")),
                cell(number(one.p_value, 3)),
            ]
        )
    note = (
        "The points elsewhere on this page are all measurements together; their intervals hold what changed from one to the "
        "next. By chance: the standard deviation between measurements that answers to the same tasks make."
    )
    return [table(head, rows), paragraph(note, "note")]
