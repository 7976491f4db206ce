"""Plots of what a capture holds: received symbols, spectra, the ledger. Call them inside `figure_style`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hil.captures import FrameKind, FrameStatus
from hil.report.axes import legend
from hil.report.evidence import Cloud, Evidence, Spectrum
from hil.report.measure import snr_list
from hil.report.svg import new_figure
from hil.report.theme import GRID, INK, MUTED, WARN, looks
from hil.report.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["JOINED", "constellation", "envelope", "ledger_snr", "spectrum"]

TRANSMITTERS = ("o", "x", "+", "1", "2")
"""Markers of the transmitters after the first."""
JOINED = 40
"""Symbols of a constellation that a line joins to what was sent."""


def constellation(view: View, cloud: Cloud, *, size: float = 3.0) -> Figure:
    """Received symbols (coloured) joined to what was sent (ink), and the circle that the error's rms draws."""
    from matplotlib.patches import Circle

    colour = looks(view)[cloud.scheme].colour
    figure = new_figure(size, size * 1.06)
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    # From each symbol sent to the one received, then a break: one line for all.
    joined = np.stack([cloud.sent, cloud.received, np.full_like(cloud.sent, np.nan)], axis=1)[:JOINED].ravel()
    axes.plot(joined.real, joined.imag, color=colour, linewidth=0.7, alpha=0.55)
    axes.plot(cloud.received.real, cloud.received.imag, ".", color=colour, markersize=3.4, alpha=0.55, markeredgewidth=0)
    axes.plot(cloud.sent.real, cloud.sent.imag, ".", color=INK, markersize=2.4, alpha=0.75, markeredgewidth=0)
    axes.add_patch(Circle((0, 0), float(np.sqrt(cloud.error)), fill=False, edgecolor=WARN, linewidth=1.2))
    spread = float(np.quantile(np.abs(np.concatenate([cloud.received, cloud.sent])), 0.99))
    limit = max(2.0, np.ceil(spread))
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    step = 1 if limit <= 3 else 2
    ticks = np.arange(-(limit // step) * step, limit + 0.5, step)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_title(_title(view, cloud))
    axes.set_xlabel("in phase (unit: rms of a transmitter)", fontsize=7.5)
    axes.set_ylabel("quadrature", fontsize=7.5)
    return figure


def _title(view: View, shown: Cloud | Spectrum) -> str:
    where = f", at {shown.receiver}" if shown.receiver is not None else ""
    return f"{view.label(shown.scheme)}, {snr_list([shown.target])}{where}"


def spectrum(view: View, found: Spectrum, *, width: float = 4.7, height: float = 3.4) -> Figure:
    """Power density of a burst against offset from the centre, with the silence before the frames."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    colour = looks(view)[found.scheme].colour
    axes.plot(found.offset_khz, found.density, color=colour, linewidth=1.2, label="burst")
    if found.silence is not None:
        axes.plot(found.offset_khz, found.silence, color=MUTED, linewidth=1.0, label="noise floor (before frames)")
        floor = float(10 * np.log10(np.mean(10 ** (found.silence / 10))))
        axes.axhline(
            floor, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), label=f"its mean, {floor:.1f} dBFS/Hz".replace("-", "−")
        )
    axes.set_title(_title(view, found))
    axes.set_xlabel("offset from the centre frequency (kHz)")
    axes.set_ylabel("power density (dBFS/Hz)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.28 * (high - low))
    axes.legend(loc="upper center", ncols=3 if width > 6 else 2, columnspacing=1, handlelength=1.6)
    return figure


def envelope(view: View, found: Spectrum, *, width: float = 4.7, height: float = 2.6) -> Figure:
    """Level of the same burst over time."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    axes.plot(found.time_ms, found.level_dbfs, color=looks(view)[found.scheme].colour, linewidth=0.7)
    axes.set_xlabel("time since the window's first sample (ms)")
    axes.set_ylabel("level (dBFS)")
    return figure


def ledger_snr(view: View, evidence: Evidence, receiver: str | None, *, width: float = 9.6, height: float = 3.6) -> Figure:
    """Measured SNR of every frame at a receiver in the order sent, targets as steps, lost frames at the bottom."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    ledger = evidence.ledgers[receiver]
    frames = ledger[ledger["kind"] == FrameKind.FRAME]
    order = np.arange(len(frames))
    targets = np.array([evidence.names.get(int(point), ("", np.nan))[1] for point in frames["point"]])
    schemes = np.array([evidence.names.get(int(point), ("", np.nan))[0] for point in frames["point"]])
    axes.step(order, targets, where="mid", color=INK, linewidth=0.9, label="target")
    for name, look in looks(view).items():
        mine = schemes == name
        for tx in range(frames["snr_db"].shape[1]):
            heard = mine & np.isfinite(frames["snr_db"][:, tx])
            if heard.any():
                axes.plot(
                    order[heard], frames["snr_db"][heard, tx], TRANSMITTERS[tx % len(TRANSMITTERS)] if tx else look.marker,
                    color=look.colour, markersize=2.8, markeredgewidth=0.7 if tx else 0, linestyle="none",
                    label=f"{view.label(name)}, transmitter {tx}",
                )  # fmt: skip
    lost = ~np.isin(frames["status"], (FrameStatus.SCORED, FrameStatus.DECODED))
    if lost.any():
        bottom = np.nanmin(np.append(targets, 0.0)) - 3
        axes.plot(order[lost], np.full(lost.sum(), bottom), "|", color=WARN, markersize=9, label=f"not scored ({lost.sum()})")
    axes.set_xlabel("frame, in the order sent")
    axes.set_ylabel("measured SNR of the link (dB)")
    if receiver is not None:
        axes.set_title(f"at {receiver}")
    axes.margins(x=0.01)
    legend(figure, axes, "upper left", ncols=2, inside=8, markerscale=1.8)
    return figure
