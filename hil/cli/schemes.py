"""`hil schemes`: what can be put on the air."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["schemes"]


@click.group()
def schemes() -> None:
    """What can be put on the air."""


@schemes.command("list")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of trained weights.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with models/, ….")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_schemes(models: Path | None, home: Path | None, as_json: bool) -> None:
    """All schemes, and which of them can be used here: those with weights, and those of other packages."""
    from hil.places import folders
    from hil.registry import SCHEMES

    places = [models] if models is not None else [place for place in folders("models", home) if place.is_dir()]
    rows = [_row(name, places) for name in SCHEMES.names()]
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


def _row(name: str, places: list[Path]) -> dict[str, Any]:
    """What is known of a scheme; of one that can be loaded here, its plan too; `why` not, or from where."""
    from hil.errors import HilError
    from hil.models.load import load_scheme, weights_file
    from hil.registry import SCHEMES

    weights = weights_file(name, places)
    builtin = SCHEMES.builtin.get(name)
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
