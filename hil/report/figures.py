"""Plots of one panel against SNR, as matplotlib figures. Call them inside `figure_style`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hil.report.axes import DASHED, Places, constant_lines, errors, legend, marks, new_axes, snr_errors, value_axis
from hil.report.measure import Measure
from hil.report.panel import CROWD, Panel, Point, place_db
from hil.report.svg import new_figure
from hil.report.theme import INK, MUTED, Look, looks
from hil.report.view import View
from hil.results.document import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["against_simulation", "curves", "energy", "receivers"]

_SIMULATED: dict[str, dict[str, Any]] = {
    "link": {"label": "simulated at link SNR", "color": MUTED, "linestyle": (0, (1, 1.5)), "linewidth": 1.6, "marker": "x"},
    "effective": {"label": "simulated at effective SNR", "color": INK, "linewidth": 1.3, "marker": "_"},
    "channel": {
        "label": "simulated, captured channel", "color": INK, "linewidth": 1.3, "linestyle": (0, (6, 2, 1, 2)), "marker": "+",
    },
}  # fmt: skip
_RULES = {
    "per_use": "per use: mean |x|² = 1 on every occupied use",
    "per_task": "per task: Σ‖x‖² = q for all",
    "per_device": "per device: ‖x‖² = q each",
}
Placed = list[tuple[float, Row]]
"""Place on the x axis and row."""


def _placed(places: Places, measure: Measure, points: Sequence[Point], kind: str = "best") -> Placed:
    rows = ((point, getattr(point, kind)) for point in points)
    return [(places.x(point.scheme, point.snr_db), row) for point, row in rows if measure.value(row) is not None]


def _line(axes: Axes, measure: Measure, placed: Placed, **style: Any) -> None:
    axes.plot([x for x, _ in placed], [measure.on_axis(measure.value(row) or 0.0) for _, row in placed], **style)


def _bars(axes: Axes, places: Places, measure: Measure, placed: Placed, look: Look, **style: Any) -> None:
    """Markers with intervals, of the SNR too where it was measured."""
    rows = [row for _, row in placed]
    axes.errorbar(
        [x for x, _ in placed], [measure.on_axis(measure.value(row) or 0.0) for row in rows], yerr=errors(measure, rows),
        xerr=None if places.columns else snr_errors(rows), elinewidth=1.1, capsize=2.5, **marks(look), **style,
    )  # fmt: skip


def curves(
    view: View, panel: Panel, measure: Measure | None = None, *, named: bool = True, width: float = 6.4, height: float = 5.0
) -> Figure:
    """A metric of all schemes, with intervals, levels without a channel, constants, published curves.

    Args:
        view, panel: what is drawn.
        measure: the metric, None for the headline.
        named: whether a legend names the schemes.
        width, height: inches, without a legend below.
    """
    metric = measure or panel.metric
    figure = new_figure(width, height)
    axes, places, style = new_axes(figure), Places(view, panel), looks(view)
    rows: list[Row] = []
    levels = {name: value for name in panel.schemes if (value := panel.without_noise(name, metric)) is not None}
    for name in panel.schemes:
        placed = _placed(places, metric, panel.of(name))
        rows += [row for _, row in placed]
        if placed:
            label = None if places.columns else view.label(name)
            _bars(axes, places, metric, placed, style[name], linewidth=1.8, linestyle=style[name].dashes, label=label)
    for name, published in panel.curves().items():
        found = [(places.x(name, place_db(row)), row) for row in published if metric.value(row) is not None]
        rows += [row for _, row in found]
        if found:
            label = f"{name} ({published[0].paper or 'published'})"
            _line(axes, metric, found, linestyle=DASHED, linewidth=1.2, label=label, **marks(style[name], hollow=True))
    constants = panel.constants() if metric == panel.metric else []
    known = [value for row in constants if (value := metric.value(row)) is not None]
    ends = value_axis(axes, metric, rows, [*levels.values(), *known])
    _noiseless(axes, places, metric, levels, style, ends)
    constant_lines(axes, metric, constants, ends)
    places.axis(axes)
    if named:
        legend(figure, axes, _corner(metric))
    return figure


def _corner(metric: Measure) -> str:
    """Where curves leave room."""
    return "lower right" if metric.better == "higher" else "upper right"


def _noiseless(
    axes: Axes,
    places: Places,
    metric: Measure,
    levels: dict[str, float],
    style: dict[str, Look],
    ends: tuple[float, float],
    label: str = "noiseless",
) -> None:
    """Levels without a channel; those off the axis are named in the legend."""
    off = []
    for name, value in levels.items():
        if not ends[0] <= metric.on_axis(value) <= ends[1]:
            off.append(f"{places.view.label(name)} {metric.text(value)}")
            continue
        alpha = 0.75 if len(levels) <= CROWD else 0.3
        line = {"color": style[name].colour, "linewidth": 1, "linestyle": DASHED, "alpha": alpha}
        places.level(axes, name, metric.on_axis(value), **line)
    if levels:
        note = f" (off the axis: {', '.join(off[:2])}{' …' if len(off) > 2 else ''})" if off else ""
        colour = MUTED if len(levels) > 1 else style[next(iter(levels))].colour
        axes.plot([], [], color=colour, linewidth=1, linestyle=DASHED, label=label + note)


def against_simulation(view: View, panel: Panel, schemes: Sequence[str], *, width: float = 4.7, height: float = 3.7) -> Figure:
    """Schemes over the air beside their simulations: one scheme over the SNRs, or all at a single SNR."""
    metric = panel.metric
    figure = new_figure(width, height)
    axes, places, style = new_axes(figure), Places(view, panel), looks(view)
    rows: list[Row] = []
    own = [point for name in schemes for point in panel.of(name)]
    for basis, look in _SIMULATED.items():
        placed = _placed(places, metric, own, basis)
        rows += [row for _, row in placed]
        if placed:
            line = {**look, "linestyle": "none", "markersize": 9} if places.columns else {**look, "marker": None}
            _line(axes, metric, placed, **line)
    label: str | None = "over the air, 95 %"
    for name in schemes:
        air = _placed(places, metric, panel.of(name), "air")
        rows += [row for _, row in air]
        if air:
            _bars(axes, places, metric, air, style[name], linestyle="none", label=label, zorder=5)
            label = None
    levels = {name: value for name in schemes if (value := panel.without_noise(name)) is not None}
    # All plots of a panel's headline share one range, so that they can be compared.
    known = [value for row in panel.constants() if (value := metric.value(row)) is not None]
    everything = [row for point in panel.points for row in (point.air, point.link, point.effective, point.channel) if row]
    ends = value_axis(axes, metric, everything, [*levels.values(), *known])
    _noiseless(axes, places, metric, levels, style, ends)
    constant_lines(axes, metric, panel.constants(), ends)
    places.axis(axes, "SNR of the link, measured (dB)" if panel.measured else "SNR of a unit-power transmitter (dB)")
    if len(schemes) == 1:
        axes.set_title(view.label(schemes[0]))
    legend(figure, axes, _corner(metric))
    return figure


def energy(view: View, panel: Panel, rule: str, *, named: bool = True, width: float = 5.4, height: float = 3.9) -> Figure:
    """All schemes under one rule of energy: over the air where measured (filled), simulated at the effective SNR (line)."""
    metric = panel.metric
    figure = new_figure(width, height)
    axes, places, style = new_axes(figure), Places(view, panel), looks(view)
    for name in panel.schemes:
        own = panel.of(name, rule)
        at = {point.target: point.snr_db for point in panel.of(name)}
        simulated = [
            (places.x(name, at.get(point.target, point.snr_db)), row)
            for point in own
            if metric.value(row := point.effective or point.link) is not None and row is not None
        ]
        air = _placed(places, metric, own, "air")
        label = None if places.columns else view.label(name)
        if simulated:
            line = marks(style[name], hollow=True) if places.columns or not air else {"color": style[name].colour}
            _line(axes, metric, simulated, linewidth=1.6, linestyle=style[name].dashes, label=None if air else label, **line)
        if air:
            _bars(axes, places, metric, air, style[name], linestyle="none", label=label)
    everything = [row for point in panel.points for row in (point.air, point.effective, point.link) if row]
    value_axis(axes, metric, everything)
    places.axis(axes)
    axes.set_title(_RULES.get(rule, rule))
    if named:
        legend(figure, axes, _corner(metric))
    return figure


def receivers(view: View, panels: Sequence[Panel], *, width: float = 6.4, height: float = 4.6) -> Figure:
    """One goal's headline at several receivers: schemes by colour, receivers by line."""
    metric = panels[0].metric
    figure = new_figure(width, height)
    axes, style = new_axes(figure), looks(view)
    lines = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
    for index, panel in enumerate(panels):
        for name in panel.schemes:
            placed = _placed(Places(view, panel), metric, panel.of(name))
            label = f"{view.label(name)} at {panel.receiver}"
            look = marks(style[name], hollow=index % 2 == 1)
            _line(axes, metric, placed, linewidth=1.5, linestyle=lines[index % len(lines)], label=label, **look)
    value_axis(axes, metric, [row for panel in panels for point in panel.main_points() if (row := point.best)])
    Places(view, panels[0]).axis(axes)
    legend(figure, axes, _corner(metric))
    return figure
