"""The results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from hil.report.findings import summary_lines
from hil.report.measure import Measure, half_width, number, sentence, target_text
from hil.report.panel import Panel, Point
from hil.report.references import above_reference
from hil.report.view import View
from hil.results.document import ResultsDocument, Row

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

__all__ = ["results_table", "summary_lines"]

_MARKS = {"inside": "", "undetermined": " ?", "beyond": " !"}
"""Behind a difference of air and simulation: where its simultaneous interval lies."""
_ABOVE = "↑"
Column = tuple[str, Callable[[Point], str]]
"""Title, and what a point has in it."""


def results_table(document: ResultsDocument) -> Group:
    """A table for each goal and receiver, one row for each point: SNRs, receiver loss, the headline over the air and simulated.

    Args:
        document: of a run, a replay, or a simulation alone.

    Raises:
        ConfigError: a row has no metric.
    """
    from rich.console import Group

    view = View(document)
    return Group(*(_table(view, panel) for panel in view.panels if panel.points))


def _table(view: View, panel: Panel) -> Table:
    from rich.box import HORIZONTALS
    from rich.table import Table
    from rich.text import Text

    rows = panel.main_points()
    tasks = {point.best.tasks for point in rows if point.best}
    title = f"{sentence(panel.metric.heading)} with 95 % interval, energy {panel.energy}"
    if len(view.panels) > 1:
        title = f"{sentence(view.title(panel))}: {title[0].lower() + title[1:] if title[1:2].islower() else title}"
    if len(tasks) == 1 and panel.measured:
        title += f", {tasks.pop():,} tasks a point"
    said = {point.agreement.verdict for point in rows if point.agreement}
    marks = [f"{_MARKS[name].strip()} {name}" for name in ("undetermined", "beyond") if name in said]
    captions = [f"air − simul. by simultaneous intervals: {', '.join(marks)}"] if marks else []
    above = above_reference(panel)
    captions += (
        [f"{_ABOVE} better than its noiseless reference"] if any((row.scheme, row.target) in above for row in rows) else []
    )
    caption = "; ".join(captions) or None
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", box=HORIZONTALS)
    table.padding, table.pad_edge = (0, 1, 0, 0), False
    columns = _columns(view, panel, set(above), same_tasks=not tasks)
    for name, _ in columns:
        table.add_column(name, justify="left" if name == "scheme" else "right", no_wrap=True)
    for index, point in enumerate(rows):
        last = len(panel.schemes) > 1 and (index + 1 == len(rows) or rows[index + 1].target != point.target)
        table.add_row(*(Text(make(point)) for _, make in columns), end_section=last)
    return table


def _columns(view: View, panel: Panel, above: Collection[tuple[str, float | None]], *, same_tasks: bool) -> list[Column]:
    metric = panel.metric

    def named(point: Point) -> str:
        return view.label(point.scheme) + _impaired(point) + (f" {_ABOVE}" if (point.scheme, point.target) in above else "")

    scheme: Column = ("scheme", named)
    target: Column = ("target\ndB", lambda point: target_text(point.target))
    if not panel.measured:
        return [
            scheme,
            ("SNR\ndB", lambda point: number(point.snr_db)),
            (f"{metric.title}\nsimulated", lambda point: _with_interval(metric, point.best)),
            ("draws ×\ntasks", _draws),
        ]
    columns: list[Column] = [
        scheme,
        target,
        ("SNR\ndB", lambda point: "/".join(number(value) for value in (point.air and point.air.snr_db) or [None])),
        ("eff.\ndB", lambda point: number(point.air.snr_eff_db if point.air else None)),
        ("loss\ndB", _loss),
        (f"{metric.title}\nover the air", lambda point: _with_interval(metric, point.air)),
    ]
    if any(point.air and point.air.uses_with_overhead for point in panel.points):
        columns.append(("uses\n/ all", _uses))
    if not same_tasks:
        columns.append(("tasks", lambda point: f"{point.best.tasks:,}" if point.best else "–"))
    if any(point.agreement for point in panel.points):
        return [*columns, ("air −\nsimul.", lambda point: _difference(metric, point))]
    if any(point.effective for point in panel.points):
        columns.append(("simul.\nat eff.", lambda point: metric.text(metric.value(point.effective))))
    if any(point.channel for point in panel.points):
        columns.append(("simul.\nchannel", lambda point: metric.text(metric.value(point.channel))))
    return columns


def _loss(point: Point) -> str:
    """Receiver loss, and half the width of its interval."""
    row = point.air
    half = half_width(row.receiver_loss_db_ci) if row else None
    return number(row.receiver_loss_db if row else None, 2) + (f"±{number(half, 2)}" if half is not None else "")


def _uses(point: Point) -> str:
    """q, and channel uses with all overhead."""
    counts = (point.best.uses if point.best else None) or []
    shown = point.uses if point.uses is not None else "+".join(f"{count:g}" for count in counts) or "–"
    return f"{shown}/{number(point.air.uses_with_overhead if point.air else None, 0)}"


def _impaired(point: Point) -> str:
    return " (impaired)" if point.best and point.best.impaired else ""


def _with_interval(metric: Measure, row: Row | None) -> str:
    found = metric.found(row)
    return f"{metric.text(found.value)} {metric.interval(found.ci)}".strip() if found else "–"


def _difference(metric: Measure, point: Point) -> str:
    item = point.agreement
    return "–" if item is None else metric.difference(item.difference) + _MARKS[item.verdict]


def _draws(point: Point) -> str:
    row = point.best
    return "–" if row is None else f"{row.draws or '–'} × {row.distinct_tasks or '–'}"
