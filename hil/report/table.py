"""The results as a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hil.report.findings import number, percent, points, summary_lines
from hil.report.view import Point, View, mean_snr_db

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["interval_text", "results_table", "summary_lines"]


def interval_text(interval: Any, digits: int = 1) -> str:
    """``[81.2, 85.0]`` in percent."""
    return f"[{percent(interval[0], digits)}, {percent(interval[1], digits)}]" if interval else ""


def results_table(results: Mapping[str, Any]) -> Table:
    """One row for each point: SNRs, receiver loss, accuracy over the air and simulated.

    Args:
        results: as in `results.json`; of a run, a replay, or a simulation alone.

    Raises:
        ConfigError: they are not results of hil.
    """
    from rich.table import Table
    from rich.text import Text

    view = View(results)
    rows = view.main_points()
    columns = _columns(view)
    table = Table(title=f"Top-1 (%), energy {view.energy}", title_justify="left", pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name == "scheme" else "right", no_wrap=name != "top-1 air")
    for index, point in enumerate(rows):
        cells = _cells(view, point)
        last = index + 1 == len(rows) or rows[index + 1].target != point.target
        table.add_row(*(Text(cells[name]) for name in columns), end_section=last)
    return table


def _columns(view: View) -> list[str]:
    if not view.measured:
        return ["scheme", "SNR dB", "top-1 simulated", "draws"]
    names = ["scheme", "target dB", "SNR dB", "eff. dB", "loss dB", "top-1 air", "tasks"]
    if any(point.effective for point in view.points):
        names.append("sim. at eff.")
    if any(point.channel for point in view.points):
        names.append("sim. channel")
    return [*names, "air − sim."] if any(point.agreement for point in view.points) else names


def _cells(view: View, point: Point) -> dict[str, str]:
    air = point.air or {}
    simulated = point.link or point.effective or point.channel or {}
    agreement = point.agreement or {}
    return {
        "scheme": view.label(point.scheme),
        "target dB": f"{point.target:g}".replace("-", "−"),
        "SNR dB": " / ".join(number(value) for value in air.get("snr_db") or [mean_snr_db([point.target])]),
        "eff. dB": number(air.get("snr_eff_db")),
        "loss dB": number(air.get("receiver_loss_db"), 2),
        "top-1 air": f"{percent(air.get('top1'))} {interval_text(air.get('top1_ci'))}".strip(),
        "tasks": f"{air['tasks']:,}" if "tasks" in air else "–",
        "sim. at eff.": percent((point.effective or {}).get("top1")),
        "sim. channel": percent((point.channel or {}).get("top1")),
        "air − sim.": points(agreement.get("difference")) + (" !" if agreement.get("outside_3_points") else ""),
        "top-1 simulated": f"{percent(simulated.get('top1'))} {interval_text(simulated.get('top1_ci'))}".strip(),
        "draws": f"{simulated.get('draws', '–')} × {simulated.get('distinct_tasks', '–')}",
    }
