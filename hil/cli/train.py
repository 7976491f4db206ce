"""`hil train`: make a recipe's weights, with progress and time left; resumes after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from hil.datasets.dataset import Dataset
    from hil.models.training.examples import Examples
    from hil.models.recipe import Recipe
    from hil.models.contract import Scheme
    from hil.models.training.train import Metrics, Progress

__all__ = ["train"]

TEST_SNRS_DB = (-6.0, 0.0, 6.0, 12.0, 15.0)
TEST_TASKS = 2000
NOISE_DRAWS = 4
BATCH = 250
SHARED_KEYS = ("backbone", "features", "image_size", "dataset", "seed", "held_out", "pretrained", "augment")
"""What a recipe and the recipe it starts from must agree on, so `--set` changes both."""


@click.command()
@click.argument("recipe")
@click.option("--dataset", metavar="SPEC", help="Data to train and test on, such as market1501:PATH; default: the recipe's.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("models"), show_default=True)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe, such as t1.epochs=5.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, …; default: CUDA when present.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="On the CPU; results depend on it.")
@click.option("--fresh", is_flag=True, help="Start over instead of resuming, and train again what this recipe starts from.")
def train(
    recipe: str, dataset: str | None, out: Path, settings: tuple[str, ...], device: str | None, threads: int, fresh: bool
) -> None:
    """Train RECIPE (a .toml file, or its bare name) and write NAME.safetensors and NAME.metrics.json.

    A recipe that starts from another one's first stage trains that first when its weights are not in --out.
    """
    import torch

    from hil.datasets.dataset import load_dataset
    from hil.places import folders
    from hil.models.recipe import find_recipe, load_recipe
    from hil.models.training.train import train as run_training

    torch.set_num_threads(threads)  # one is as fast for the small networks, and gives the same bits on any number of cores
    places = [out, *folders("models")]
    changes = parse_settings(settings)
    if dataset is not None:
        changes["dataset"] = dataset
    path = find_recipe(recipe, places)
    wanted = load_recipe(path, changes)
    queue = [wanted]
    if wanted.init is not None and (fresh or not (out / f"{wanted.init}.safetensors").is_file()):
        shared = {key: value for key, value in changes.items() if key.partition(".")[0] in SHARED_KEYS}
        queue.insert(0, load_recipe(find_recipe(wanted.init, [path.parent, *places]), shared))
    data = load_dataset(wanted.dataset, image_size=wanted.image_size)
    for one in queue:
        with _Display() as display:
            metrics = run_training(
                one,
                data,
                out,
                device=device,
                resume=not fresh,
                progress=display.update,
                evaluate=lambda scheme, held_out: evaluate(scheme, held_out, data),
            )
        click.echo(_summary(one, metrics, out))


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """``KEY=VALUE`` pairs to dotted keys and TOML values; a bare word is a string.

    Raises:
        ConfigError: no ``=``.
    """
    import tomllib

    found: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set needs KEY=VALUE, such as t1.epochs=5, not '{setting}'")
        try:
            found[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text
    return found


def evaluate(scheme: Scheme, held_out: Examples, data: Dataset) -> Metrics:
    """Top-1 in percent on validation identities and on the test split, noiseless and over AWGN."""
    from hil.datasets.dataset import Dataset, Split

    found: Metrics = {"test": accuracies(scheme, data)}
    if held_out.classes > 1:
        split = Split(
            images=held_out.images,
            identities=held_out.identities,
            cameras=held_out.cameras,
            names=tuple(f"held-out {index}" for index in range(len(held_out.labels))),
        )
        validation = Dataset(name=f"{data.name} (validation)", train=split, query=split, gallery=split, pairing=data.pairing)
        found = {"validation": accuracies(scheme, validation), **found}
    return found


def accuracies(scheme: Scheme, data: Dataset) -> Metrics:
    """Top-1 in percent on the tasks of a data set: noiseless, and averaged over noise draws at each SNR."""
    import torch

    from hil.datasets.tasks import make_tasks
    from hil.models.training.awgn import receive_awgn
    from hil.retrieval import top1_only

    tasks = make_tasks(data, limit=TEST_TASKS)
    index = torch.arange(len(tasks))
    with torch.inference_mode():
        symbols, side = _encode(scheme, data, tasks.views)
        gallery = scheme.gallery(data.gallery.float_images())
        views = scheme.plan.transmitters

        def top1(snr_db: float, seed: int = 0) -> float:
            generator = torch.Generator().manual_seed(seed)
            features = scheme.decode({"rx": receive_awgn(symbols, snr_db, generator)}, side=side).features
            if features is None:
                raise ModelError(f"scheme '{scheme.name}' has no features to retrieve with")
            hits = top1_only(features, gallery, tasks, data.gallery, task_index=index, views=views)
            return 100 * float(hits.double().mean())

        found: Metrics = {"tasks": len(tasks), "noiseless": round(top1(float("inf")), 2)}
        if symbols.shape[2]:
            for snr_db in TEST_SNRS_DB:
                draws = [top1(snr_db, seed) for seed in range(NOISE_DRAWS)]
                found[f"{snr_db:g} dB"] = round(sum(draws) / len(draws), 2)
    return found


def _encode(scheme: Scheme, data: Dataset, views: Tensor) -> tuple[Tensor, Tensor | None]:
    """Symbols complex64 [tx, task, use] of all tasks, and the baselines' side information."""
    import torch

    sent = []
    for part in torch.split(views[:, : scheme.plan.transmitters], BATCH):
        images = data.query.float_images(part.flatten())
        sent.append(scheme.encode(images.view(*part.shape, *images.shape[1:])))
    sides = [one.side for one in sent if one.side is not None]
    return torch.cat([one.symbols for one in sent], dim=1), torch.cat(sides) if sides else None


class _Display:
    """One rich progress line: recipe, stage, epoch, loss, time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"))
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
            click.echo(f"{state.recipe} {state.stage.upper()} {status}")


def _summary(recipe: Recipe, metrics: Metrics, out: Path) -> str:
    rows = {key: value for key, value in metrics["test"].items() if key != "tasks"}
    scores = ", ".join(f"{key} {value:.1f} %" for key, value in rows.items())
    return f"{out / recipe.name}.safetensors: top-1 on {metrics['test']['tasks']} test tasks: {scores}"
