"""`hil figures`: the main plots of runs as files for papers."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["figures"]


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN…")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all of them; default: RUN/figures, with --together figures/ here.",
)  # fmt: skip
@click.option("--together", "common", is_flag=True, help="All runs in the same plots, each scheme a curve a run.")
@click.option("--format", "formats", default="png,pdf,svg", show_default=True, help="File formats, comma-separated.")
@click.option(
    "--beside", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="A results.json of published curves, to be drawn beside; may be given again.",
)  # fmt: skip
def figures(runs: tuple[Path, ...], out: Path | None, common: bool, formats: str, beside: tuple[Path, ...]) -> None:
    """Write the main plots of each RUN (folder, results.json or capture) and print their paths."""
    from hil.report.files import write_figures
    from hil.report.runs import load_run, run_label, together, with_published

    wanted = tuple(name.strip() for name in formats.split(",") if name.strip())
    if common:
        documents = {run_label(run, runs): load_run(run)[0] for run in runs}
        for path in write_figures(with_published(together(documents), beside), None, out or Path("figures"), formats=wanted):
            click.echo(str(path))
        return
    for run in runs:
        document, capture, folder = load_run(run)
        document = with_published(document, beside)
        target = out or folder / "figures"
        prefix = f"{folder.resolve().name}-" if out is not None and len(runs) > 1 else ""
        for path in write_figures(document, capture, target, formats=wanted, prefix=prefix):
            click.echo(str(path))
