"""What errors of alignment cost a superposed scheme: lines for people, a plot, PNG and one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hil.files import replace_file, replacing
from hil.points.misaligned import KINDS, UNIFORM_DEG
from hil.report.page import cell, document, paragraph, plot, section, table
from hil.report.svg import figure_style, inline_svg, new_figure
from hil.report.theme import GRID
from hil.runs.sensitivity import Sensitivity, SensitivityRow

__all__ = ["cost_lines", "size_text", "write_sensitivity_page", "write_sensitivity_plot"]

COLOURS = ("#0069a8", "#c45a00", "#3a7d2c", "#8a3ffc", "#b0215a", "#5c5c5c")
WIDTH, HEIGHT = 10.0, 3.6
DOTS_PER_INCH = 160
COST = 0.01
"""What a line says how much error costs."""


def _scale(found: Sensitivity) -> tuple[float, str, str]:
    """Factor, unit of values, and unit of differences, for people."""
    return (100.0, " %", " points") if found.unit == "share" else (1.0, "", "")


def size_text(row: SensitivityRow) -> str:
    """A size with its unit."""
    if row.error == "phase" and row.size >= UNIFORM_DEG:
        return "uniform"
    return f"{row.size:g}{'' if row.unit.startswith('°') else ' '}{row.unit}"


def cost_lines(found: Sensitivity) -> list[str]:
    """How large an error of each kind may be for one point (or hundredth), at each SNR, by interpolation."""
    lines = []
    for snr_db in dict.fromkeys(row.snr_db for row in found.rows):
        said = []
        for kind, (words, unit) in KINDS.items():
            rows = [row for row in found.rows if row.snr_db == snr_db and row.error == kind and row.size > 0]
            before, costs = 0.0, 0.0
            for row in sorted(rows, key=lambda one: one.size):
                if -row.difference >= COST:
                    share = (COST - costs) / max(-row.difference - costs, 1e-12)
                    said.append(f"{words} {before + share * (row.size - before):.2g} {unit}")
                    break
                before, costs = row.size, max(-row.difference, 0.0)
            else:
                if rows:
                    said.append(f"{words} more than {max(row.size for row in rows):g} {unit}")
        one = "one point" if found.unit == "share" else f"{COST:g}"
        lines.append(f"At {snr_db:g} dB {one} of {found.metric} is lost at: {', '.join(said)}.")
    return lines


def write_sensitivity_page(found: Sensitivity, path: Path) -> None:
    """One self-contained page.

    Raises:
        OutputError: it cannot be written.
    """
    with figure_style():
        drawn = inline_svg(_draw(found), "sensitivity", f"{found.metric} of {found.scheme} against errors of alignment")
    factor, unit, points = _scale(found)
    where = "simulated" if found.capture is None else f"on what was received in {found.capture}"
    rows = [
        (
            cell(KINDS[row.error][0], kind="text"), cell(size_text(row)), cell(f"{row.snr_db:g} dB"),
            cell(f"{factor * row.value:.1f}{unit}"), cell(_ends(row.ci, factor)),
            cell(f"{factor * row.difference:+.1f}{points}"), cell(_ends(row.difference_ci, factor)), cell(f"{row.tasks:,}"),
        )
        for row in found.rows
    ]  # fmt: skip
    head = ("error", "size", "SNR", found.metric, "95 %", "difference", "95 %", "tasks")
    page = document(
        "figures",
        f"Sensitivity of {found.scheme}",
        kicker="sensitivity",
        heading=f"{found.scheme}: errors of alignment",
        lead=f"{found.metric} of {found.scheme} ({found.goal}), {where}. "
        "Differences are to no error, on the same tasks and noise.",
        body=[
            *(paragraph(line) for line in cost_lines(found)),
            plot(drawn, "Bars: 95 % intervals. Phases: standard deviation, drawn for each task; 180° stands for uniform."),
            section("table", "All figures", table(head, rows)),
        ],
    )
    replace_file(path, page.encode("utf-8", "replace"))


def write_sensitivity_plot(found: Sensitivity, path: Path) -> None:
    """The same plot as a PNG file.

    Raises:
        OutputError: it cannot be written.
    """
    with figure_style(), replacing(path) as new:
        _draw(found).savefig(new, dpi=DOTS_PER_INCH, facecolor="white", format="png")


def _ends(ends: tuple[float, float] | None, factor: float) -> str:
    return "" if ends is None else f"{factor * ends[0]:.1f} … {factor * ends[1]:.1f}"


def _draw(found: Sensitivity) -> Any:
    factor, unit, _ = _scale(found)
    kinds = [kind for kind in KINDS if any(row.error == kind and row.size for row in found.rows)] or ["phase"]
    figure = new_figure(WIDTH, HEIGHT)
    axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    none = {row.snr_db: row for row in found.rows if row.size == 0}
    for ax, kind in zip(axes, kinds, strict=True):
        for index, (snr_db, clean) in enumerate(none.items()):
            own = sorted(
                [clean, *(row for row in found.rows if row.error == kind and row.snr_db == snr_db and row.size)],
                key=lambda row: row.size,
            )
            values = [factor * row.value for row in own]
            known = [row.ci or (row.value, row.value) for row in own]
            low = [value - factor * ends[0] for value, ends in zip(values, known, strict=True)]
            high = [factor * ends[1] - value for value, ends in zip(values, known, strict=True)]
            colour = COLOURS[index % len(COLOURS)]
            ax.errorbar(
                [row.size for row in own], values, [low, high], fmt="o-", color=colour, markersize=4, linewidth=1.2, capsize=2,
                label=f"{snr_db:g} dB",
            )  # fmt: skip
        words, size = KINDS[kind]
        ax.set_xlabel(f"{words} ({size})")
        ax.grid(color=GRID, linewidth=0.6)
    axes[0].set_ylabel(f"{found.metric}{' (%)' if unit else ''}")
    axes[0].legend(title="SNR")
    return figure
