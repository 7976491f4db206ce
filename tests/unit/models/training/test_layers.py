"""Training of SMRC: codec and extractors by turns, what it starts from, β and regions reach the loss, what is refused."""

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import ModelError
from hil.models.load import build_network, load_scheme
from hil.models.recipe import Recipe
from hil.models.training.compressed import training_of
from hil.models.training.train import train
from hil.models.training.trainable import Batch
from hil.runs.evaluate import check_served, evaluate

DATA = "objects:images=20"
STAGE = {"batch_size": 8, "optimiser": "adamw", "lr": 3e-3, "weight_decay": 0.0}
LAYERS = {"uses": (12, 12)}


def recipe(name="two", **changes):
    settings = {
        "name": name, "scheme": "smrc", "uses": 24, "image_size": (16, 16), "dataset": DATA, "seed": 3, "snr_db_train": 10.0,
        "layers": LAYERS, "t3": {**STAGE, "epochs": 8, "loss": "layers"},
    }  # fmt: skip
    return Recipe(**{**settings, **changes})


@pytest.fixture(scope="module")
def data():
    return load_dataset(DATA, image_size=(16, 16))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder with extractors of their own first, and one that goes on from there with β¹."""
    out = tmp_path_factory.mktemp("layers")
    first = recipe(t1={**STAGE, "epochs": 3, "loss": "cross_entropy"})
    check_served(first, data)
    beta = {**LAYERS, "class_weights": ((), (1, 1, 1, 1, 1, 0, 0, 0, 0, 0))}
    then = recipe("weighed", init="two", layers=beta, t3={**STAGE, "epochs": 2, "loss": "layers"})
    metrics = train(first, data, out, evaluate=lambda scheme, held_out: evaluate(scheme, held_out, data))
    return out, {"two": metrics, "weighed": train(then, data, out)}


def test_both_losses_fall_and_it_is_judged_as_images(trained):
    metrics = trained[1]["two"]
    codec, extractors = metrics["log"]["t3"][::2], metrics["log"]["t3"][1::2]
    assert codec[-1] < 0.9 * codec[0]
    assert extractors[-1] < extractors[0]
    assert metrics["log"]["t1"][-1] < metrics["log"]["t1"][0]
    assert metrics["images"] == {"training": 72, "held_out": 8}
    assert (metrics["test"]["goal"], metrics["test"]["metric"]) == ("image", "psnr")


def test_going_on_starts_from_there_and_leaves_each_epoch_to_its_own(trained, data):
    out = trained[0]
    first, then = (load_scheme(name, out).state_dict() for name in ("two", "weighed"))
    moved = {key for key in first if not torch.equal(first[key], then[key])}
    assert {key.split(".")[0] for key in moved} == {"trunk", "heads", "decoders", "extractors"}
    assert max(float((first[key] - then[key]).abs().max()) for key in moved if key.startswith("trunk")) < 0.3
    short = recipe("short", init="two", t3={**STAGE, "epochs": 1, "loss": "layers"})
    train(short, data, out)
    alone = load_scheme("short", out).state_dict()
    assert {key.split(".")[0] for key in first if not torch.equal(first[key], alone[key])} == {"trunk", "heads", "decoders"}


def test_extractors_start_from_a_trained_classifier(data, tmp_path):
    stage = {**STAGE, "epochs": 1, "loss": "cross_entropy"}
    judge = recipe("judge", scheme="image-classifier", uses=0, held_out=0.0, layers=None, t1=stage, t3=None)
    train(judge, data, tmp_path)
    given = recipe("given", layers={**LAYERS, "extractor": "judge"}, t3={**STAGE, "epochs": 1, "loss": "layers"})
    train(given, data, tmp_path)
    start, end = load_scheme("judge", tmp_path), load_scheme("given", tmp_path)
    for extractor in end.extractors:
        for key, value in extractor.state_dict().items():
            assert torch.equal(value, start.state_dict()[key]), key


def step(training, epoch, places):
    views = torch.rand(len(places), 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(len(places))
    return Batch(labels=labels, generator=torch.Generator().manual_seed(1), views=views, places=places, epoch=epoch)


def started(data, **changes):
    asked = recipe(**changes)
    torch.manual_seed(0)
    training = training_of(build_network(asked), asked, 10)
    training.look(data.train, [], torch.device("cpu"))
    training.enter("t3")
    return training


def test_classes_of_weight_zero_teach_the_second_extractor_nothing(data):
    """β¹ in a batch of unimportant classes: the first layer's extractor learns, the second's gets no gradient."""
    unimportant = (data.train.label("class") >= 5).nonzero()[:8, 0]
    training = started(data, layers={**LAYERS, "class_weights": ((), (1, 1, 1, 1, 1, 0, 0, 0, 0, 0))})
    training.loss("t3", step(training, 1, unimportant)).backward()
    first, second = (extractor.head.weight.grad for extractor in training.network.extractors)
    assert float(first.abs().max()) > 0
    assert float(second.abs().max()) == 0
    assert all(parameter.grad is None for parameter in training.coders())


def test_alpha_weighs_pixels_against_classes_and_regions_count_less(data):
    """The loss is linear in α; with the background at 0 pixels outside of boxes count nothing."""
    places = torch.arange(8)

    def value(alpha, **more):
        training = started(data, layers={**LAYERS, "alpha": alpha, **more})
        return float(training.loss("t3", step(training, 0, places)).detach())

    assert value(0.9) == pytest.approx(0.9 * value(1.0) + 0.1 * value(0.0), rel=1e-5)
    assert value(1.0, pixels="mean") == pytest.approx(value(1.0) / 768, rel=1e-5)
    regions = value(1.0, background=0.0)
    share = torch.stack([box[:, 2:4].sub(box[:, :2]).prod(1).sum() / 256 for box in data.train.boxes[:8]]).mean()
    assert 0.3 * float(share) < regions / value(1.0) < min(1.0, 3 * float(share))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"t3": {**STAGE, "epochs": 1, "loss": "mse"}}, 'loss = "layers"'),
        ({"layers": {**LAYERS, "pool": (5,)}}, "an entry a layer"),
        ({"layers": {**LAYERS, "class_weights": ((), (1, 0))}}, "a weight for each class"),
        ({"layers": {**LAYERS, "background": 0.5}, "augment": {"flip": 0.5}}, "pictures as they are"),
        ({"classes": 5}, "label 'class' of 0…4"),
        ({"scheme": "deep-jscc"}, "t3 alone"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes, words, data, tmp_path):
    with pytest.raises(ModelError, match=words):
        train(recipe(**changes), data, tmp_path)
