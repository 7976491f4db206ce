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
    """All schemes, and which of them have weights here."""
    from hil.models.load import weights_file
    from hil.places import folders
    from hil.registry import SCHEMES

    places = [models] if models is not None else [place for place in folders("models", home) if place.is_dir()]
    rows = [_row(name, weights_file(name, places)) for name in SCHEMES.names()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("scheme", "paper", "section", "access", "uses", "kind", "weights")
    for row in rows:
        uses = "/".join(str(count) for count in row["uses"] or [])
        shown = row["weights"] or "none: hil train " + row["name"]
        table.add_row(row["name"], row["paper"], row["section"], row["access"], uses, row["kind"], shown)
    Console().print(table)


def _row(name: str, weights: Path | None) -> dict[str, Any]:
    from hil.registry import SCHEMES

    card = getattr(SCHEMES.entry(name), "card", None)
    row: dict[str, Any] = {
        "name": name,
        "paper": card.paper if card else "",
        "section": card.section if card else "",
        "outputs": card.outputs if card else None,
        "access": None,
        "uses": None,
        "kind": card.kind if card else None,
        "trained": weights is not None,
        "weights": str(weights) if weights else None,
        "metrics": None,
    }
    if weights is not None:
        from hil.models.load import load_scheme

        plan = load_scheme(name, weights.parent).plan
        row |= {"access": plan.access, "uses": [int(count) for count in plan.occupied.sum(1)]}
        metrics = weights.with_suffix(".metrics.json")
        row["metrics"] = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else None
    return row
