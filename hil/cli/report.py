"""`hil report`: make a run's page again."""

from __future__ import annotations

from pathlib import Path

import click

from hil.cli.options import JSON, show_files

__all__ = ["report"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it; default: report.html beside RUN."
)
@click.option(
    "--beside", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="A results.json of published curves, to be drawn beside; may be given again.",
)  # fmt: skip
@JSON
def report(run: Path, out: Path | None, beside: tuple[Path, ...], as_json: bool) -> None:
    """Write RUN's report.html again and print its path.

    RUN is a run's folder, its name under runs/, a results.json, or a capture, complete or not.
    """
    from hil.report.html import write_report
    from hil.report.runs import load_run, with_published

    document, capture, folder = load_run(run)
    path = out or folder / "report.html"
    write_report(with_published(document, beside), capture, path, run=folder)
    show_files([path], as_json=as_json)
