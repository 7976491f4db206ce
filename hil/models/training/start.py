"""Where a training starts: a network of the recipe's seed, with what the recipe starts from put in."""

from __future__ import annotations

from pathlib import Path

import torch

from hil.errors import ModelError
from hil.models.backbones.foreign import load_weights
from hil.models.backbones.resnet import ResNet50, load_torchvision_weights
from hil.models.branches import check_images
from hil.models.load import build_network
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe
from hil.models.training.compressed import Training, training_of
from hil.models.training.examples import TrainingData
from hil.models.training.images import AllTogether
from hil.models.training.layers import LayersTraining
from hil.models.training.medium import CapturedLinks
from hil.models.training.semantic import SemanticTraining
from hil.models.training.trainable import RetrievalTraining
from hil.models.weights import Weights, read_weights
from hil.places import folders

__all__ = ["started"]


def started(
    recipe: Recipe,
    dataset: TrainingData,
    out: Path,
    *,
    classes: int,
    device: torch.device,
    links: CapturedLinks | None = None,
) -> tuple[RecipeNetwork, Training]:
    """Network and training of a recipe on a device, with what the recipe starts from put in.

    Args:
        recipe: what is trained; dataset: on what; out: where networks that it starts from lie first.
        classes: of the training examples.
        device: where.
        links: captured channels to train through.

    Raises:
        ModelError: what it starts from, the data or the captured channels do not fit.
    """
    network, training = _untrained(recipe, classes)
    check_images(network, dataset.train.images)
    _initialise(training, recipe, dataset, out)
    if links is not None and recipe.channel.through == "capture":
        if (medium := getattr(training, "medium", None)) is None:
            raise ModelError(f"recipe '{recipe.name}': '{recipe.scheme}' is not trained through captured channels")
        medium.take(links)
    training.to(device)
    if isinstance(training, SemanticTraining | LayersTraining):
        training.look(dataset.train, [out, *folders("models")], device)
    return network, training


def _untrained(recipe: Recipe, classes: int) -> tuple[RecipeNetwork, Training]:
    """Network and training of a recipe, initialised from its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build_network(recipe)
        return network, training_of(network, recipe, classes)


def _initialise(training: Training, recipe: Recipe, dataset: TrainingData, out: Path) -> None:
    """Put in the T1 that the recipe starts from, or ImageNet weights."""
    if recipe.pretrained is not None and isinstance(training, RetrievalTraining):
        for backbone in training.network.backbones:
            if isinstance(backbone, ResNet50):
                load_torchvision_weights(backbone, Path(recipe.pretrained))
            else:
                load_weights(backbone, Path(recipe.pretrained))
    if recipe.init is None:
        return
    weights = read_weights(out / f"{recipe.init}.safetensors")
    _check_init(weights, recipe, dataset)
    own = training.state_dict()
    parts: tuple[str, ...] = ("network.",) if isinstance(training, AllTogether) else ("network.backbones.", "network.necks.")
    if training.inherits_classifiers:
        parts = (*parts, "classifiers.")
    wanted = {key for key in own if key.startswith(parts)}
    given = {(key if key.startswith("classifiers.") else f"network.{key}"): value for key, value in weights.tensors.items()}
    wrong = sorted(key for key in wanted if key not in given or given[key].shape != own[key].shape)
    if wrong:
        raise ModelError(
            f"{weights.path} cannot start recipe '{recipe.name}': {len(wrong)} keys are missing or have another shape "
            f"({', '.join(wrong[:4])}, …); init must name a T1 recipe of the same backbone, features and transmitters, "
            "or a codec of the same uses"
        )
    training.load_state_dict({**own, **{key: given[key] for key in wanted}})


def _check_init(weights: Weights, recipe: Recipe, dataset: TrainingData) -> None:
    again = f"train it anew with: hil train {recipe.init} --fresh --out {weights.path.parent}, or choose another --out"
    if weights.fingerprint != dataset.fingerprint:
        raise ModelError(f"{weights.path} was trained on other data ('{weights.dataset}') than '{dataset.name}'; {again}")
    for key in ("seed", "held_out", "image_size", "bnneck"):
        if getattr(weights.recipe, key) != getattr(recipe, key):
            raise ModelError(
                f"{weights.path} was trained with {key} = {getattr(weights.recipe, key)}, "
                f"recipe '{recipe.name}' has {getattr(recipe, key)}; {again}"
            )
