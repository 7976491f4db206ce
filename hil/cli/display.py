"""What a person sees of long work: lines, a bar with time left, and a line a point. Quiet for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Display", "parse_schemes", "parse_snr"]


class Display:
    """A `hil.outcome.Report` on the terminal (standard error, so that standard output stays clean).

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

    def point(self, row: dict[str, Any]) -> None:
        """A point as it comes in."""
        snr = row.get("snr_db") or []
        measured = "/".join("–" if value is None else f"{value:.2f}" for value in snr)
        low, high = row["top1_ci"]
        self._console.print(
            f"  {row['scheme']:<12} {row['snr_db_target']:>+5g} dB  measured {measured:>13} dB  "
            f"top-1 {100 * row['top1']:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]  ({row['source']}, {row['tasks']} tasks)",
            markup=False,
            soft_wrap=True,
        )


def parse_snr(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...]:
    """``-6:15:3`` (first:last:step), or numbers with commas, to a tuple of dB."""
    if not value:
        return ()
    try:
        if ":" in value:
            parts = [float(part) for part in value.split(":")]
            first, last, step = parts if len(parts) == 3 else (*parts, 1.0)
            if step <= 0 or last < first:
                raise ValueError
            return tuple(first + index * step for index in range(int((last - first) / step + 1e-9) + 1))
        return tuple(float(part) for part in value.split(","))
    except ValueError as err:
        raise click.BadParameter(
            f"'{value}' is neither FIRST:LAST:STEP nor numbers with commas, such as -6:15:3 or 0,5"
        ) from err


def parse_schemes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names with commas to a tuple."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else ()
