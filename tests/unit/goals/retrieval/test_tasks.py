"""Which query images form a task: seeded, thinned, counted, of one person and the right cameras."""

import dataclasses
from itertools import combinations

import pytest
import torch

from hil.datasets.dataset import Dataset
from hil.datasets.synthetic import reader as synthetic
from hil.errors import ConfigError, DatasetError
from hil.goals.contract import Tasks
from hil.goals.retrieval.tasks import TaskSet, junk_mask, make_tasks


@pytest.fixture(scope="module")
def dataset():
    return Dataset(name="synthetic", **dict(zip(("train", "query", "gallery"), synthetic.generate(2, 20), strict=True)))


def test_tasks_are_seeded_thinned_and_counted(dataset):
    tasks = make_tasks(dataset, seed=3)
    again = make_tasks(dataset, seed=3)
    assert torch.equal(tasks.views, again.views)
    assert not torch.equal(tasks.views, make_tasks(dataset, seed=4).views)
    assert torch.equal(make_tasks(dataset, seed=3, limit=7).views, tasks.views[:7])
    assert len({frozenset(pair) for pair in tasks.views.tolist()}) == len(tasks) == 60
    assert 10 < int((tasks.views[:, 0] < tasks.views[:, 1]).sum()) < 50  # the order of views is drawn too
    assert torch.equal(dataset.query.identities[tasks.views], tasks.identities[:, None].expand(-1, 2))
    with pytest.raises(DatasetError, match="'limit' must be at least 1 or None, not 0"):
        make_tasks(dataset, limit=0)
    with pytest.raises(DatasetError, match="'views' must be at least 2, not 1"):
        make_tasks(dataset, views=1)


def test_sets_without_a_right_answer_are_dropped_and_counted(dataset):
    tasks = make_tasks(dataset, seed=3)
    gallery = dataset.gallery
    fewer = gallery.pick((gallery.identities != int(tasks.identities[0])).nonzero()[:, 0])
    thinned = make_tasks(dataclasses.replace(dataset, gallery=fewer))
    assert (len(thinned), thinned.dropped) == (57, 3)
    with pytest.raises(DatasetError, match=r"has no task.*60 query images, 60 sets without a positive"):
        make_tasks(dataclasses.replace(dataset, gallery=dataset.train))


def test_three_views_are_of_one_person_from_three_cameras(dataset):
    query = dataset.query
    tasks = make_tasks(dataset, views=3, seed=1)
    expected = 0
    for person in query.identities.unique():
        own = (query.identities == person).nonzero()[:, 0].tolist()
        expected += sum(len({int(query.cameras[image]) for image in three}) == 3 for three in combinations(own, 3))
    assert len(tasks) == expected == len({frozenset(views) for views in tasks.views.tolist()})
    assert torch.equal(query.identities[tasks.views], tasks.identities[:, None].expand(-1, 3))
    cameras = tasks.cameras
    assert torch.equal(cameras, query.cameras[tasks.views])
    assert all(len(set(row)) == 3 for row in cameras.tolist())
    junk = junk_mask(tasks, dataset.gallery)  # the person in any of the three cameras
    gallery = dataset.gallery
    for row, task in enumerate(tasks.identities.tolist()[:5]):
        seen = set(cameras[row].tolist())
        found = [(int(i) == task and int(c) in seen) for i, c in zip(gallery.identities, gallery.cameras, strict=True)]
        assert junk[row].tolist() == found


def test_tasks_of_another_goal_can_be_judged_if_they_show_one_person(dataset):
    own = make_tasks(dataset, seed=3, limit=5)
    again = TaskSet.of(dataset, own.as_tasks())
    assert torch.equal(again.identities, own.identities)
    assert torch.equal(again.cameras, own.cameras)
    first, second = (int((dataset.query.identities == person).nonzero()[0]) for person in dataset.query.identities.unique()[:2])
    mixed = Tasks(split="query", views=torch.tensor([[first, second]]), clusters=torch.zeros(1).long())
    with pytest.raises(ConfigError, match="show different people"):
        TaskSet.of(dataset, mixed)
