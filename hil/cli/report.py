"""`hil report`: make a run's page again."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["report"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it; default: report.html beside RUN."
)
def report(run: Path, out: Path | None) -> None:
    """Write RUN's report.html again and print its path.

    RUN is a run's folder, its name under runs/, a results.json, or a capture, complete or not.
    """
    from hil.report.html import write_report
    from hil.report.runs import load_run

    document, capture, folder = load_run(run)
    path = out or folder / "report.html"
    write_report(document, capture, path, run=folder)
    click.echo(str(path))
