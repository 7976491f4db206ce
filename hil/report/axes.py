"""What all plots against SNR share: where points lie, the axes, intervals, reference lines, legends that stay readable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hil.report.measure import Measure, half_width, snr_list, target_text
from hil.report.panel import Panel, place_db
from hil.report.theme import GRID, MUTED, PAPER, Look
from hil.report.view import View
from hil.results.document import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DASHED", "DOTTED", "Places", "constant_lines", "errors", "legend", "marks", "new_axes", "snr_errors", "value_axis",
]  # fmt: skip

SNR_LABEL = "SNR of a unit-power transmitter (dB)"
DASHED, DOTTED = (0, (5, 3)), (0, (1, 2))
INSIDE = 6
"""Entries of a legend inside the axes; more of them go below."""
TICKS, NEAR_DB = 12, 1.5
"""The targets are the ticks where there are no more of them than the first, and every point lies so near its own."""
_SIZES = {"*": 9.0, "P": 7.0, "X": 7.0, "h": 6.5}
"""Of markers that look smaller than a circle of the same size."""
FULL = 102.0
"""Upper end of an axis of shares: a marker at 100 % is whole."""
COLUMN = 0.3
"""Half the width of a scheme's column where there is one SNR."""


def new_axes(figure: Figure) -> Axes:
    """The only axes of a figure, with a grid behind everything."""
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    axes.tick_params(length=3, width=0.8)
    return axes


@dataclass(frozen=True)
class Places:
    """Where a panel's rows lie along x: at their SNR; where there is one SNR only, in a column for each scheme.

    Attributes:
        by_scheme: columns, whatever the SNRs.
    """

    view: View
    panel: Panel
    by_scheme: bool = False
    columns: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        names = list(dict.fromkeys([*self.panel.schemes, *self.panel.curves()]))
        targets = {round(place_db(row), 6) for row in self.panel.published} | set(self.panel.targets)
        columns = {name: at for at, name in enumerate(names)} if self.by_scheme or len(targets) == 1 else {}
        object.__setattr__(self, "columns", columns)

    def x(self, scheme: str, snr_db: float) -> float:
        """Of a scheme at an SNR."""
        return float(self.columns[scheme]) if self.columns else snr_db

    def axis(self, axes: Axes, label: str = SNR_LABEL) -> None:
        """Title and ticks."""
        targets = self.panel.targets
        if self.columns:
            names = [self.view.label(name) for name in self.columns]
            long = len(names) * max(map(len, names)) > 44
            axes.set_xticks(list(self.columns.values()), names, rotation=90 if long else 0)
            axes.set_xlim(-0.6, len(names) - 0.4)
            some = (
                f"{target_text(targets[0])}…{target_text(targets[-1])} dB" if len(targets) > 1 else snr_list(targets or [0.0])
            )
            axes.set_xlabel(f"SNR target{'s' if len(targets) > 1 else ''} {some}" if targets else "")
            return
        axes.set_xlabel(label)
        near = all(abs(point.snr_db - point.target) <= NEAR_DB for point in self.panel.points)
        if 1 < len(targets) <= TICKS and near:
            axes.set_xticks(targets, [target_text(target) for target in targets])

    def level(self, axes: Axes, scheme: str, value: float, **style: Any) -> None:
        """A level that belongs to a scheme: a line over all SNRs, or over its column."""
        if self.columns:
            at = self.columns[scheme]
            axes.plot([at - COLUMN, at + COLUMN], [value, value], **style)
        else:
            axes.axhline(value, **style)


def errors(measure: Measure, rows: Sequence[Row]) -> list[list[float]] | None:
    """Lengths of the intervals below and above, for matplotlib; None if no row has one."""
    low, high = [], []
    for row in rows:
        found = measure.found(row)
        ends = found.ci if found else None
        if found is None or found.value is None or ends is None or ends[0] is None or ends[1] is None:
            low.append(math.nan)
            high.append(math.nan)
        else:
            low.append(max(0.0, measure.on_axis(found.value - ends[0])))
            high.append(max(0.0, measure.on_axis(ends[1] - found.value)))
    return [low, high] if any(math.isfinite(value) for value in low) else None


def snr_errors(rows: Sequence[Row]) -> list[list[float]] | None:
    """Lengths of the intervals of the measured SNRs to the left and right, for matplotlib; None if no row has one."""
    found = [half_width(row.snr_mean_db_ci) for row in rows]
    if not any(found):
        return None
    widths = [math.nan if half is None else half for half in found]
    return [widths, widths]


def marks(look: Look, *, hollow: bool = False) -> dict[str, Any]:
    """Matplotlib's settings for a scheme's markers."""
    size = _SIZES.get(look.marker, 5.5)
    if hollow:
        return {"color": look.colour, "marker": look.marker, "markersize": size - 0.5, "markerfacecolor": "none"}
    return {
        "color": look.colour, "marker": look.marker, "markersize": size, "markeredgecolor": PAPER, "markeredgewidth": 0.6,
    }  # fmt: skip


def value_axis(axes: Axes, measure: Measure, rows: Iterable[Row], levels: Iterable[float] = ()) -> tuple[float, float]:
    """Title and range of the y axis: shares from 0; else what the rows span, and levels that lie near it.

    Returns:
        lower and upper end, in the axis' unit.
    """
    axes.set_ylabel(measure.heading)
    ends = [measure.on_axis(end) for row in rows for end in _span(measure, row)]
    if not ends:
        return axes.get_ylim()
    if measure.unit == "share":
        low, high = 0.0, FULL if max(ends) > 60 else max(2.0, 1.15 * max(ends))
    else:
        low, high = min(ends), max(ends)
        size = high - low or abs(high) or 1.0
        near = [level for value in levels if low - size / 2 <= (level := measure.on_axis(value)) <= high + size / 2]
        low, high = min([low, *near]), max([high, *near])
        low, high = low - 0.07 * size, high + 0.07 * size
    axes.set_ylim(low, high)
    return low, high


def _span(measure: Measure, row: Row) -> list[float]:
    found = measure.found(row)
    if found is None or found.value is None:
        return []
    return [found.value, *(end for end in found.ci or () if end is not None)]


def constant_lines(axes: Axes, measure: Measure, rows: Sequence[Row], ends: tuple[float, float]) -> None:
    """References that need no scheme, by name."""
    for row in rows:
        value = measure.value(row)
        if value is None or not ends[0] <= (level := measure.on_axis(value)) <= ends[1]:
            continue
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=DOTTED)
        axes.annotate(
            row.scheme, (0, level), xycoords=("axes fraction", "data"), xytext=(3, 3), textcoords="offset points",
            ha="left", color=MUTED, fontsize=8,
        )  # fmt: skip


def legend(figure: Figure, axes: Axes, where: str, *, ncols: int = 1, inside: int = INSIDE, markerscale: float = 1) -> None:
    """Inside the axes where few entries are, below them (and the figure taller) where many."""
    from matplotlib.container import ErrorbarContainer

    found = list(zip(*axes.get_legend_handles_labels(), strict=True))
    if not found:
        return
    found.sort(key=lambda item: not isinstance(item[0], ErrorbarContainer))  # what was measured first
    handles, names = [handle for handle, _ in found], [name for _, name in found]
    if len(handles) <= inside:
        axes.legend(handles, names, loc=where, bbox_to_anchor=(0, 0.04, 1, 0.96), ncols=ncols, markerscale=markerscale)
        return
    width, height = figure.get_size_inches()
    letters = 4 + max(map(len, names))
    ncols = max(1, min(len(names), int(width * 13.5 / letters)))
    figure.set_size_inches(width, height + 0.17 * math.ceil(len(names) / ncols))
    figure.legend(
        handles, names, loc="outside lower center", ncols=ncols, columnspacing=1.2, handlelength=2.4, markerscale=markerscale
    )
