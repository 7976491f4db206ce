"""`hil compare`: runs against each other."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli.options import JSON, parse_names

__all__ = ["compare"]


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN…")
@click.option("--schemes", callback=parse_names, metavar="NAMES", help="Only these, with commas.  [default: all]")
@click.option("--goals", callback=parse_names, metavar="NAMES", help="Only these, with commas.  [default: all]")
@JSON
def compare(runs: tuple[Path, ...], schemes: tuple[str, ...], goals: tuple[str, ...], as_json: bool) -> None:
    """Compare every scheme of each RUN (folder, name under runs/, or capture) with every other, over the air.

    Paired by task where the runs sent the same ones, at equal measured SNR, with intervals that hold for all claims at once;
    and in dB where both have the same headline. For example: hil compare demo other --schemes jscc-noma
    """
    from hil.report.comparison import comparison_tables
    from hil.runs.compare import compare as compare_runs

    found = compare_runs(runs, schemes=schemes, goals=goals)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    from rich.console import Console

    console = Console()
    Console(width=None if console.is_terminal else 150).print(comparison_tables(found))
