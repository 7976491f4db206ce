"""A data set's own task network: taken by the goals that need what it gives, and by no others."""

import torch

from hil.datasets.dataset import load_dataset
from hil.goals.classification.goal import Classification
from hil.goals.detection.goal import Detection
from hil.goals.image.goal import Image
from hil.goals.network import TaskNetwork, usual_network


def test_classification_of_objects_has_one_that_knows_them():
    data = load_dataset("objects:images=200")
    chosen = usual_network(Classification(), data)
    split = data.split("test")
    logits = TaskNetwork.load(chosen["task_network"]).logits(split.float_images())
    assert float((logits.argmax(1) == split.label("class")).float().mean()) > 0.8
    assert torch.equal(TaskNetwork.load(chosen["task_network"]).logits(split.float_images()), logits)


def test_other_goals_and_sets_have_none():
    data = load_dataset("objects:images=4")
    assert usual_network(Image(), data) == usual_network(Detection(), data) == {}
    assert usual_network(Classification(), load_dataset("synthetic:identities=4")) == {}
