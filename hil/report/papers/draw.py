"""The plots of papers' figures: a panel for each rule of energy, intervals on both axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hil.report.axes import DASHED, SNR_LABEL, errors, legend, marks, snr_errors, value_axis
from hil.report.measure import Measure, half_width, known_ends
from hil.report.panel import place_db
from hil.report.papers.found import Curve, Found, Medium
from hil.report.svg import new_figure
from hil.report.theme import GRID, INK, MUTED, Look, look_of
from hil.results.document import Codewords, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "draw_metrics", "draw_table"]

PANEL, HEIGHT = 5.4, 4.6
"""Inches."""


def draw_curves(found: Found, drawn: Mapping[Medium, Sequence[Curve]], published: Sequence[Row] = ()) -> Figure:
    """A panel a rule of energy; over the air filled, simulated hollow.

    Args:
        found: what runs have.
        drawn: medium -> its curves.
        published: rows of the paper, or of others, drawn beside.
    """
    energies = list(dict.fromkeys(medium.energy for medium in drawn))
    figure = new_figure(PANEL * max(1, len(energies)), HEIGHT)
    labels = list(dict.fromkeys(curve.label for curves in drawn.values() for curve in curves if curve.drawn))
    style = {label: look_of(place) for place, label in enumerate(labels)}
    shown: list[Row] = []
    panels: list[Axes] = []
    for place, energy in enumerate(energies):
        axes = figure.add_subplot(1, len(energies), place + 1, sharey=panels[0] if panels else None)
        axes.grid(visible=True, color=GRID, linewidth=0.7)
        panels.append(axes)
        several = len({medium.source for medium in drawn if medium.energy == energy}) > 1
        for medium, curves in drawn.items():
            if medium.energy == energy:
                shown += _panel(axes, found, medium, curves, style, named=several)
        _published(axes, found, published)
        _printed(axes, found, style)
        axes.set_xlabel(
            {"cos2": "cos² of the transmitters' symbols", "setting": found.figure.axis}.get(found.figure.kind, SNR_LABEL)
        )
        if found.figure.log:
            axes.set_xscale("log")
        axes.set_title(f"{energy} energy" if len(energies) > 1 else found.figure.title)
    if len(energies) > 1:
        figure.suptitle(f"{found.figure.place}: {found.figure.title}", x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    for axes in panels:
        low, high = value_axis(axes, found.measure, shown)
        if found.figure.kind == "cos2":  # what networks differ by, not from nothing
            ends = [found.measure.on_axis(end) for row in shown for end in _ends(found, row)]
            axes.set_ylim(max(low, min(ends) - 3), min(high, max(ends) + 3))
    for axes in panels[1:]:
        axes.set_ylabel("")
    legend(figure, panels[0], "lower right" if found.measure.better == "higher" else "upper right", inside=9)
    return figure


def _panel(
    axes: Axes, found: Found, medium: Medium, curves: Sequence[Curve], style: Mapping[str, Look], *, named: bool
) -> list[Row]:
    shown: list[Row] = []
    hollow = medium.source == "simulation"
    suffix = f" ({'simulated' if hollow else 'over the air'})" if named else ""
    for curve in (one for one in curves if one.drawn):
        look = style[curve.label]
        if curve.level is not None:
            value = found.measure.value(curve.level)
            if value is not None:
                label = None if hollow and named else curve.label
                axes.axhline(found.measure.on_axis(value), color=look.colour, linewidth=1, linestyle=DASHED, label=label)
            continue
        there = [(target, row) for target, row in curve.rows.items() if _belongs(found, curve, target, row)]
        there = [(target, row) for target, row in there if found.measure.value(row) is not None]
        if not there:
            continue
        rows = [row for _, row in there]
        shown += rows
        bound = " (bound)" if rows[0].kind == "bound" and "bound" not in curve.label else ""
        axes.errorbar(
            [_place(found, target, row) for target, row in there],
            [found.measure.on_axis(found.measure.value(row) or 0.0) for row in rows],
            yerr=errors(found.measure, rows), xerr=_widths(found, rows), elinewidth=1.0, capsize=2.5,
            linewidth=1.2 if hollow else 1.8, linestyle=look.dashes, label=curve.label + bound + suffix,
            **marks(look, hollow=hollow),
        )  # fmt: skip
    return shown


def _ends(found: Found, row: Row) -> tuple[float, ...]:
    """A value and its interval."""
    value, metric = found.measure.value(row), found.measure.found(row)
    own = known_ends(metric.ci) if metric is not None else None
    return () if value is None else (value, *(own or ()))


def _belongs(found: Found, curve: Curve, target: float, row: Row) -> bool:
    """Against cos² only what was sent at the figure's SNR, by networks whose codewords were looked at."""
    return found.figure.kind in ("snr", "setting") or (target == found.figure.snr_db and found.alike(row.scheme) is not None)


def _place(found: Found, target: float, row: Row) -> float:
    if found.figure.kind == "setting":
        return target
    alike = found.alike(row.scheme)
    return alike.cos2 if found.figure.kind == "cos2" and alike is not None else place_db(row)


def _widths(found: Found, rows: Sequence[Row]) -> list[list[float]] | None:
    if found.figure.kind == "snr":
        return snr_errors(rows)
    if found.figure.kind == "setting":
        return None
    halves = [half_width(one.cos2_ci) or 0.0 for row in rows if (one := found.alike(row.scheme)) is not None]
    return [halves, halves] if any(halves) else None


def _published(axes: Axes, found: Found, rows: Sequence[Row]) -> None:
    schemes = dict.fromkeys(row.scheme for row in rows if found.measure.value(row) is not None)
    for place, name in enumerate(schemes):
        own = sorted((row for row in rows if row.scheme == name), key=place_db)
        look = look_of(place)
        axes.plot(
            [place_db(row) for row in own], [found.measure.on_axis(found.measure.value(row) or 0.0) for row in own],
            linestyle=DASHED, linewidth=1, label=f"{name} ({own[0].paper or 'published'})", **marks(look, hollow=True),
        )  # fmt: skip


def _printed(axes: Axes, found: Found, style: Mapping[str, Look]) -> None:
    """What the paper prints, as crosses in the colour of the curve."""
    for spec in found.figure.curves:
        look = next((look for label, look in style.items() if label.startswith(spec.label)), None)
        if look is not None and spec.printed:
            places = [float(at) for at in spec.printed]
            axes.plot(
                places, [found.measure.on_axis(value) for value in spec.printed.values()], linestyle="none", marker="x",
                color=look.colour, label=f"{spec.label} (published)",
            )  # fmt: skip


def draw_metrics(
    title: str, labels: Sequence[str], columns: Sequence[tuple[Measure, Mapping[str, Row], Mapping[str, float]]]
) -> Figure:
    """A panel a metric: each row of a table with its interval, and a cross where the paper has it.

    Args:
        title: of the whole.
        labels: of the table's rows, from the top.
        columns: metric, rows by label, printed values by label.
    """
    figure = new_figure(2.4 * len(columns) + 1.5, 1.4 + 0.45 * len(labels))
    places = {label: len(labels) - index for index, label in enumerate(labels)}
    for place, (measure, rows, printed) in enumerate(columns):
        axes = figure.add_subplot(1, len(columns), place + 1)
        axes.grid(visible=True, color=GRID, linewidth=0.7, axis="x")
        known = {label: row for label, row in rows.items() if measure.value(row) is not None}
        axes.errorbar(
            [measure.on_axis(measure.value(row) or 0.0) for row in known.values()], [places[label] for label in known],
            xerr=errors(measure, list(known.values())), linestyle="none", capsize=3, label="here, 95 %", **marks(look_of(0)),
        )  # fmt: skip
        axes.plot(
            [measure.on_axis(value) for value in printed.values()], [places[label] for label in printed], linestyle="none",
            marker="x", color=INK, label="published",
        )  # fmt: skip
        axes.set_yticks([places[label] for label in labels], labels if not place else [""] * len(labels))
        axes.set_ylim(0.5, len(labels) + 0.5)
        axes.set_xlabel(measure.heading)
        if not place:
            axes.set_title(title, loc="left")
            legend(figure, axes, "lower left", inside=0)
    return figure


def draw_table(title: str, entries: Mapping[str, Codewords], published: Mapping[str, float]) -> Figure:
    """cos² of each row of a table: measured with its interval, by chance, of different identities, as published."""
    labels = list(dict.fromkeys([*entries, *published]))
    figure = new_figure(6.4, 1.2 + 0.5 * len(labels))
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7, axis="x")
    places = {label: len(labels) - index for index, label in enumerate(labels)}
    for label, one in entries.items():
        low, high = known_ends(one.cos2_ci) or (one.cos2, one.cos2)
        first = label == next(iter(entries))
        ends = [[max(0.0, one.cos2 - low)], [max(0.0, high - one.cos2)]]
        axes.errorbar(
            [one.cos2], [places[label]], xerr=ends, capsize=3, label="here, 95 %" if first else None, **marks(look_of(0))
        )
        axes.plot(
            [one.cos2_chance], [places[label]], marker="|", markersize=12, color=MUTED, linestyle="none",
            label="by chance" if first else None,
        )  # fmt: skip
        if one.cos2_others is not None:
            axes.plot(
                [one.cos2_others], [places[label]], linestyle="none", label="different identities" if first else None,
                **marks(look_of(2), hollow=True),
            )  # fmt: skip
    axes.plot(
        list(published.values()), [places[label] for label in published], linestyle="none", marker="x", color=INK,
        label="published",
    )  # fmt: skip
    axes.set_yticks([places[label] for label in labels], labels)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("cos²")
    axes.set_title(title)
    legend(figure, axes, "lower right", inside=0)
    return figure
