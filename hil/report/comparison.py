"""Runs against each other as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hil.goals.card import Unit
from hil.report.measure import Measure, number
from hil.results.compared import Compared, GapAtEqual, MeanGap

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

__all__ = ["comparison_tables"]


def comparison_tables(found: Compared) -> Group:
    """Differences at equal SNR and on the mean, and gaps in dB at an equal headline.

    Args:
        found: of `hil.runs.compare.compare`.
    """
    from rich.console import Group
    from rich.text import Text

    runs = ", ".join(f"{name} ({path}, {found.tasks_of[name]:,} tasks)" for name, path in found.runs.items())
    parts: list[Table | Text] = [Text(f"{runs}: {found.tasks:,} tasks answered at every point.")]
    if 2 * found.tasks < min(found.tasks_of.values()):
        parts.append(Text("The runs chose other tasks, and only these are compared: with the same --seed they choose the same "
                          "ones, with --air-seed each has an air of its own."))  # fmt: skip
    parts.append(_differences(found))
    parts.append(Text("better: by the interval that holds for all of these differences at once; – where it holds 0."))
    if found.gaps:
        parts.append(_gaps(found))
        parts.append(Text("Below 0: the first needs less SNR. Read between measured points; errors of both axes are in it."))
    return Group(*parts)


def _table(title: str, heads: Sequence[str], texts: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.HORIZONTALS, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < texts else "right", no_wrap=place >= texts, overflow="fold")
    return table


def _measure(unit: Unit) -> Measure:
    return Measure(name="", title="", unit=unit, better="higher")


def _differences(found: Compared) -> Table:
    heads = ["goal", "first", "second", "at dB", "first", "second", "difference [all at once]", "better"]
    table = _table("First minus second at equal SNR", heads, 3)
    for item in found.comparisons:
        metric = _measure(found.units[item.goal])
        table.add_row(
            _where(item.goal, item.receiver, item.energy), item.first, item.second, number(item.snr_db),
            *(metric.text(value) for value in item.values or (None, None)),
            f"{metric.difference(item.difference)} {metric.span(item.simultaneous_ci or item.ci)}",
            _better(item.direction, item.first, item.second),
        )  # fmt: skip
    for mean in found.means:
        if mean.second is not None:
            metric = _measure(found.units[mean.goal])
            table.add_row(
                _where(mean.goal, mean.receiver, mean.energy), mean.first, mean.second,
                f"{number(mean.snr_db[0])}…{number(mean.snr_db[1])}",
                *(metric.text(value) for value in mean.values or (None, None)),
                f"{metric.difference(mean.value)} {metric.span(mean.simultaneous_ci)}",
                _better(mean.direction or "", mean.first, mean.second),
            )  # fmt: skip
    return table


def _where(goal: str, receiver: str | None, energy: str) -> str:
    return ", ".join(part for part in (goal, receiver, energy) if part)


def _better(direction: str, first: str, second: str) -> str:
    return {"first": first, "second": second}.get(direction, "–")


def _gaps(found: Compared) -> Table:
    heads = ["goal", "first", "second", "headline", "first dB", "second dB", "gap dB [all at once]"]
    table = _table("SNR of the first minus that of the second at an equal headline", heads, 3)
    for gap in found.gaps:
        level = _measure(found.units[gap.goal]).text(gap.level)
        table.add_row(
            _where(gap.goal, gap.receiver, gap.energy), gap.first, gap.second, level,
            *(number(value, 2) for value in gap.snr_db), _in_db(gap),
        )  # fmt: skip
    for mean in found.mean_gaps:
        low, high = (_measure(found.units[mean.goal]).text(level) for level in mean.between)
        table.add_row(
            _where(mean.goal, mean.receiver, mean.energy), mean.first, mean.second, f"{low}…{high}", "mean", "", _in_db(mean)
        )
    return table


def _in_db(gap: GapAtEqual | MeanGap) -> str:
    low, high = (number(end, 2, sign=True) for end in gap.simultaneous_ci)
    return f"{number(gap.difference_db, 2, sign=True)} [{low}, {high}]"
