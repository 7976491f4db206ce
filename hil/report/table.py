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
    from rich.box import HORIZONTALS
    from rich.table import Table
    from rich.text import Text

    view = View(results)
    rows = view.main_points()
    tasks = {int((point.best or {}).get("tasks", 0)) for point in rows}
    columns = _columns(view, same_tasks=len(tasks) == 1)
    title = f"Top-1 (%) with 95 % interval, energy {view.energy}"
    if len(tasks) == 1 and view.measured:
        title += f", {tasks.pop():,} tasks a point"
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name == "scheme" else "right", no_wrap=True)
    for index, point in enumerate(rows):
        cells = _cells(view, point)
        last = index + 1 == len(rows) or rows[index + 1].target != point.target
        table.add_row(*(Text(cells[name]) for name in columns), end_section=last)
    return table


def _columns(view: View, *, same_tasks: bool) -> list[str]:
    if not view.measured:
        return ["scheme", "SNR\ndB", "top-1\nsimulated", "draws ×\ntasks"]
    names = ["scheme", "target\ndB", "SNR\ndB", "eff.\ndB", "loss\ndB", "top-1\nover the air"]
    if not same_tasks:
        names.append("tasks")
    if any(point.effective for point in view.points):
        names.append("simul.\nat eff.")
    if any(point.channel for point in view.points):
        names.append("simul.\nchannel")
    return [*names, "air −\nsimul."] if any(point.agreement for point in view.points) else names


def _cells(view: View, point: Point) -> dict[str, str]:
    air = point.air or {}
    simulated = point.link or point.effective or point.channel or {}
    agreement = point.agreement or {}
    return {
        "scheme": view.label(point.scheme),
        "target\ndB": f"{point.target:g}".replace("-", "−"),
        "SNR\ndB": "/".join(number(value) for value in air.get("snr_db") or [mean_snr_db([point.target])]),
        "eff.\ndB": number(air.get("snr_eff_db")),
        "loss\ndB": number(air.get("receiver_loss_db"), 2),
        "top-1\nover the air": f"{percent(air.get('top1'))} {interval_text(air.get('top1_ci'))}".strip(),
        "tasks": f"{air['tasks']:,}" if "tasks" in air else "–",
        "simul.\nat eff.": percent((point.effective or {}).get("top1")),
        "simul.\nchannel": percent((point.channel or {}).get("top1")),
        "air −\nsimul.": points(agreement.get("difference")) + (" !" if agreement.get("outside_3_points") else ""),
        "top-1\nsimulated": f"{percent(simulated.get('top1'))} {interval_text(simulated.get('top1_ci'))}".strip(),
        "draws ×\ntasks": f"{simulated.get('draws', '–')} × {simulated.get('distinct_tasks', '–')}",
    }
