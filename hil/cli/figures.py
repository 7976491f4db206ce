"""`hil figures`: the main plots of runs as files for papers, and figures of papers drawn anew from runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli.options import JSON, show_files

__all__ = ["figures"]


@click.command(epilog="Figures of papers: hil figures list.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[FIGURE] RUN…")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all of them; default: RUN/figures, with FIGURE, --together or --merge figures/ here.",
)  # fmt: skip
@click.option("--together", "common", is_flag=True, help="All runs in the same plots, each scheme a curve a run.")
@click.option("--merge", is_flag=True, help="All runs as one: other SNRs join a curve, training seeds are averaged.")
@click.option("--format", "formats", default="png,pdf,svg", show_default=True, help="File formats, comma-separated.")
@click.option(
    "--source", type=click.Choice(["air", "simulation", "both"]), default="both", show_default=True,
    help="Of FIGURE: what is drawn.",
)  # fmt: skip
@click.option(
    "--beside", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="A results.json of published curves, to be drawn beside; may be given again.",
)  # fmt: skip
@JSON
def figures(
    runs: tuple[Path, ...],
    out: Path | None,
    common: bool,
    merge: bool,
    formats: str,
    source: str,
    beside: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write the main plots of each RUN (folder, results.json or capture) and print their paths.

    With FIGURE, such as lo-3a: that figure of a paper from all RUNs together, and what becomes of the paper's claims.
    """
    from hil.report.files import write_figures
    from hil.report.merged import merged
    from hil.report.runs import load_run, run_label, together, with_published

    wanted = tuple(name.strip() for name in formats.split(",") if name.strip())
    if _of_paper(runs, wanted, out or Path("figures"), source, beside, as_json=as_json):
        return
    if common and merge:
        raise click.UsageError("--together draws a curve a run, --merge one of all: give one of them")
    if common or merge:
        documents = {run_label(run, runs): load_run(run)[0] for run in runs}
        whole = merged(documents) if merge else together(documents)
        made = write_figures(with_published(whole, beside), None, out or Path("figures"), formats=wanted)
        show_files(made, as_json=as_json)
        return
    files: list[Path] = []
    for run in runs:
        document, capture, folder = load_run(run)
        document = with_published(document, beside)
        target = out or folder / "figures"
        prefix = f"{folder.resolve().name}-" if out is not None and len(runs) > 1 else ""
        files += write_figures(document, capture, target, formats=wanted, prefix=prefix)
    show_files(files, as_json=as_json)


def _of_paper(
    runs: tuple[Path, ...], formats: tuple[str, ...], folder: Path, source: str, beside: tuple[Path, ...], *, as_json: bool
) -> bool:
    """Draw a paper's figure, or list them, if the first word asks for it; a folder of that name is meant by ``./NAME``."""
    from hil.report.papers.spec import figure_names, load_figure

    first = str(runs[0])
    if first == "list" and len(runs) == 1:
        known = {name: load_figure(name) for name in figure_names()}
        if as_json:
            click.echo(
                json.dumps(
                    [{"name": name, "paper": one.paper, "place": one.place, "title": one.title} for name, one in known.items()]
                )
            )
            return True
        for name, figure in known.items():
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
    if as_json:
        click.echo(json.dumps({"files": [str(path) for path in files], "said": list(lines)}))
        return True
    for line in lines:
        click.echo(line)
    show_files(files, as_json=False)
    return True
