"""Plots of what lies between air and simulation: the difference of the headline, the receiver's loss."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hil.report.axes import DASHED, DOTTED, Places, legend, marks, new_axes, snr_errors
from hil.report.findings import LOSS_LIMIT_DB, MEAN_SHARE, bases
from hil.report.panel import Panel
from hil.report.svg import new_figure
from hil.report.theme import MUTED, WARN, looks
from hil.report.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["agreement", "receiver_loss"]


def agreement(view: View, panel: Panel, *, width: float = 5.4, height: float = 3.9) -> Figure:
    """Air − simulation with simultaneous intervals, the bound of a point, and that of a scheme's mean."""
    metric = panel.metric
    figure = new_figure(width, height)
    axes, places, style = new_axes(figure), Places(view, panel, by_scheme=panel.crowded), looks(view)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    bound = metric.on_axis(panel.agreement[0].bound)
    for level, line, colour in ((bound * MEAN_SHARE, DOTTED, MUTED), (bound, DASHED, WARN)):
        for side in (-level, level):
            axes.axhline(side, color=colour, linewidth=1, linestyle=line)
    names = [name for name in panel.schemes if any(item.scheme == name for item in panel.agreement)]
    step = _step(panel.targets, len(names))
    extent = 1.1 * bound
    for index, name in enumerate(names):
        own = sorted((item for item in panel.agreement if item.scheme == name), key=lambda item: item.snr_db_target)
        shift = 0.0 if places.columns else step * (index - (len(names) - 1) / 2)
        values = [metric.on_axis(item.difference) for item in own]
        low = [metric.on_axis(_known(item.simultaneous_ci[0], item.difference)) for item in own]
        high = [metric.on_axis(_known(item.simultaneous_ci[1], item.difference)) for item in own]
        extent = max(extent, *(-1.06 * end for end in low), *(1.06 * end for end in high))
        axes.errorbar(
            [places.x(name, item.snr_db_target) + shift for item in own],
            values,
            yerr=[[v - e for v, e in zip(values, low, strict=True)], [e - v for v, e in zip(values, high, strict=True)]],
            elinewidth=1.2, capsize=2.5, linestyle="none", label=None if places.columns else view.label(name),
            **marks(style[name]),
        )  # fmt: skip
    axes.set_ylim(-extent * (1 if places.columns else 1.22), extent)  # room for the legend
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    axes.set_ylabel(f"{metric.title}: air − simulation{unit}")
    axes.set_title(f"Air − simulation {bases(panel.agreement)}")
    places.axis(axes, "SNR target (dB)")
    legend(figure, axes, "lower right", ncols=max(1, len(names)))
    return figure


def _known(end: float | None, value: float) -> float:
    """An end of an interval; the value itself where there is none."""
    return value if end is None else end


def _step(targets: list[float], schemes: int) -> float:
    """Distance between schemes at one SNR, so that those of the next SNR stay apart (dB)."""
    gaps = [high - low for low, high in pairwise(targets)]
    return min(0.5, 0.7 * min(gaps, default=1.0) / max(1, schemes))


def receiver_loss(view: View, panel: Panel, *, width: float = 5.4, height: float = 3.9) -> Figure:
    """Receiver loss against SNR, with intervals of both, and the limit."""
    figure = new_figure(width, height)
    axes, places, style = new_axes(figure), Places(view, panel, by_scheme=panel.crowded), looks(view)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.axhline(LOSS_LIMIT_DB, color=WARN, linewidth=1, linestyle=DASHED, label=f"limit {LOSS_LIMIT_DB:g} dB")
    lowest, highest = 0.0, LOSS_LIMIT_DB
    for name in panel.schemes:
        own = [
            (places.x(name, point.snr_db), loss, point.air)
            for point in panel.of(name)
            if point.air and (loss := point.air.receiver_loss_db) is not None
        ]
        if not own:
            continue
        ends = [row.receiver_loss_db_ci or (None, None) for _, _, row in own]
        low = [loss - _known(end[0], loss) for (_, loss, _), end in zip(own, ends, strict=True)]
        high = [_known(end[1], loss) - loss for (_, loss, _), end in zip(own, ends, strict=True)]
        lowest = min([lowest, *(loss - below for (_, loss, _), below in zip(own, low, strict=True))])
        highest = max([highest, *(loss + above for (_, loss, _), above in zip(own, high, strict=True))])
        line: dict[str, Any] = {} if places.columns else {"linewidth": 1.4, "label": view.label(name)}
        axes.errorbar(
            [x for x, _, _ in own], [loss for _, loss, _ in own], yerr=[low, high], elinewidth=1.0, capsize=2.0,
            xerr=None if places.columns else snr_errors([row for _, _, row in own]),
            linestyle="none" if places.columns else style[name].dashes, **line, **marks(style[name]),
        )  # fmt: skip
    axes.set_ylim(lowest - 0.1, highest + 0.15 * (1 + highest - lowest))  # room for the legend
    axes.set_ylabel("link SNR − effective SNR (dB)")
    axes.set_title("Receiver loss")
    places.axis(axes, "SNR of the link, measured (dB)")
    legend(figure, axes, "upper right", ncols=2)
    return figure
