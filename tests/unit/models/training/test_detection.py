"""Training of the detector: what the loss says of scores and boxes, boxes that move with images, and a few epochs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError, ModelError
from hil.models.recipe import Augment, Recipe
from hil.models.training.augment import augment_boxed, augment_images
from hil.models.training.detection import detection_loss
from hil.models.training.train import examples_of, train
from hil.runs.evaluate import evaluate

DATA = "objects:images=20"
STAGE = {"loss": "detection", "epochs": 8, "batch_size": 16, "optimiser": "adamw", "lr": 4e-3, "weight_decay": 0.0}


def recipe(**changes):
    shared = {"name": "finder", "scheme": "image-detector", "image_size": (32, 32), "dataset": DATA, "held_out": 0.0, "uses": 0}
    return Recipe(**{**shared, "t1": STAGE, **changes})


@pytest.fixture(scope="module")
def data():
    return load_dataset(DATA)


MIDDLES = torch.tensor([[2.0, 2.0], [6.0, 2.0], [2.0, 6.0], [6.0, 6.0]])
OBJECT = torch.tensor([[[0.0, 0.0, 4.0, 4.0, 1.0]]])


def loss(logits, found, objects=OBJECT):
    return float(detection_loss(logits, found, objects, MIDDLES, 4))


def test_the_loss_is_nearly_nothing_where_scores_and_boxes_are_right():
    """The object's middle is in cell 0; cells 1 … 3 lie one cell away, and answer too."""
    right = OBJECT[:, :, :4].expand(1, 4, 4)
    sure = torch.full((1, 4, 2), -12.0)
    sure[..., 1] = 12.0
    assert loss(sure, right) < 1e-8
    assert loss(-sure, right) > 10  # of the wrong class
    shifted = right + torch.tensor([2.0, 0.0, 2.0, 0.0])
    # a third overlaps, nothing of the hull is outside both; the score that is due is 1/3, not 1
    missed = (1 - 1 / 3) ** 2 * 12 * (1 - 1 / 3)
    assert loss(sure, shifted) == pytest.approx(1 - 1 / 3 + missed, rel=1e-3)
    apart = right + torch.tensor([8.0, 0.0, 8.0, 0.0])
    assert loss(-sure.abs(), apart) == pytest.approx(1 + 4 / 12, rel=1e-3)  # 4 of the hull's 12 columns are in neither


def test_images_without_objects_want_low_scores():
    boxes, nothing = torch.zeros(1, 4, 4), torch.zeros(1, 0, 5)
    none = torch.tensor([[[0.0, 0, 4, 4, -1]]])
    for objects in (nothing, none):
        assert loss(torch.full((1, 4, 2), -12.0), boxes, objects) < 1e-8
        assert loss(torch.full((1, 4, 2), 12.0), boxes, objects) > 10


@given(flip=st.booleans(), shift=st.integers(0, 3), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_boxes_move_with_what_is_in_them(flip, shift, seed):
    """A lit rectangle, and the box around it, after any change."""
    boxes = torch.tensor([[[5.0, 4.0, 9.0, 11.0, 2.0]]]).repeat(6, 1, 1)
    images = torch.zeros(6, 3, 16, 20, dtype=torch.uint8)
    images[:, :, 4:11, 5:9] = 255
    change = Augment(flip=0.5 if flip else 0.0, shift=shift)
    changed, moved = augment_boxed(images, boxes, change, torch.Generator().manual_seed(seed))
    for image, box in zip(changed, moved[:, 0], strict=True):
        lit = (image[0] > 0).nonzero()
        top, left = lit.amin(0).tolist()
        bottom, right = (lit.amax(0) + 1).tolist()
        assert box.tolist() == [left, top, right, bottom, 2.0]
    assert torch.equal(changed, augment_images(images, change, torch.Generator().manual_seed(seed)))


def test_boxes_are_cut_at_the_edges():
    boxes = torch.tensor([[[0.0, 0.0, 16.0, 16.0, 0.0]]]).repeat(8, 1, 1)
    images = torch.zeros(8, 3, 16, 16, dtype=torch.uint8)
    _, moved = augment_boxed(images, boxes, Augment(shift=3), torch.Generator().manual_seed(0))
    assert float(moved[..., :4].min()) >= 0
    assert float(moved[..., :4].max()) <= 16


def test_a_few_epochs_lower_the_loss_and_it_is_judged_by_its_boxes(data, tmp_path):
    metrics = train(recipe(), data, tmp_path, evaluate=lambda scheme, held_out: evaluate(scheme, held_out, data))
    log = metrics["log"]["t1"]
    assert log[-1] < 0.9 * log[0]
    assert metrics["test"]["goal"] == "detection"
    assert metrics["test"]["metric"] == "map50"
    assert metrics["images"] == {"training": 80, "held_out": 0}


def test_boxes_are_filled_up(data):
    kept, _ = examples_of(recipe(), data)
    assert kept.boxes.shape == (80, 4, 5)
    for own, row in zip(data.train.boxes, kept.boxes, strict=True):
        assert torch.equal(row[: len(own)], own)
        assert bool((row[len(own) :, 4] == -1).all())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"held_out": 0.1}, "held_out = 0"),
        ({"classes": 4}, "classes must be at least"),
        ({"t1": {**STAGE, "loss": "cross_entropy"}}, 'loss = "detection"'),
    ],
)
def test_what_cannot_be_trained_is_refused(changes, words, data, tmp_path):
    with pytest.raises(ModelError, match=words):
        train(recipe(**changes), data, tmp_path)


def test_images_without_boxes_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="with boxes"):
        examples_of(recipe(), load_dataset("synthetic:identities=4"))


def test_detection_is_of_the_first_stage_alone():
    for changes in ({"t1": None, "t2": STAGE}, {"t1": None, "t3": STAGE}):
        with pytest.raises(ValueError, match="loss must be"):
            recipe(**changes)
