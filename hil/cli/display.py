"""What a person sees of long work: lines, a bar with time left, and a line a point. Quiet for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hil.errors import ConfigError

if TYPE_CHECKING:
    from hil.results.document import MetricValue, ResultsDocument, Row

__all__ = ["Display", "make_folder"]


class Display:
    """A `hil.runs.progress.Report` on the terminal (standard error, so that standard output stays clean).

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self.terminal = self._console.is_terminal

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with steps done, time spent and time left."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=not self._console.is_terminal) as progress:
            task = progress.add_task(name, total=total)
            yield lambda steps: progress.advance(task, steps)

    def point(self, row: Row) -> None:
        """A point as it comes in."""
        measured = "/".join("–" if value is None else f"{value:.2f}" for value in row.snr_db or [])
        name, metric = row.headline
        where = f" at {row.receiver}" if row.receiver else ""
        self._console.print(
            f"  {row.scheme:<12} {row.snr_db_target or 0.0:>+5g} dB  measured {measured:>13} dB  "
            f"{name} {_value(metric)}{where}  ({row.source}, {row.tasks} tasks)",
            markup=False,
            soft_wrap=True,
        )

    def results(self, document: ResultsDocument) -> None:
        """The table of results and what it says, on standard output."""
        from hil.report.table import results_table, summary_lines

        Console(width=None if self.terminal else 150).print(results_table(document))
        for line in summary_lines(document):
            click.echo(line)


def _value(metric: MetricValue) -> str:
    """``69.2 % [66.8, 71.5]``, or in the metric's own unit."""
    scale, unit = (100.0, " %") if metric.unit == "share" else (1.0, "" if metric.unit == "1" else f" {metric.unit}")
    if metric.value is None:
        return "–"
    low, high = (None if end is None else scale * end for end in metric.ci or (None, None))
    interval = f" [{low:.1f}, {high:.1f}]" if low is not None and high is not None else ""
    return f"{scale * metric.value:5.1f}{unit}{interval}"


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(f"cannot make the folder {folder}: {err.strerror}; choose another with --out") from err
