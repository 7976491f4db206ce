"""Training of SD-JSCC: a classifier, a codec of bits from pixels, and from there by the semantic loss; and what is refused."""

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import ConfigError, DatasetError, ModelError
from hil.models.load import load_scheme
from hil.models.recipe import Recipe
from hil.models.training.train import examples_of, train
from hil.runs.evaluate import evaluate

DATA = "objects:images=20"
STAGE = {"batch_size": 8, "optimiser": "adamw", "lr": 3e-3, "weight_decay": 0.0}
SHARED = {"image_size": (16, 16), "dataset": DATA, "seed": 3}


def classifier(**changes):
    stage = {**STAGE, "epochs": 6, "loss": "cross_entropy"}
    settings = {"name": "judge", "scheme": "image-classifier", "held_out": 0.0, "uses": 0, "t1": stage, **SHARED}
    return Recipe(**{**settings, **changes})


def codec(name, scheme, loss, **changes):
    settings = {"name": name, "scheme": scheme, "uses": 32, "snr_db_train": 10.0, **SHARED}
    return Recipe(**{**settings, "t3": {**STAGE, "epochs": 4, "loss": loss}, **changes})


@pytest.fixture(scope="module")
def data():
    return load_dataset(DATA, image_size=(16, 16))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder with all three, and their metrics."""
    out = tmp_path_factory.mktemp("sd")

    def judged(scheme, held_out):
        return evaluate(scheme, held_out, data) if scheme.card.outputs == "logits" else {}

    semantic = {"task_network": "judge", "tap": 2}
    recipes = (
        classifier(),
        codec("base", "deep-jscc-binary", "mse"),
        codec("meant", "sd-jscc", "semantic", init="base", semantic=semantic),
        codec("plain", "sd-jscc-plain", "semantic", init="base", semantic={**semantic, "weights": "uniform"}),
    )
    return out, {recipe.name: train(recipe, data, out, evaluate=judged) for recipe in recipes}


def test_the_classifier_learns_and_is_judged_by_its_classes(trained):
    _, metrics = trained
    log = metrics["judge"]["log"]["t1"]
    assert log[-1] < log[0]
    assert metrics["judge"]["test"]["goal"] == "classification"
    assert metrics["judge"]["classes"] == {"training": 10, "held_out": 0}


def test_the_second_stage_starts_from_the_first_and_lowers_the_semantic_loss(trained):
    out, metrics = trained
    for name in ("meant", "plain"):
        log = metrics[name]["log"]["t3"]
        assert log[-1] < log[0]
    base, meant, plain = (load_scheme(name, out) for name in ("base", "meant", "plain"))
    first = next(iter(base.state_dict()))
    moved = (meant.state_dict()[first] - base.state_dict()[first]).abs().max()
    assert 0 < float(moved) < 0.3  # from there, not anew
    assert not torch.equal(meant.state_dict()[first], plain.state_dict()[first])
    assert set(meant.state_dict()) == set(base.state_dict())  # the task network is not kept with it


def test_images_stand_for_their_classes(data):
    kept, held_out = examples_of(classifier(), data)
    assert torch.equal(kept.labels, data.train.label("class"))
    assert len(held_out.labels) == 0
    with pytest.raises(DatasetError, match="class"):
        examples_of(classifier(), load_dataset("synthetic:identities=4"))


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (classifier(held_out=0.1), "held_out = 0"),
        (classifier(classes=7), "classes must be 10"),
        (codec("meant", "sd-jscc", "semantic", semantic={"task_network": "base"}), "trained classifier"),
        (codec("meant", "sd-jscc", "semantic", semantic={"task_network": "absent"}), "absent"),
    ],
)
def test_what_cannot_be_trained_is_refused(recipe, words, data, trained):
    with pytest.raises(ModelError, match=words):
        train(recipe, data, trained[0])


def test_the_loss_and_its_settings_go_together():
    for changes in ({"semantic": None}, {"semantic": {"task_network": "judge"}, "t3": None}):
        with pytest.raises((ConfigError, ValueError), match="go together"):
            codec("meant", "sd-jscc", "semantic", **changes)
