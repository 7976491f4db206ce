"""A data set's own task network: taken by the goals that need what it gives, and by no others."""

import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.errors import ModelError
from hil.goals.classification.goal import Classification
from hil.goals.detection.goal import Detection, DetectionJudge
from hil.goals.detection.precision import MAP50
from hil.goals.image.goal import Image
from hil.goals.network import TaskNetwork, usual_network
from hil.goals.sampling import draw_tasks


@pytest.fixture(scope="module")
def data():
    return load_dataset("objects:images=200")


def test_classification_of_objects_has_one_that_knows_them(data):
    chosen = usual_network(Classification(), data)
    split = data.split("test")
    logits = TaskNetwork.load(chosen["task_network"]).logits(split.float_images())
    assert float((logits.argmax(1) == split.label("class")).float().mean()) > 0.8
    assert torch.equal(TaskNetwork.load(chosen["task_network"]).logits(split.float_images()), logits)


def test_detection_of_objects_has_one_that_finds_them(data):
    network = TaskNetwork.load(usual_network(Detection(), data)["task_network"])
    tasks = draw_tasks(data, views=1, seed=0, limit=None)
    judge = DetectionJudge(data, tasks, views=1, network=network)
    assert MAP50.of(judge.references()["uncoded"]) > 0.95
    large = load_dataset("objects:size=96&images=40")
    judge = DetectionJudge(large, draw_tasks(large, views=1, seed=0, limit=None), views=1, network=network)
    assert MAP50.of(judge.references()["uncoded"]) > 0.9  # brought down to 32 × 32, boxes in pixels of 96 × 96


def test_a_detector_does_not_classify(data):
    images = data.split("test").float_images(torch.arange(3))
    with pytest.raises(ModelError, match=r"must give finite logits .* not Boxes"):
        TaskNetwork.load("objects-detector").logits(images)
    with pytest.raises(ModelError, match="must give Boxes"):
        TaskNetwork.load("objects-classifier").boxes(images)


def test_other_goals_and_sets_have_none():
    data = load_dataset("objects:images=4")
    assert usual_network(Image(), data) == {}
    for goal in (Classification(), Detection()):
        assert usual_network(goal, load_dataset("synthetic:identities=4")) == {}
