"""The recipes for a GPU, as they are but for the sizes of images and batches: a few steps of every stage on the CPU."""

from types import SimpleNamespace

import pytest
import torch

from hil.config import read_toml
from hil.models.load import build_network
from hil.models.recipe import load_recipe
from hil.models.training.compressed import training_of
from hil.models.training.semantic import SemanticTraining
from hil.models.training.train import _optimiser, train
from hil.models.training.trainable import Batch
from hil.models.weights import write_weights
from tests.conftest import ROOT
from tests.unit.models.training.tiny import SIZE, tiny

RECIPES = sorted((ROOT / "models").glob("full-*.toml"))
TASKS = 4
SMALL = {"image_size": list(SIZE), "held_out": 0.0}


def test_there_are_full_recipes():
    assert len(RECIPES) >= 32


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_stage_of_a_full_recipe_takes_steps(path, tmp_path):
    recipe = load_recipe(path, SMALL)
    if "extends" in read_toml(path) and recipe.backbone == "resnet50":  # which the recipe that it extends is tested with
        recipe = load_recipe(path, SMALL | {"backbone": "small-cnn"})
    torch.manual_seed(0)
    training = training_of(build_network(recipe), recipe, classes=recipe.classes if "classifier" in path.stem else TASKS)
    if isinstance(training, SemanticTraining):
        looked_at(training, path.with_name(f"{recipe.semantic.task_network}.toml"), tmp_path)
    generator = torch.Generator().manual_seed(0)
    for name, stage in recipe.stages().items():
        training.enter(name)
        first = [parts[0] for _, parts in training.parameter_groups(name)]  # a backbone's, an encoder's
        optimiser = _optimiser(stage, training.parameter_groups(name))
        for group in optimiser.param_groups:
            group["lr"] = stage.lr * group["factor"]
        before = [part.detach().clone() for part in first]
        branches = len(getattr(training.network, "backbones", [0]))
        batch = Batch(
            labels=torch.arange(TASKS),
            generator=generator,
            views=None if training.cached(name) else torch.rand(TASKS, branches, 3, *SIZE),
            features=torch.randn(TASKS, branches, recipe.features) if training.cached(name) else None,
            boxes=torch.tensor([[[2.0, 3.0, 12.0, 20.0, 0.0]]]).expand(TASKS, -1, -1) if stage.loss == "detection" else None,
        )
        for _ in range(2):
            loss = training.loss(name, batch)
            assert torch.isfinite(loss), name
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
        assert all(not torch.equal(old, new) for old, new in zip(before, first, strict=True)), name


def looked_at(training, task_network, folder):
    """Give it its task network, untrained."""
    recipe = load_recipe(task_network, SMALL)
    state = build_network(recipe).state_dict()
    write_weights(folder / f"{recipe.name}.safetensors", state, recipe, dataset="random", fingerprint="")
    images = torch.randint(0, 256, (TASKS, 3, *SIZE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    training.look(SimpleNamespace(images=images, labels={"class": torch.arange(TASKS)}), [folder], torch.device("cpu"))


def test_the_fields_habits_are_settings_of_the_full_t1(tmp_path):
    habits = {
        "bnneck": True,
        "mixed_precision": True,
        "t1.epochs": 2,
        "t1.batch_size": 8,
        "t1.warm_up": 1,
        "t1.label_smoothing": 0.1,
        "t1.triplet": 1.0,
        "t1.per_identity": 4,
    }
    metrics = train(load_recipe(ROOT / "models/full-t1-single.toml", {**SMALL, **habits}), tiny(4), tmp_path, device="cpu")
    assert metrics["epochs"] == {"t1": 2}
    assert all(loss > 0 for loss in metrics["log"]["t1"])
