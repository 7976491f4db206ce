"""Pictures of a point: the first tasks, as sent and received; what was lost, and what is large."""

import base64
import io

import numpy as np
import torch
from PIL import Image

from hil.datasets.dataset import load_dataset
from hil.goals.image.goal import Image as ImageGoal
from hil.models.contract import Features, Images
from hil.points.contender import Contender
from hil.runs.config import RunConfig
from hil.runs.pictures import LARGEST, pictures_of
from hil.runs.work import load_work
from tests.unit.runs.test_work import Embedding, Scheme


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


def contender(size=(32, 32)):
    data = load_dataset("objects:images=5", image_size=size)
    tasks = ImageGoal().tasks(data, views=1, seed=1, limit=None)
    return Contender(name="one", scheme=Scheme("one", outputs="images"), dataset=data, tasks=tasks)


def test_the_first_tasks_are_shown_as_sent_and_received():
    one = contender()
    index, lost = torch.tensor([4, 1, 0, 0, 1]), torch.tensor([False, True, False, False, False])
    images = torch.rand(5, 1, 3, 32, 32)
    found = pictures_of(one, Images(images=images, erased=torch.zeros(5, dtype=torch.bool)), index, lost)
    assert [(shown.task, bool(shown.received)) for shown in found] == [(0, True), (1, False)]
    first = one.dataset.test.images[one.tasks.views[0, 0]]
    assert np.array_equal(pixels(found[0].sent), first.permute(1, 2, 0).numpy())
    assert np.abs(pixels(found[0].received) / 255 - images[2, 0].permute(1, 2, 0).numpy()).max() < 0.5 / 255 + 1e-6


def test_of_large_pictures_the_middle_is_shown_and_of_features_nothing():
    one = contender((160, 96))
    kept = torch.zeros(1, dtype=torch.bool)
    found = pictures_of(one, Images(images=torch.rand(1, 1, 3, 160, 96), erased=kept), torch.tensor([0]), kept)
    assert pixels(found[0].received).shape == pixels(found[0].sent).shape == (LARGEST, 96, 3)
    assert pictures_of(one, Features(features=torch.rand(1, 1, 4), erased=kept), torch.tensor([0]), kept) == []


def test_a_run_that_names_no_data_set_takes_the_one_for_its_schemes():
    asked = RunConfig(schemes=("one",), distinct_tasks=3)
    for made, name in ((Scheme("one", outputs="images"), "objects"), (Embedding("one"), "synthetic")):
        work = load_work(asked, objects={"one": made})
        assert work.dataset_spec == work.resolved(asked).dataset == name
