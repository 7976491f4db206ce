"""`hil score`: other goals for what a capture holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli.display import Display, check_out, write_pair
from hil.cli.options import HOME, parse_names
from hil.config import merged, parse_settings
from hil.errors import ConfigError

__all__ = ["score"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--goals", callback=parse_names, metavar="NAMES", help="What judges it.  [default: all that fit]")
@click.option("--set", "settings", multiple=True, metavar="GOAL.KEY=VALUE", help="An option of a goal.")
@click.option("--dataset", metavar="SPEC", help="Where the data set lies now.")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the weights that were on the air.")
@click.option("--other-weights", is_flag=True, help="Judge with other weights, code or files than those on the air.")
@HOME
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write results.json and report.html there.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON instead of the table.")
def score(
    run: Path,
    goals: tuple[str, ...],
    settings: tuple[str, ...],
    dataset: str | None,
    models: Path | None,
    other_weights: bool,
    home: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Judge what RUN (a capture, or a run's folder) received by other goals, or with other options, without the air."""
    import torch

    from hil.runs import face

    check_out(out)
    torch.set_num_threads(1)
    display = Display(quiet=as_json)
    options = merged({}, parse_settings(settings), "hil score")
    if wrong := [key for key, own in options.items() if not isinstance(own, dict)]:
        raise ConfigError(f"--set needs GOAL.KEY=VALUE, such as GOAL.gallery=raw; '{wrong[0]}' names no goal's option")
    results = face.score(
        run, goals=goals, options=options, dataset=dataset, models=models, other_weights=other_weights, home=home,
        report=display,
    )  # fmt: skip
    if out is not None:
        write_pair(out, results, face.capture_of(run))
    if as_json:
        click.echo(json.dumps(results.to_dict()))
        return
    display.results(results)
