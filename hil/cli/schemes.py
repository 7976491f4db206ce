"""`hil schemes`: what can be put on the air."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["scheme_row", "schemes", "variants"]


@click.group()
def schemes() -> None:
    """What can be put on the air."""


@schemes.command("list")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of trained weights.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with models/, ….")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_schemes(models: Path | None, home: Path | None, as_json: bool) -> None:
    """All schemes and the variants that recipes make of them; which can be used: those with weights, and other packages'."""
    from hil.places import folders
    from hil.registry import SCHEMES

    places = [models] if models is not None else [place for place in folders("models", home) if place.is_dir()]
    rows = [scheme_row(name, places) for name in [*SCHEMES.names(), *variants(places, known=SCHEMES.names())]]
    if as_json:
        click.echo(json.dumps([{key: value for key, value in row.items() if key != "why"} for row in rows]))
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("scheme", no_wrap=True), "paper", "section", "access", "uses", "kind", "weights")
    for row in rows:
        uses = "/".join(str(count) for count in row["uses"] or [])
        shown = row["weights"] or row["why"]
        table.add_row(row["name"], row["paper"].partition(",")[0], row["section"], row["access"], uses, row["kind"], shown)
    Console().print(table)


def variants(places: list[Path], *, known: list[str]) -> list[str]:
    """Names of recipes that anybody can train, for their data set is built in, and of weights; but those that are `known`."""
    from hil.errors import ConfigError
    from hil.models.recipe import load_recipe
    from hil.registry import DATASETS

    found = {file.stem for place in places for file in place.glob("[!.]*.safetensors")}
    for file in [file for place in places for file in place.glob("[!.]*.toml")]:
        try:
            recipe = load_recipe(file)
        except ConfigError:
            continue  # no recipe: hil train says why
        if (
            recipe.t3 is not None and recipe.dataset.partition(":")[0] in DATASETS.defaults()
        ):  # T1 alone is what others start from
            found.add(file.stem)
    return sorted(found - set(known))


def _scheme_of(name: str, places: list[Path]) -> str:
    """The registered scheme that a name is, or that the recipe of that name trains."""
    from hil.errors import ConfigError
    from hil.models.recipe import find_recipe, load_recipe
    from hil.registry import SCHEMES

    if name in SCHEMES.names():
        return name
    try:
        return load_recipe(find_recipe(name, places)).scheme
    except ConfigError:
        return name  # weights without a recipe beside them: the recipe is in the file


def scheme_row(name: str, places: list[Path]) -> dict[str, Any]:
    """What is known of a scheme; of one that can be loaded here, its plan too; `why` not, or from where."""
    from hil.errors import HilError
    from hil.models.load import load_scheme, weights_file
    from hil.registry import SCHEMES

    weights = weights_file(name, places)
    builtin = SCHEMES.builtin.get(_scheme_of(name, places))
    card, plan = getattr(builtin, "card", None), None
    why = f"untrained: hil train {getattr(builtin, 'weights', '') or name}"
    if weights is not None or builtin is None:
        try:
            scheme = load_scheme(name, places)
            card, plan, why = scheme.card, scheme.plan, "an installed package"
        except HilError as err:
            why = str(err)
    metrics = weights.with_suffix(".metrics.json") if weights else None
    return {
        "name": name,
        "paper": card.paper if card else "",
        "section": card.section if card else "",
        "outputs": card.outputs if card else None,
        "access": plan.access if plan else None,
        "uses": [int(count) for count in plan.occupied.sum(1)] if plan else None,
        "kind": card.kind if card else None,
        "trained": plan is not None,
        "weights": str(weights) if weights else None,
        "metrics": json.loads(metrics.read_text(encoding="utf-8")) if metrics and metrics.is_file() else None,
        "why": why,
    }
