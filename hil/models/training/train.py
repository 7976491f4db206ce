"""Training a recipe: stages, epochs, checkpoints, weights file and metrics.

Deterministic by seed on one CPU type, torch and thread count; uses CUDA when present (not bit-identical there).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, DatasetError, ModelError
from hil.files import check_name, check_writable, replacing
from hil.models.branches import BranchNetwork
from hil.models.card import SchemeEntry
from hil.models.contract import Scheme
from hil.models.load import load_scheme
from hil.models.network import RecipeNetwork
from hil.models.recipe import Augment, Recipe, Stage
from hil.models.training.augment import augment_boxed, augment_images
from hil.models.training.checkpoint import Checkpoint, epoch_generator, read_checkpoint, run_key, write_checkpoint
from hil.models.training.compressed import Training
from hil.models.training.examples import Boxed, ByClass, EachAlone, Examples, Pixels, TrainingData, draw_views, split_identities
from hil.models.training.medium import CapturedLinks
from hil.models.training.start import started
from hil.models.training.trainable import Batch
from hil.models.training.triplets import balanced_batches
from hil.models.weights import write_weights
from hil.provenance import provenance
from hil.registry import SCHEMES

__all__ = ["Evaluate", "Metrics", "Progress", "examples_of", "train"]

FEATURE_BATCH = 256
Metrics = dict[str, Any]
Evaluate = Callable[[Scheme, Examples], Metrics]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training run stands after an epoch; `seconds_left` is of the whole run, estimated."""

    recipe: str
    stage: str
    epoch: int
    epochs: int
    loss: float
    seconds_left: float


def train(
    recipe: Recipe,
    dataset: TrainingData,
    out: Path,
    *,
    device: str | None = None,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    evaluate: Evaluate | None = None,
    links: CapturedLinks | None = None,
) -> Metrics:
    """Train `recipe` on the training split of `dataset` and write ``NAME.safetensors`` and ``NAME.metrics.json``.

    Args:
        recipe: what to train; its `name` names the files.
        dataset: see `TrainingData`; only its training split is read.
        out: folder of the files, of the checkpoint while training, and of the weights named by ``recipe.init``.
        device: torch device; None takes CUDA when present.
        resume: go on from the checkpoint in `out`, if it belongs to the same recipe and data.
        progress: called after every epoch.
        evaluate: accuracies of the written weights, given the scheme and the held-out examples; goes into the metrics.
        links: captured channels, of recipes that train through them. Returns the metrics, as in the file.

    Raises:
        ModelError: initial weights are missing, these or the data do not fit, or `out` has another training's checkpoint.
        OutputError: `out` cannot be written to.
        ConfigError: the recipe has no name or asks for what the scheme does not have.
        DatasetError: too little to train on.
    """
    if not recipe.name:
        raise ConfigError("Argument 'recipe' must have a name, for it names the files made; set recipe.name.")
    check_name(recipe.name, "the recipe's name")
    where = _device(device)
    kept, held_out = examples_of(recipe, dataset)
    check_writable(out)
    network, training = started(recipe, dataset, out, classes=kept.classes, device=where, links=links)
    run = _Run(
        recipe=recipe,
        training=training,
        examples=kept,
        pixels=Pixels(kept, where),
        same_camera=getattr(dataset, "pairing", "cross_camera") == "same_camera",
        path=out / f"{recipe.name}.checkpoint",
        key=run_key(recipe, dataset.fingerprint),
        progress=progress or (lambda _: None),
    )
    seconds, losses = run.all_stages(resume=resume)
    network.settle()
    facts: Metrics = {
        **_facts(recipe, network, dataset, where),
        training.examples: {"training": kept.classes, "held_out": held_out.classes},
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "loss": {name: values[-1] if values else None for name, values in losses.items()},
        "log": {name: [round(value, 4) for value in values] for name, values in losses.items()},
    }
    judged = None if evaluate is None else lambda scheme: evaluate(scheme, held_out)
    metrics = _save(out, recipe, dataset, _kept_tensors(recipe, network, training), facts, judged)
    run.path.unlink(missing_ok=True)
    return metrics


def examples_of(recipe: Recipe, dataset: TrainingData) -> tuple[Examples, Examples]:
    """What a recipe trains on, and what it holds out; the same for all recipes of one share.

    Raises:
        DatasetError: too little to train on, or pictures of other channels than the recipe's network takes.
    """
    images = dataset.train.images
    if recipe.channels is not None and images.dtype == torch.uint8 and images.shape[1] != recipe.channels:
        raise DatasetError(
            f"recipe '{recipe.name}' takes pictures of {recipe.channels} channels, and data set '{dataset.name}' has "
            f"{images.shape[1]}; load it with load_dataset(…, channels={recipe.channels}), which grey ones can be."
        )
    entry = SCHEMES.entry(recipe.scheme)
    outputs = entry.card.outputs if isinstance(entry, SchemeEntry) else "features"
    split = dataset.train
    if outputs != "features":
        kinds: dict[str, type[EachAlone]] = {"logits": ByClass, "boxes": Boxed}
        split = kinds.get(outputs, EachAlone).of(split)
    return split_identities(split, recipe.held_out, epoch_generator(0, "held-out", 0))


def _save(
    out: Path,
    recipe: Recipe,
    dataset: TrainingData,
    tensors: dict[str, Tensor],
    facts: Metrics,
    judged: Callable[[Scheme], Metrics] | None,
) -> Metrics:
    """Write weights and metrics; they get their names together, once both are whole, and an earlier training's stay so long."""
    with replacing(out / f"{recipe.name}.metrics.json") as second, replacing(out / f"{recipe.name}.safetensors") as first:
        checksum = write_weights(first, tensors, recipe, dataset=dataset.name, fingerprint=dataset.fingerprint)
        metrics = {**facts, "sha256": checksum}
        if judged is not None:
            metrics |= judged(load_scheme(str(first), []))
        second.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return metrics


def _kept_tensors(recipe: Recipe, network: RecipeNetwork, training: Training) -> dict[str, Tensor]:
    """What a weights file holds; a T1 that others start from keeps its classifiers."""
    tensors = dict(network.state_dict())
    if recipe.t3 is None:
        tensors |= {f"classifiers.{key}": value for key, value in training.classifiers.state_dict().items()}
    return tensors


def _facts(recipe: Recipe, network: RecipeNetwork, dataset: TrainingData, device: torch.device) -> Metrics:
    """What was trained on what."""
    return {
        "recipe": recipe.name,
        "scheme": recipe.scheme,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "snr_train_db": network.card.snr_train_db,
        "training_seed": recipe.seed,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        **({"dataset_file_sha256": checksum} if (checksum := getattr(dataset, "file_sha256", "")) else {}),
        "epochs": {name: stage.epochs for name, stage in recipe.stages().items()},
        "device": str(device),
        "threads": torch.get_num_threads(),
        "provenance": provenance(),
    }


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as err:
        raise ConfigError(f"device must be a torch device such as cpu, cuda or cuda:1, not '{name}'") from err
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device '{name}' asked for, but this torch sees no CUDA device; use cpu, or install a CUDA build")
    return device


@dataclass(kw_only=True)
class _Run:
    """One training run in progress."""

    recipe: Recipe
    training: Training
    examples: Examples
    pixels: Pixels
    same_camera: bool
    path: Path
    key: str
    progress: Callable[[Progress], None]

    def all_stages(self, *, resume: bool) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Run what is left of every stage; returns seconds and epochs' losses by stage. Who stops it is told how to go on."""
        try:
            return self._all_stages(resume=resume)
        except (KeyboardInterrupt, SystemExit) as err:
            if self.path.exists():
                err.add_note(f"what was trained is kept in {self.path}; the same command goes on from there")
            raise

    def _all_stages(self, *, resume: bool) -> tuple[dict[str, float], dict[str, list[float]]]:
        stages = self.training.stages()
        names = list(stages)
        seconds = dict.fromkeys(names, 0.0)
        losses: dict[str, list[float]] = {name: [] for name in names}
        saved = read_checkpoint(self.path, self.key) if resume else None
        if saved is not None:
            self.training.load_state_dict(saved.model)
            seconds, losses = {**seconds, **saved.seconds}, {**losses, **saved.losses}
        image_pace = 0.0
        for position, (name, stage) in enumerate(stages.items()):
            if saved is not None and position < names.index(saved.stage):
                continue
            self.training.enter(name)
            optimiser = _optimiser(stage, self.training.parameter_groups(name))
            first = 0
            if saved is not None and saved.stage == name:
                optimiser.load_state_dict(saved.optimiser)
                first = saved.epoch
            start = time.perf_counter()
            cache = self._features() if self.training.cached(name) and first < stage.epochs else None
            if cache is not None:  # forward alone is about a third of an epoch on images
                image_pace = 3 * (time.perf_counter() - start) / cache.shape[0]
            for epoch in range(first, stage.epochs):
                start = time.perf_counter()
                losses[name] = [*losses[name][:epoch], self._epoch(name, stage, epoch, optimiser, cache)]
                seconds[name] += time.perf_counter() - start
                state = Checkpoint(
                    stage=name,
                    epoch=epoch + 1,
                    model=self.training.state_dict(),
                    optimiser=optimiser.state_dict(),
                    seconds=seconds,
                    losses=losses,
                )
                write_checkpoint(self.path, self.key, state)
                pace = seconds[name] / (epoch + 1)
                image_pace = image_pace if cache is not None else pace
                later = sum(
                    stages[other].epochs * (image_pace / 10 if self.training.cached(other) else image_pace)
                    for other in names[position + 1 :]
                )
                self.progress(
                    Progress(
                        recipe=self.recipe.name,
                        stage=name,
                        epoch=epoch + 1,
                        epochs=stage.epochs,
                        loss=losses[name][-1],
                        seconds_left=pace * (stage.epochs - epoch - 1) + later,
                    )
                )
        self.training.eval()
        return seconds, losses

    def _epoch(self, name: str, stage: Stage, epoch: int, optimiser: torch.optim.Optimizer, cache: Tensor | None) -> float:
        """One pass over the training tasks; returns the mean loss."""
        generator = epoch_generator(self.recipe.seed, name, epoch)
        tasks = self._tasks(generator)
        if stage.per_identity:
            order = balanced_batches(
                self.examples.labels[tasks[:, 0]],
                generator,
                identities=stage.batch_size // stage.per_identity,
                each=stage.per_identity,
            )
            batches = [tasks[places] for places in order]
        else:
            batches = [batch for batch in torch.split(tasks, stage.batch_size) if len(batch) == stage.batch_size] or [tasks]
        total = 0.0
        for index, batch in enumerate(batches):
            rate = _rate(stage, epoch + index / len(batches))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            labels = self.examples.labels[batch[:, 0]].to(self.pixels.device)
            if self.examples.boxes is not None:
                boxes = self.examples.boxes[batch[:, 0]].to(self.pixels.device)
                changed, moved = augment_boxed(self.pixels[batch[:, 0]], boxes, self.recipe.augment, generator)
                step = Batch(labels=labels, generator=generator, views=changed[:, None], boxes=moved)
            elif cache is None:
                flat = augment_images(self.pixels[batch.flatten()], self.recipe.augment, generator)
                places = self.examples.places[batch[:, 0]]
                views = flat.view(*batch.shape, *flat.shape[1:])
                step = Batch(labels=labels, generator=generator, views=views, places=places, epoch=epoch)
            else:
                branch = torch.arange(cache.shape[2])
                seen = batch.expand(-1, len(branch))  # several branches may see one view
                variant = torch.randint(cache.shape[0], seen.shape, generator=generator)
                step = Batch(labels=labels, generator=generator, features=cache[variant, seen, branch.expand(seen.shape)])
            loss = self.training.loss(name, step)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            total += float(loss.detach())
        mean = total / len(batches)
        if not math.isfinite(mean):
            raise ModelError(f"recipe '{self.recipe.name}': the loss of {name} is {mean} in epoch {epoch + 1}; lower {name}.lr")
        return mean

    def _tasks(self, generator: torch.Generator) -> Tensor:
        """This epoch's tasks in random order, int64 [task, view], indices of training images."""
        views = self.training.network.plan.transmitters
        if views == 1:
            return torch.randperm(len(self.examples.labels), generator=generator)[:, None]
        return draw_views(self.examples.labels, self.examples.cameras, generator, views=views, same_camera=self.same_camera)

    def _features(self) -> Tensor:
        """Features of all training images by every branch, float32 [variant, image, branch, p]; variants: as is, flipped."""
        network = self.training.network
        assert isinstance(network, BranchNetwork)  # others have no stage on features
        unchanged, unused = Augment(), torch.Generator()
        found = []
        with torch.no_grad():
            for index in torch.arange(len(self.pixels)).split(FEATURE_BATCH):
                images = self.pixels[index]
                variants = [images, images.flip(-1)] if self.recipe.augment.flip > 0 else [images]
                parts = [augment_images(each, unchanged, unused) for each in variants]
                views = [part[:, None].expand(-1, network.plan.transmitters, -1, -1, -1) for part in parts]
                found.append(torch.stack([network.extract(view) for view in views]))
        return torch.cat(found, dim=1)


def _optimiser(stage: Stage, groups: list[tuple[float, list[nn.Parameter]]]) -> torch.optim.Optimizer:
    parameters = [{"params": members, "factor": factor} for factor, members in groups]
    if stage.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=stage.lr, weight_decay=stage.weight_decay)
    return torch.optim.SGD(parameters, lr=stage.lr, momentum=0.9, weight_decay=stage.weight_decay)


def _rate(stage: Stage, position: float) -> float:
    """Learning rate at `position` epochs."""
    risen = min(position / stage.warm_up, 1.0) if stage.warm_up else 1.0
    if stage.schedule == "steps":
        return stage.lr * risen * 0.1 ** sum(position >= drop for drop in stage.lr_drops)
    share = position / stage.epochs
    if not stage.warm_up:
        risen = min(share / 0.05, 1.0)
    return stage.lr * min(risen, 0.5 * (1 + math.cos(math.pi * share))) + 1e-8
