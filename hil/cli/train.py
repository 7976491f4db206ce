"""`hil train`: make a recipe's weights, with progress and time left; resumes after a kill."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.cli.options import HOME, JSON, config_options
from hil.config import flattened, parse_settings, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from hil.datasets.dataset import Dataset
    from hil.models.recipe import Recipe
    from hil.models.training.medium import CapturedLinks
    from hil.models.training.train import Metrics, Progress

__all__ = ["train"]

SHARED_KEYS = (
    "backbone",
    "features",
    "transmitters",
    "image_size",
    "dataset",
    "seed",
    "held_out",
    "pretrained",
    "frozen",
    "bnneck",
    "mixed_precision",
    "augment",
)
"""What a recipe and the recipe it starts from must agree on, so `--set` changes both."""


@click.command()
@click.argument("recipe")
@click.option("--dataset", metavar="SPEC", help="Data to train and test on, such as market1501:PATH; default: the recipe's.")
@click.option(
    "--features",
    metavar="FILE",
    help="Train on features from an HDF5 file (hil datasets list: features) instead of images; 'FILE?pairing=same_camera': "
    "views of a task are of one camera.",
)
@click.option(
    "--from-capture",
    "captures",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Train through gains and noise that tasks of this capture met; again for more.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("models"), show_default=True)
@config_options
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, …; default: CUDA when present.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="On the CPU; results depend on it.")
@click.option("--fresh", is_flag=True, help="Start over instead of resuming, and train again what this recipe starts from.")
@HOME
@JSON
def train(
    recipe: str,
    dataset: str | None,
    features: str | None,
    captures: tuple[Path, ...],
    out: Path,
    config: Path | None,
    settings: tuple[str, ...],
    device: str | None,
    threads: int,
    fresh: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Train RECIPE (a .toml file, or its bare name) and write NAME.safetensors and NAME.metrics.json.

    Keys of --config FILE and --set KEY=VALUE (such as t1.epochs=5) take the place of the recipe's. A recipe that starts
    from another one's network trains that first when its weights are not in --out. What was trained through a capture is not
    scored on it.
    """
    import torch

    from hil.models.training.train import train as run_training
    from hil.places import folders
    from hil.runs.evaluate import evaluate

    torch.set_num_threads(threads)  # one is as fast for the small networks, and gives the same bits on any number of cores
    say = partial(click.echo, err=as_json)
    places = [out, *folders("models", home)]
    queue, links = _queue(recipe, _changes(config, settings, dataset, features), places, out, fresh=fresh), None
    if captures:
        queue[-1], links = _through(captures, queue[-1], say)
    wanted = queue[-1]
    data = _data_for(queue, say)
    made = []
    for one in queue:
        checkpoint = out / f"{one.name}.checkpoint"
        if fresh and checkpoint.exists():
            click.echo(f"starting over: {checkpoint} is replaced", err=True)
        with _Display(aside=as_json) as display:
            metrics = run_training(
                one,
                data,
                out,
                device=device,
                resume=not fresh,
                progress=display.update,
                evaluate=lambda scheme, held_out: evaluate(scheme, held_out, data),
                links=links if one is wanted else None,
            )
        made.append({"recipe": one.name, "weights": str(out / f"{one.name}.safetensors"), "metrics": metrics})
        if not as_json:
            click.echo(_summary(one, metrics, out))
    if as_json:
        click.echo(json.dumps(made))


def _data_for(queue: list[Recipe], say: Callable[[str], None]) -> Dataset:
    """What the last one is trained on; every one of them must be served by it."""
    from hil.datasets.dataset import load_dataset
    from hil.runs.evaluate import check_served
    from hil.runs.forms import said_of_sizes

    data = load_dataset(queue[-1].dataset, image_size=queue[-1].image_size, channels=queue[-1].channels)
    for line in (*data.remarks, *said_of_sizes(data)):
        say(line)
    for one in queue:
        check_served(one, data)
    return data


def _queue(recipe: str, changes: dict[str, Any], places: list[Path], out: Path, *, fresh: bool) -> list[Recipe]:
    """What to train, one after the other: what the recipe starts from as far as it is not in `out`, and it last."""
    from hil.models.recipe import find_recipe, load_recipe

    path = find_recipe(recipe, places)
    plain = load_recipe(path)
    first = {key: value for key, value in changes.items() if plain.init is not None and key.startswith("t1.")}  # its stage
    queue = [load_recipe(path, {key: value for key, value in changes.items() if key not in first})]
    while (start := queue[0].init) is not None and (fresh or not (out / f"{start}.safetensors").is_file()):
        shared = first | {key: value for key, value in changes.items() if key.partition(".")[0] in SHARED_KEYS}
        queue.insert(0, load_recipe(find_recipe(start, [path.parent, *places]), shared))
    return queue


def _through(captures: tuple[Path, ...], recipe: Recipe, say: Callable[[str], None]) -> tuple[Recipe, CapturedLinks]:
    """A recipe that trains through captures, and what they hold."""
    from hil.config import validate
    from hil.models.load import build_network
    from hil.models.recipe import Recipe
    from hil.runs.captured import captured_links

    plan = build_network(recipe).plan
    links = captured_links(captures, plan.occupied.tolist(), name=recipe.name)
    low, high = links.snr_db.aminmax()
    say(
        f"through {links.channel.shape[1]:,} captured tasks of {len(captures)} capture{'s' * (len(captures) != 1)}, "
        f"{float(low):.1f} to {float(high):.1f} dB"
    )
    channel = recipe.channel.model_dump() | {"through": "capture", "captures": links.captures}
    return validate(Recipe, recipe.model_dump() | {"channel": channel}, f"recipe '{recipe.name}'"), links


def _changes(config: Path | None, settings: tuple[str, ...], dataset: str | None, features: str | None) -> dict[str, Any]:
    """What is asked for in a recipe's place, by dotted key; a file of features gives way to what is set."""
    from hil.datasets.features.reader import feature_length
    from hil.models.recipe import on_features

    changes = {**flattened(read_toml(config) if config is not None else {}), **parse_settings(settings)}
    if features is None:
        return changes | ({} if dataset is None else {"dataset": dataset})
    if dataset is not None:
        raise click.UsageError("--features names the data set, so leave --dataset out")
    return {**on_features(f"features:{features}", feature_length(features)), **changes}


class _Display:
    """One rich progress line: recipe, stage, epoch, loss, time left; `aside`: on standard error."""

    def __init__(self, *, aside: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._aside = aside
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}")
        self._bar = Progress(*columns, console=Console(stderr=aside))
        self._bar.disable = not self._bar.console.is_terminal
        self._task = self._bar.add_task("training", total=None, status="")

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, state: Progress) -> None:
        """Show `state`; a terminal redraws the line, elsewhere only each stage's last epoch is printed."""
        left = f"{int(state.seconds_left) // 60}:{int(state.seconds_left) % 60:02d} left"
        status = f"epoch {state.epoch}/{state.epochs} · loss {state.loss:.3f} · {left}"
        self._bar.update(
            self._task,
            description=f"{state.recipe} {state.stage.upper()}",
            completed=state.epoch,
            total=state.epochs,
            status=status,
        )
        if self._bar.disable and state.epoch in (1, state.epochs):
            click.echo(f"{state.recipe} {state.stage.upper()} {status}", err=self._aside)


def _summary(recipe: Recipe, metrics: Metrics, out: Path) -> str:
    test = metrics["test"]
    rows = {key: value for key, value in test.items() if isinstance(value, float)}
    scores = ", ".join(f"{key} {value:.1f}" for key, value in rows.items())
    bits = f"; {test['bits']['coded']:.1f} bits a message" if "bits" in test else ""
    return f"{out / recipe.name}.safetensors: {test['goal']} {test['metric']} on {test['tasks']} test tasks: {scores}{bits}"
