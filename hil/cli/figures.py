"""`hil figures`: the main plots of runs as files for papers, and figures of papers drawn anew from runs."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["figures"]


@click.command(epilog="Figures of papers: hil figures list.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[FIGURE] RUN…")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all of them; default: RUN/figures, with FIGURE or --together figures/ here.",
)  # fmt: skip
@click.option("--together", "common", is_flag=True, help="All runs in the same plots, each scheme a curve a run.")
@click.option("--format", "formats", default="png,pdf,svg", show_default=True, help="File formats, comma-separated.")
@click.option(
    "--source", type=click.Choice(["air", "simulation", "both"]), default="both", show_default=True,
    help="Of FIGURE: what is drawn.",
)  # fmt: skip
@click.option(
    "--beside", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="A results.json of published curves, to be drawn beside; may be given again.",
)  # fmt: skip
def figures(
    runs: tuple[Path, ...], out: Path | None, common: bool, formats: str, source: str, beside: tuple[Path, ...]
) -> None:
    """Write the main plots of each RUN (folder, results.json or capture) and print their paths.

    With FIGURE, such as lo-3a: that figure of a paper from all RUNs together, and what becomes of the paper's claims.
    """
    from hil.report.files import write_figures
    from hil.report.runs import load_run, run_label, together, with_published

    wanted = tuple(name.strip() for name in formats.split(",") if name.strip())
    if _of_paper(runs, wanted, out or Path("figures"), source, beside):
        return
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


def _of_paper(runs: tuple[Path, ...], formats: tuple[str, ...], folder: Path, source: str, beside: tuple[Path, ...]) -> bool:
    """Draw a paper's figure, or list them, if the first word asks for it; a folder of that name is meant by ``./NAME``."""
    from hil.report.papers.spec import figure_names, load_figure

    first = str(runs[0])
    if first == "list" and len(runs) == 1:
        for name in figure_names():
            figure = load_figure(name)
            click.echo(f"{name:14} {figure.paper.split(',')[0]}, {figure.place}: {figure.title}")
        return True
    if first not in figure_names():
        return False
    if len(runs) == 1:
        raise click.UsageError(f"{first} is drawn from results of runs; name them: hil figures {first} RUN…")
    from hil.report.papers.write import write_paper_figure
    from hil.report.runs import load_run, with_published

    documents = [load_run(run)[0] for run in runs[1:]]
    documents[0] = with_published(documents[0], beside)
    files, lines = write_paper_figure(first, documents, folder, formats=formats, sources=source)
    for line in lines:
        click.echo(line)
    for path in files:
        click.echo(str(path))
    return True
