"""`hil schemes`: what can be put on the air, and schemes of one's own: begun, and held against the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil.cli.options import JSON, show_files

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
    _table(rows, places)


def _table(rows: list[dict[str, Any]], places: list[Path]) -> None:
    """The schemes within 80 columns; below, where weights lie, and why a scheme with weights cannot be used."""
    from rich.console import Console
    from rich.table import Column, Table

    names = ("scheme", "paper", "access", "uses", "kind", "usable")
    table = Table(*(Column(name, no_wrap=True) for name in names), box=None, padding=(0, 2, 0, 0))
    for row in rows:
        paper = f"{row['paper'].partition(',')[0].removesuffix(' et al.')} {row['section'].partition(',')[0]}".strip()
        uses = "/".join(str(count) for count in row["uses"] or [])
        usable = "yes" if row["trained"] else "untrained" if row["why"].startswith("untrained") else "no"
        table.add_row(row["name"], paper, row["access"], uses, row["kind"], usable)
    Console(highlight=False).print(table)
    for row in rows:
        if not row["trained"] and not row["why"].startswith("untrained"):
            click.echo(f"{row['name']}: {row['why']}")
    click.echo(
        f"weights are looked for in {', '.join(map(str, dict.fromkeys(places))) or 'no folder'}; train one: hil train NAME"
    )


@schemes.command("test")
@click.argument("scheme")
@click.option("--dataset", metavar="SPEC", help="Whose pictures are sent.  [default: noise in colours]")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of trained weights.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with models/, ….")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def test_scheme(
    ctx: click.Context, scheme: str, dataset: str | None, models: Path | None, home: Path | None, as_json: bool
) -> None:
    """Does SCHEME (path.py:Class, or a name) keep the contract? Every check by name, and what is wrong.

    Exit code 1 if anything is.
    """
    import torch

    from hil.models.conformance import examine
    from hil.models.load import load_scheme
    from hil.places import folders

    torch.set_num_threads(1)
    places = [models] if models is not None else [place for place in folders("models", home) if place.is_dir()]
    tested = load_scheme(scheme, places)
    verdicts = []
    for verdict in examine(tested, _views(tested, dataset) if dataset is not None else None):
        verdicts.append(verdict)
        if not as_json:
            click.echo(f"{'RED' if verdict.why else 'ok '} {verdict.test}")
            if verdict.why:
                same = next((one.test for one in verdicts[:-1] if one.why == verdict.why), None)
                click.echo(f"      as above ({same})" if same else f"      {verdict.why}\n      wanted: {verdict.wanted}")
    wrong = sum(bool(one.why) for one in verdicts)
    if as_json:
        click.echo(json.dumps([vars(one) for one in verdicts]))
    else:
        said = f"{wrong} of {len(verdicts)} checks are red" if wrong else f"all {len(verdicts)} checks passed"
        click.echo(f"{scheme}: {said}" + ("" if wrong else f"; measure it: hil run --schemes {scheme}"))
    ctx.exit(int(wrong > 0))


def _views(scheme: Any, spec: str) -> Any:
    """Seven tasks' views of a data set's images, float32 [task, tx, C, H, W]."""
    import torch

    from hil.datasets.dataset import load_dataset

    count = 7 * scheme.plan.transmitters
    data = load_dataset(spec, image_size=scheme.card.image_size, channels=scheme.card.channels)
    images = data.test or data.query or data.train
    return images.float_images(torch.arange(count) % len(images)).unflatten(0, (7, scheme.plan.transmitters))


@schemes.command("new")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: NAME.py]")
@JSON
def new_scheme(name: str, out: Path | None, as_json: bool) -> None:
    """Write a scheme of your own to start from: about 30 lines that keep the contract and can be measured as they are."""
    from hil.errors import OutputError
    from hil.files import replace_file
    from hil.models.template import class_name, scheme_code

    cls = class_name(name)
    file = out or Path(f"{name.replace('-', '_')}.py")
    if file.exists():
        raise OutputError(f"{file} exists already; choose another NAME or --out")
    replace_file(file, scheme_code(name, str(file)).encode())
    if as_json:
        show_files([file], as_json=True)
        return
    click.echo(
        f"{file}: try it with\n  hil schemes test {file}:{cls}\n  hil run --schemes {file}:{cls} --snr 0:20:10 --tasks 84"
    )


def variants(places: list[Path], *, known: list[str]) -> list[str]:
    """Names of recipes that anybody can train, for their data set is built in, and of weights; but those that are `known`."""
    from hil.errors import ConfigError
    from hil.models.recipe import load_recipe
    from hil.registry import DATASETS

    own = {entry.name for entry in DATASETS.builtin.values() if getattr(entry, "serves", ())}
    found = {file.stem for place in places for file in place.glob("[!.]*.safetensors")}
    for file in [file for place in places for file in place.glob("[!.]*.toml")]:
        try:
            recipe = load_recipe(file)
        except ConfigError:
            continue  # no recipe: hil train says why
        if recipe.t3 is not None and recipe.dataset in own:  # T1 alone is what others start from
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
    ready = getattr(builtin, "untrained", False)
    if weights is not None or builtin is None or ready:
        try:
            scheme = load_scheme(name, places)
            card, plan, why = scheme.card, scheme.plan, "needs none" if ready else "an installed package"
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
