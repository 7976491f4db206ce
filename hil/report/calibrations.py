"""A calibration as plots, PNG files and one self-contained page; and how a bench's links drifted over its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.calibration.record import CalibrationRecord, LinkRecord
from hil.files import make_folder, replace_file, replacing
from hil.report.page import Html, cell, document, paragraph, plot, plots, section, table
from hil.report.svg import figure_style, inline_svg, new_figure
from hil.report.theme import GRID, INK, MUTED, WARN

__all__ = ["Constellations", "write_calibration_page", "write_calibration_plots", "write_history"]

Constellations = Mapping[str, tuple[NDArray[np.complex64], NDArray[np.complex64]]]
"""Link -> payload symbols before and after equalisation, complex64 [n]."""
FIRST, SECOND = "#0069a8", "#c45a00"
WIDTH, HEIGHT = 5.2, 3.2
DOTS_PER_INCH = 160
Draw = Callable[[], Any]


def write_calibration_page(record: CalibrationRecord, path: Path, constellations: Constellations) -> None:
    """The page of one calibration.

    Args:
        record: of it.
        path: file to write, whole or not at all.
        constellations: of its links, where they are at hand.

    Raises:
        OutputError: it cannot be written.
    """
    with figure_style():
        parts = []
        for index, link in enumerate(record.links):
            drawn = [
                plot(inline_svg(draw(), f"l{index}-{name}", f"link {link.link}: {caption}"), caption)
                for name, caption, draw in _drawings(record, link, constellations)
            ]
            notes = [paragraph(warning, "warning") for warning in link.warnings]
            parts.append(section(f"link-{index}", f"Link {link.link}", _facts(link), *notes, plots(drawn, "two")))
    title = f"Calibration of {record.bench}"
    kicker = f"calibration · {record.date}"
    page = document("figures", f"{title}, {record.date}", kicker=kicker, heading=title, lead=_lead(record), body=parts)
    replace_file(path, page.encode("utf-8", "replace"))


def write_calibration_plots(record: CalibrationRecord, folder: Path, constellations: Constellations) -> list[Path]:
    """The same plots as PNG files; their paths.

    Raises:
        OutputError: one cannot be written.
    """
    make_folder(folder)
    written = []
    with figure_style():
        for link in record.links:
            for name, _, draw in _drawings(record, link, constellations):
                path = folder / f"{link.link.replace(':', '-')}-{name}.png"
                _save(draw(), path)
                written.append(path)
    return written


def write_history(records: Sequence[CalibrationRecord], path: Path) -> None:
    """Drift of a bench's links over its records as a PNG file: SNR at one gain, noise, carrier.

    Raises:
        OutputError: it cannot be written.
    """
    with figure_style():
        figure = new_figure(7.0, 6.0)
        axes = figure.subplots(3, 1, sharex=True)
        for link in dict.fromkeys(one.link for record in records for one in record.links):
            known = [
                (datetime.fromtimestamp(record.unix_s), one) for record in records for one in record.links if one.link == link
            ]
            times = [when for when, _ in known]
            for ax, values in zip(
                axes,
                (
                    [one.snr_db - one.tx_gain_db + one.back_off_db for _, one in known],
                    [one.noise_dbfs for _, one in known],
                    [one.cfo_ppm for _, one in known],
                ),
                strict=True,
            ):
                ax.plot(times, values, "o-", label=link, markersize=4)
        for ax, label in zip(axes, ("SNR at 0 dB of gain (dB)", "noise (dBFS)", "carrier (ppm)"), strict=True):
            ax.set_ylabel(label)
            ax.grid(color=GRID, linewidth=0.6)
        axes[0].legend()
        figure.autofmt_xdate()
        _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with replacing(path) as new:
        figure.savefig(new, dpi=DOTS_PER_INCH, facecolor="white", format="png")


def _lead(record: CalibrationRecord) -> str:
    radios = ", ".join(f"{name} ({one.driver}, {one.serial})" for name, one in record.radios.items())
    return (
        f"{len(record.links)} links to {record.snr_db_target:g} dB, {record.sample_rate_hz / 1e6:g} MS/s at "
        f"{record.center_freq_hz / 1e9:g} GHz. Radios: {radios}."
    )


def _facts(link: LinkRecord) -> Html:
    """What was measured, one line each."""

    def ends(pair: tuple[float, float] | None) -> str:
        return "" if pair is None else f"{pair[0]:.2f} … {pair[1]:.2f}"

    rows = [
        ("SNR, by silence", f"{link.snr_db:.2f} dB", ends(link.snr_db_ci)),
        ("SNR, by pilots", f"{link.snr_pilots_db:.2f} dB", ends(link.snr_pilots_db_ci)),
        ("SNR, data-aided", f"{link.snr_data_db:.2f} dB", ends(link.snr_data_db_ci)),
        ("transmit gain, back-off", f"{link.tx_gain_db:g} dB, {link.back_off_db:.2f} dB", ""),
        ("in reach", "", ends(link.reachable_db) + " dB"),
        ("noise", f"{link.noise_dbfs:.2f} dBFS", ends(link.noise_dbfs_ci)),
        ("carrier offset", f"{link.cfo_hz:.1f} Hz, {link.cfo_ppm:.3f} ppm", ends(link.cfo_hz_ci)),
        ("its drift", f"{link.cfo_drift_hz_s:.2f} Hz/s", ends(link.cfo_drift_hz_s_ci)),
        ("sample clock", "–" if link.clock_ppm is None else f"{link.clock_ppm:.3f} ppm", ends(link.clock_ppm_ci)),
        ("delay", "–" if link.delay_samples is None else f"{link.delay_samples:.3f} samples", ends(link.delay_samples_ci)),
        ("delay spread", f"{link.delay_spread_samples:.2f} samples", ""),
        ("SNR over carriers", f"{link.carrier_snr_spread_db:.2f} dB", ""),
        ("DC of the receiver, leakage of the transmitter", f"{link.rx_dc_dbfs:.0f} dBFS, {link.tx_dc_dbc:.0f} dBc", ""),
        (
            "images of receiver and transmitter" if link.images_apart else "image, both sides together",
            f"{link.rx_image_db:.0f} dB" + (f", {link.tx_image_db:.0f} dB" if link.images_apart else ""),
            "",
        ),
    ]
    return table(
        ("", "measured", "95 %"),
        [(cell(name, kind="text"), cell(value), cell(ci)) for name, value, ci in rows],
    )


def _drawings(record: CalibrationRecord, link: LinkRecord, constellations: Constellations) -> Iterator[tuple[str, str, Draw]]:
    """Name, caption and drawing of each plot of a link."""
    yield "curve", "SNR by transmit gain, with the target and the limits", partial(_curve, link)
    yield "response", "Frequency response, and SNR of each carrier", partial(_response, record, link)
    yield "carrier", "Carrier offset of single frames", partial(_carrier, link)
    yield "stated", "Stated against observed: SNR by three estimates, and errors by carrier", partial(_stated, record, link)
    if link.link in constellations:
        yield "constellation", "Payload before and after equalisation", partial(_constellation, *constellations[link.link])


def _axes(**more: Any) -> tuple[Any, Any]:
    figure = new_figure(WIDTH, HEIGHT)
    ax = figure.subplots(**more)
    for one in np.atleast_1d(ax):
        one.grid(color=GRID, linewidth=0.6)
    return figure, ax


def _curve(link: LinkRecord) -> Any:
    figure, ax = _axes()
    for key, colour, label in (("snr_db", FIRST, "by silence"), ("snr_data_db", SECOND, "by the payload's error")):
        known = [(one.gain_db, getattr(one, key)) for one in link.curve if getattr(one, key) is not None]
        if known:
            ax.plot(*zip(*known, strict=True), "o-", color=colour, label=label, markersize=4)
    ax.axhline(link.snr_db_target, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="target")
    ax.plot([link.tx_gain_db - link.back_off_db], [link.snr_db], "X", color=WARN, markersize=8, label="as set")
    if link.linear_range_db is not None:
        ax.axvspan(*link.linear_range_db, color=GRID, alpha=0.4, linewidth=0, label="follows the gain")
    if link.tx_gain_limit_db is not None:
        ax.axvline(link.tx_gain_limit_db, color=WARN, linewidth=1.0, label="limit of the bench")
    ax.set_xlabel("transmit gain (dB)")
    ax.set_ylabel("SNR (dB)")
    ax.legend()
    return figure


def _response(record: CalibrationRecord, link: LinkRecord) -> Any:
    figure, (upper, lower) = _axes(nrows=2, sharex=True)
    upper.plot(record.active_carriers, link.response_db, color=FIRST)
    upper.set_ylabel("|H|² (dB)")
    lower.plot(record.active_carriers, link.carrier_snr_db, ".", color=SECOND)
    lower.set_ylabel("SNR (dB)")
    lower.set_xlabel("carrier")
    return figure


def _carrier(link: LinkRecord) -> Any:
    figure, ax = _axes()
    times = np.array(link.cfo_times_s)
    ax.plot(times, link.cfos_hz, ".", color=FIRST)
    ax.plot(times, link.cfo_hz + link.cfo_drift_hz_s * (times - times.mean()), color=SECOND)
    ax.axhspan(*link.cfo_hz_ci, color=GRID, alpha=0.5, linewidth=0)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("carrier offset (Hz)")
    ax.ticklabel_format(axis="y", useOffset=False)
    return figure


def _stated(record: CalibrationRecord, link: LinkRecord) -> Any:
    figure, (left, right) = _axes(ncols=2, width_ratios=(2, 3))
    three = (
        ("silence", link.snr_db, link.snr_db_ci),
        ("pilots", link.snr_pilots_db, link.snr_pilots_db_ci),
        ("data", link.snr_data_db, link.snr_data_db_ci),
    )
    for place, (_, value, ends) in enumerate(three):
        left.errorbar([place], [value], [[value - ends[0]], [ends[1] - value]], fmt="o", color=FIRST, capsize=3)
    left.axhline(link.snr_db_target, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    left.set_xticks(range(3), [name for name, _, _ in three])
    left.set_xlim(-0.5, 2.5)
    left.set_ylabel("SNR (dB)")
    right.plot(record.active_carriers, link.observed_by_carrier, ".", color=SECOND)
    right.axhspan(0.8, 1.25, color=GRID, alpha=0.5, linewidth=0)
    right.set_ylim(0, max(2.0, *link.observed_by_carrier))
    right.set_xlabel("carrier")
    right.set_ylabel("observed / stated")
    return figure


def _constellation(before: NDArray[np.complex64], after: NDArray[np.complex64]) -> Any:
    figure, both = _axes(ncols=2)
    for ax, points, title in zip(both, (before, after), ("before", "after"), strict=True):
        ax.plot(points.real, points.imag, ".", color=FIRST, markersize=1.5, alpha=0.5)
        reach = 1.1 * float(np.percentile(np.abs(points), 99.5))
        ax.set_xlim(-reach, reach)
        ax.set_ylim(-reach, reach)
        ax.set_aspect("equal")
        ax.set_title(title)
    return figure
