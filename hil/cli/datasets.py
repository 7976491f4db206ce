"""`hil datasets`: what images there are to send, and what a data set can serve."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["datasets"]


@click.group()
def datasets() -> None:
    """What images there are to send."""


@datasets.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_datasets(as_json: bool) -> None:
    """All data sets by name, how they are written, and their options."""
    from hil.registry import DATASETS

    entries = [DATASETS.entry(name) for name in DATASETS.names()]
    rows: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "spec": getattr(entry, "spec", entry.name),
            "summary": entry.summary,
            "options": dict(getattr(entry, "options", {})),
            "default": entry.default,
        }
        for entry in entries
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("data set", "what it is", "options, after ?")
    for row in rows:
        options = "\n".join(f"{name}: {text}" for name, text in row["options"].items())
        table.add_row(row["spec"] + (" (default)" if row["default"] else ""), row["summary"], options)
    Console().print(table)


@datasets.command("info")
@click.argument("spec")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the names of all files that were left out.")
def info(spec: str, as_json: bool) -> None:
    """Read the data set SPEC (market1501:PATH, …) whole, and say what is in it and what tasks it can serve."""
    from hil.datasets.dataset import load_dataset

    data = load_dataset(spec)
    about: dict[str, Any] = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "image_size": list(data.image_size),
        "images": {name: len(split) for name, split in data.splits.items()},
        "pairing": data.pairing if data.query is not None else None,
        "tasks": _tasks(data),
        "remarks": list(data.remarks),
        "left_out": list(data.left_out),
    }
    if as_json:
        click.echo(json.dumps(about))
        return
    height, width = data.image_size
    counts = ", ".join(f"{name} {count}" for name, count in about["images"].items())
    click.echo(f"{data.name}: {counts} images of {height} × {width}; fingerprint {data.fingerprint[:12]}…")
    for goal, by_views in about["tasks"].items():
        for views, found in by_views.items():
            click.echo(
                f"{goal}, {views} view{'s' if views > 1 else ''}: {found if isinstance(found, str) else f'{found} tasks'}"
            )
    for line in data.remarks:
        click.echo(line)


def _tasks(data: Any) -> dict[str, dict[int, int | str]]:
    """Goal -> number of views -> number of tasks, or why there is none."""
    from hil.errors import HilError
    from hil.runs.work import load_goals

    found: dict[str, dict[int, int | str]] = {}
    for name, goal in load_goals(()).items():
        if goal.lacks(data):
            continue
        found[name] = {}
        for views in (1, 2):
            try:
                found[name][views] = len(goal.tasks(data, views=views, seed=0, limit=None))
            except HilError as err:
                found[name][views] = str(err)
    return found
