"""Plots of results. Each takes the results' `View` and returns a matplotlib figure; call them inside `figure_style`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hil.report.findings import LOSS_LIMIT_DB
from hil.report.svg import new_figure
from hil.report.theme import GRID, INK, MUTED, PAPER, WARN, looks
from hil.report.view import Point, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["accuracy", "against_simulation", "agreement", "energy", "receiver_loss"]

SNR_LABEL = "SNR of a unit-power transmitter (dB)"


def _axes(figure: Figure) -> Axes:
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    axes.tick_params(length=3, width=0.8)
    return axes


def _snr_axis(axes: Axes, points: Sequence[Point], label: str = SNR_LABEL) -> None:
    targets = sorted({point.target for point in points})
    axes.set_xlabel(label)
    if 1 < len(targets) <= 12:
        axes.set_xticks(targets, [f"{target:g}".replace("-", "−") for target in targets])


def _accuracy_axis(axes: Axes, highest: float) -> None:
    axes.set_ylabel("top-1 (%)")
    axes.set_ylim(0, 100 if highest > 60 else max(2.0, 1.15 * highest))


def _errors(rows: Sequence[Any]) -> list[list[float]] | None:
    if not all(row.get("top1_ci") for row in rows):
        return None
    low = [max(0.0, 100 * (row["top1"] - row["top1_ci"][0])) for row in rows]
    high = [max(0.0, 100 * (row["top1_ci"][1] - row["top1"])) for row in rows]
    return [low, high]


def _highest(view: View) -> float:
    return max((100 * float((row.get("top1_ci") or [0, row["top1"]])[1]) for row in view.rows), default=100.0)


def _chance(axes: Axes, view: View) -> None:
    if (chance := view.chance()) is not None:
        axes.axhline(100 * chance, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
        axes.annotate(
            "chance", (1, 100 * chance), xycoords=("axes fraction", "data"), xytext=(-2, 3), textcoords="offset points",
            ha="right", color=MUTED, fontsize=8,
        )  # fmt: skip


def _noiseless(axes: Axes, view: View, scheme: str, colour: str) -> bool:
    top1 = view.noiseless_top1(scheme)
    if top1 is None:
        return False
    axes.axhline(100 * top1, color=colour, linewidth=1, linestyle=(0, (5, 3)), alpha=0.75)
    return True


def accuracy(view: View, *, width: float = 6.4, height: float = 5.0) -> Figure:
    """Top-1 against SNR of all schemes, with intervals, noiseless lines and chance."""
    figure = new_figure(width, height)
    axes = _axes(figure)
    lines = False
    for name, look in looks(view).items():
        own = [(point.snr_db, row) for point in view.of(name) if (row := point.air or point.best)]
        if not own:
            continue
        x = [snr for snr, _ in own]
        y = [100 * row["top1"] for _, row in own]
        axes.errorbar(
            x, y, yerr=_errors([row for _, row in own]), color=look.colour, marker=look.marker, markersize=5.5, linewidth=1.8,
            elinewidth=1.1, capsize=2.5, label=view.label(name), markeredgecolor=PAPER, markeredgewidth=0.6,
        )  # fmt: skip
        lines |= _noiseless(axes, view, name, look.colour)
    if lines:
        axes.plot([], [], color=MUTED, linewidth=1, linestyle=(0, (5, 3)), label="noiseless, own network")
    _chance(axes, view)
    _snr_axis(axes, view.main_points())
    _accuracy_axis(axes, _highest(view))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.04))
    return figure


def against_simulation(view: View, scheme: str, *, width: float = 4.7, height: float = 3.7) -> Figure:
    """One scheme over the air beside its simulations, at the link's SNR and at the effective SNR."""
    figure = new_figure(width, height)
    axes = _axes(figure)
    look = looks(view)[scheme]
    own = view.of(scheme)
    styles: dict[str, dict[str, Any]] = {
        "link": {"label": "simulated at link SNR", "color": MUTED, "linestyle": (0, (1, 1.5)), "linewidth": 1.6},
        "effective": {"label": "simulated at effective SNR", "color": INK, "linewidth": 1.3},
        "channel": {"label": "simulated, captured channel", "color": INK, "linewidth": 1.3, "linestyle": (0, (6, 2, 1, 2))},
    }
    for basis, style in styles.items():
        rows = [(point.snr_db, row) for point in own if (row := getattr(point, basis))]
        if rows:
            axes.plot([snr for snr, _ in rows], [100 * row["top1"] for _, row in rows], **style)
    air = [(point.snr_db, point.air) for point in own if point.air]
    if air:
        axes.errorbar(
            [snr for snr, _ in air], [100 * row["top1"] for _, row in air], yerr=_errors([row for _, row in air]),
            linestyle="none", color=look.colour, marker=look.marker, markersize=5.5, elinewidth=1.2, capsize=2.5,
            label="over the air, 95 %", markeredgecolor=PAPER, markeredgewidth=0.6, zorder=5,
        )  # fmt: skip
    if _noiseless(axes, view, scheme, look.colour):
        axes.plot([], [], color=look.colour, linewidth=1, linestyle=(0, (5, 3)), label="noiseless")
    _chance(axes, view)
    _snr_axis(axes, own, "SNR of the link, measured (dB)" if air else SNR_LABEL)
    _accuracy_axis(axes, _highest(view))
    axes.set_title(view.label(scheme))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.04))
    return figure


def energy(view: View, rule: str, *, width: float = 5.4, height: float = 3.9) -> Figure:
    """All schemes under one rule of energy: over the air where measured (filled), simulated at the effective SNR (line)."""
    figure = new_figure(width, height)
    axes = _axes(figure)
    shown = [point for point in view.points if point.energy == rule]
    for name, look in looks(view).items():
        own = view.of(name, rule)
        places = {point.target: point.snr_db for point in view.of(name)}
        rows = [(places.get(point.target, point.target), row) for point in own if (row := point.effective or point.link)]
        air = [(point.snr_db, point.air) for point in own if point.air]
        if rows:
            axes.plot(
                [snr for snr, _ in rows], [100 * row["top1"] for _, row in rows], color=look.colour, linewidth=1.6,
                label=None if air else view.label(name), marker=None if air else look.marker, markersize=5,
                markerfacecolor="none",
            )  # fmt: skip
        if air:
            axes.errorbar(
                [snr for snr, _ in air], [100 * row["top1"] for _, row in air], yerr=_errors([row for _, row in air]),
                linestyle="none", color=look.colour, marker=look.marker, markersize=5.5, elinewidth=1.1, capsize=2.5,
                label=view.label(name), markeredgecolor=PAPER, markeredgewidth=0.6,
            )  # fmt: skip
    _snr_axis(axes, shown)
    _accuracy_axis(axes, _highest(view))
    axes.set_title({"per_use": "per use: mean |x|² = 1 on every occupied use", "per_task": "per task: Σ‖x‖² = q for all",
                    "per_device": "per device: ‖x‖² = q each"}.get(rule, rule))  # fmt: skip
    axes.legend(loc="lower right")
    return figure


def agreement(view: View, *, width: float = 5.4, height: float = 3.9) -> Figure:
    """Air − simulation at the effective SNR, with simultaneous intervals and the lines of ±1 and ±3 points."""
    figure = new_figure(width, height)
    axes = _axes(figure)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    for bound, style in ((1, (0, (1, 2))), (3, (0, (5, 3)))):
        for side in (-bound, bound):
            axes.axhline(side, color=WARN if bound == 3 else MUTED, linewidth=1, linestyle=style)
    names = looks(view)
    extent = 3.3
    for index, (name, look) in enumerate(names.items()):
        own = [point for point in view.of(name) if point.agreement]
        shift = 0.5 * (index - (len(names) - 1) / 2)
        for point in own:
            item = point.agreement or {}
            low, high = (100 * value for value in item["simultaneous_ci"])
            value = 100 * item["difference"]
            extent = max(extent, -1.06 * low, 1.06 * high)
            axes.errorbar(
                [point.target + shift], [value], yerr=[[value - low], [high - value]], color=look.colour, marker=look.marker,
                markersize=5.5, elinewidth=1.2, capsize=2.5, linestyle="none", markeredgecolor=PAPER, markeredgewidth=0.6,
                label=view.label(name) if point is own[0] else None,
            )  # fmt: skip
    axes.set_ylim(-1.22 * extent, extent)  # room for the legend
    axes.set_ylabel("air − simulation (points of top-1)")
    axes.set_title("Air − simulation at the effective SNR")
    _snr_axis(axes, view.main_points(), "SNR target (dB)")
    axes.legend(loc="lower right", ncols=len(names))
    return figure


def receiver_loss(view: View, *, width: float = 5.4, height: float = 3.9) -> Figure:
    """Receiver loss against SNR, with the limit."""
    figure = new_figure(width, height)
    axes = _axes(figure)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.axhline(LOSS_LIMIT_DB, color=WARN, linewidth=1, linestyle=(0, (5, 3)), label=f"limit {LOSS_LIMIT_DB:g} dB")
    lowest, highest = 0.0, LOSS_LIMIT_DB
    for name, look in looks(view).items():
        own = [
            (point.snr_db, point.air["receiver_loss_db"])
            for point in view.of(name)
            if point.air and point.air.get("receiver_loss_db") is not None
        ]
        lowest = min([lowest, *(loss for _, loss in own)])
        highest = max([highest, *(loss for _, loss in own)])
        axes.plot(
            [snr for snr, _ in own], [loss for _, loss in own], color=look.colour, marker=look.marker, markersize=5.5,
            linewidth=1.4, label=view.label(name), markeredgecolor=PAPER, markeredgewidth=0.6,
        )  # fmt: skip
    axes.set_ylim(lowest - 0.1, highest + 0.15)
    axes.set_ylabel("link SNR − effective SNR (dB)")
    axes.set_title("Receiver loss")
    _snr_axis(axes, view.main_points(), "SNR of the link, measured (dB)")
    axes.legend(loc="upper right", ncols=2)
    return figure
