"""Training of image codecs: a few steps lower the error, each image is an example, and recipes of other kinds are refused."""

import pytest

from hil.datasets.dataset import load_dataset
from hil.errors import ModelError
from hil.models.load import load_scheme
from hil.models.recipe import Recipe, Stage
from hil.models.training.train import examples_of, train
from hil.runs.evaluate import check_served, evaluate

STAGE = {"epochs": 8, "batch_size": 8, "optimiser": "adamw", "lr": 3e-3, "weight_decay": 0.0, "loss": "mse"}


def recipe(**changes):
    settings = {"scheme": "deep-jscc", "uses": 32, "image_size": (16, 16), "dataset": "objects:images=20", "t3": STAGE}
    return Recipe(**{"name": "tiny", "snr_db_train": 10.0, **settings, **changes})


def test_a_recipe_trains_and_is_judged_as_images(tmp_path):
    data = load_dataset("objects:images=20", image_size=(16, 16))
    check_served(recipe(), data)
    metrics = train(recipe(), data, tmp_path, evaluate=lambda scheme, held_out: evaluate(scheme, held_out, data))
    assert metrics["images"] == {"training": 72, "held_out": 8}
    log = metrics["log"]["t3"]
    assert log[-1] < 0.9 * log[0]
    assert (metrics["test"]["goal"], metrics["test"]["metric"], metrics["test"]["tasks"]) == ("image", "psnr", 20)
    assert metrics["test"]["20 dB"] > metrics["test"]["0 dB"] - 0.5
    assert load_scheme("tiny", tmp_path).card.outputs == "images"


def test_every_image_is_an_example_whatever_its_labels():
    people = load_dataset("synthetic:identities=4")
    kept, held_out = examples_of(recipe(held_out=0.25), people)
    assert (kept.classes, held_out.classes) == (24, 8)
    assert not set(kept.places.tolist()) & set(held_out.places.tolist())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"t3": None, "t2": STAGE}, "t3 alone"),
        ({"t3": {**STAGE, "loss": "cross_entropy"}}, "mse"),
        ({"scheme": "jscc-single", "image_size": (64, 32)}, "of image codecs"),
    ],
)
def test_recipes_of_the_other_kind_are_refused(changes, words, tmp_path):
    data = load_dataset("synthetic:identities=4")
    with pytest.raises(ModelError, match=words):
        train(recipe(**changes, held_out=0), data, tmp_path)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    data = load_dataset("objects:images=5", image_size=(16, 16))
    short = recipe(t3=Stage(**{**STAGE, "epochs": 1}))
    first, second = (train(short, data, tmp_path / name)["sha256"] for name in ("a", "b"))
    assert first == second
