"""What a person sees of long work: lines, a bar with time left, and a line a point. Quiet for scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from hil.cli.log import LOG
from hil.errors import OutputError
from hil.files import replacing
from hil.timing import Spent

if TYPE_CHECKING:
    from hil.radios.check import Check
    from hil.results.document import MetricValue, ResultsDocument, Row

__all__ = ["Display", "check_out", "show_checks", "write_pair"]


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
        LOG.info(text)
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
        LOG.debug("%s: %d steps", name, total)
        begun = time.monotonic()
        with Progress(*columns, console=self._console, transient=not self._console.is_terminal) as progress:
            task = progress.add_task(name, total=total)
            yield lambda steps: progress.advance(task, steps)
        LOG.debug("%s: done in %.1f s", name, time.monotonic() - begun)

    def point(self, row: Row) -> None:
        """A point as it comes in."""
        measured = _measured(row)
        name, metric = row.headline
        where = f" at {row.receiver}" if row.receiver else ""
        self.say(
            f"  {row.scheme:<12} {row.snr_db_target or 0.0:>+5g} dB  measured {measured:>21}  "
            f"{name} {_value(metric)}{where}  ({row.source}, {row.tasks} tasks{_preliminary(row)})"
        )
        if row.clipped_samples:
            self._console.print(f"    clipped: {row.clipped_samples:,} received samples at full scale", style="yellow")
        if row.impaired:
            self._console.print(
                f"    impaired: error {row.error_over_stated or 0.0:.2f} × the stated noise; suspected: {row.impaired}",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )

    def times(self, spent: Mapping[str, Spent]) -> None:
        """Where the time went, most first."""
        whole = sum(spent.values(), Spent())
        parts = sorted(((one.cpu_s, name) for name, one in spent.items()), reverse=True)
        listed = ", ".join(f"{name} {cpu_s:.1f}" for cpu_s, name in parts if cpu_s >= 0.05)
        self.say(f"took {whole.wall_s:.1f} s and {whole.cpu_s:.1f} s of CPU: {listed}")

    def results(self, document: ResultsDocument) -> None:
        """The table of results and what it says, on standard output."""
        from hil.report.table import results_table, summary_lines

        Console(width=None if self.terminal else 150).print(results_table(document))
        for line in summary_lines(document):
            LOG.info(line)
            click.echo(line)


def _measured(row: Row) -> str:
    """``4.97/5.02 ±0.12 dB``, with half of the widest link's 95 % interval."""
    found = "/".join("–" if value is None else f"{value:.2f}" for value in row.snr_db or [])
    halves = [(high - low) / 2 for low, high in row.snr_db_ci or [] if low is not None and high is not None]
    return f"{found} ±{max(halves):.2f} dB" if halves else f"{found} dB"


def _preliminary(row: Row) -> str:
    """That the noise rests on too few looks until now; nothing where it rests on enough."""
    from hil.report.findings import LEAST_LOOKS

    looks = row.noise_looks or LEAST_LOOKS
    return f"; preliminary: noise of {looks:,} looks so far" if looks < LEAST_LOOKS else ""


def _value(metric: MetricValue) -> str:
    """``69.2 % [66.8, 71.5]``, or in the metric's own unit."""
    scale, unit = (100.0, " %") if metric.unit == "share" else (1.0, "" if metric.unit == "1" else f" {metric.unit}")
    if metric.value is None:
        return "–"
    low, high = (None if end is None else scale * end for end in metric.ci or (None, None))
    interval = f" [{low:.1f}, {high:.1f}]" if low is not None and high is not None else ""
    return f"{scale * metric.value:5.1f}{unit}{interval}"


def show_checks(checks: Iterable[Check]) -> None:
    """A diagnosis on standard output, a line for each thing looked at, and the fix for each red one."""
    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        LOG.info("%s: %s", check.name, check.detail)
        style, mark = {True: ("green", "ok "), False: ("red", "RED"), None: ("dim", " · ")}[check.ok]
        console.print(Text.assemble((mark, style), " ", (check.name, "bold"), f": {check.detail}"))
        if check.fix:
            console.print(Text(f"      fix: {check.fix}"))


def check_out(out: Path | None) -> None:
    """Refuse, before the work, a folder whose results would be lost, or which is none.

    Raises:
        OutputError: it holds a run, or is a file.
    """
    if out is not None and (out / "capture.h5").exists():
        raise OutputError(f"{out} holds a run, and its own results.json would be lost; choose another --out")
    if out is not None and out.exists() and not out.is_dir():
        raise OutputError(f"--out must be a folder, and {out} is none")


def write_pair(out: Path, results: ResultsDocument, capture: Path) -> None:
    """Write ``results.json`` and ``report.html`` of a replay into a folder, both or none.

    Raises:
        OutputError: it cannot be written to.
    """
    from hil.report.html import write_report
    from hil.results.document import write_results

    with replacing(out / "results.json") as first, replacing(out / "report.html") as second:
        write_results(results, first)
        write_report(results, capture, second, run=out)
