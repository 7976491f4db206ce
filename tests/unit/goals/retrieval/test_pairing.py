"""Which images make a task under each pairing; views of two splits; single views where there are no pairs."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from hil.datasets.dataset import Dataset, Split, load_dataset
from hil.errors import ConfigError, DatasetError
from hil.goals.contract import Tasks
from hil.goals.retrieval import tasks as tasks_module
from hil.goals.retrieval.goal import Retrieval
from hil.goals.retrieval.tasks import BOTH, TaskSet, make_tasks, single_tasks, tasks_for


def split(*rows):
    """(person, camera) of each image."""
    people, cameras = zip(*rows, strict=True)
    return Split.people(
        images=torch.arange(len(rows), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2).contiguous(),
        identities=torch.tensor(people),
        cameras=torch.tensor(cameras),
        names=[str(row) for row in rows],
    )


TRAIN = split((1, 1), (1, 2))
# Person 1: one query image in each of two cameras. Person 2: two in camera 1. Person 3: one, and none like it in the gallery.
QUERY = split((1, 1), (1, 2), (2, 1), (2, 1), (3, 1), (0, 1), (-1, 1))
GALLERY = split((1, 1), (1, 1), (1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (0, 1), (-1, 2))


def data(pairing, **changes):
    return replace(Dataset(name="few", train=TRAIN, query=QUERY, gallery=GALLERY, pairing=pairing), **changes)


def test_a_pair_of_one_camera_takes_the_query_first_and_the_gallery_where_it_must():
    tasks = make_tasks(data("same_camera"), seed=1)
    assert (tasks.split, tasks.queries, tasks.dropped) == (BOTH, 7, 0)
    found = {frozenset(row) for row in tasks.views.tolist()}
    of_gallery = {7 + place for place in range(3)}
    assert {2, 3} in found  # both of the query
    assert {1, 7 + 3} in found  # the only image like it
    (first,) = [row for row in tasks.views.tolist() if 0 in row]
    assert first[0] == 0
    assert first[1] in of_gallery
    assert len(found) == 3  # person 3 has no partner, 0 and −1 are nobody
    labels = tasks.as_tasks().labels
    assert labels["gallery_0"].tolist() == [-1] * 3
    for row, place in zip(tasks.views.tolist(), labels["gallery_1"].tolist(), strict=True):
        assert place == (row[1] - 7 if row[1] >= 7 else -1)


def test_which_image_of_the_gallery_is_drawn_by_the_seed():
    partners = {int(row[1]) for seed in range(30) for row in make_tasks(data("same_camera"), seed=seed).views if row[0] == 0}
    assert partners == {7, 8, 9}
    first, again = (make_tasks(data("same_camera"), seed=3).views for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(make_tasks(data("same_camera"), seed=3, limit=2).views, first[:2])


def test_three_views_of_one_camera():
    tasks = make_tasks(data("same_camera"), views=3, seed=1)
    # Person 1, camera 1 has three in the gallery; camera 2 one, too few; person 2 has one in the gallery.
    (row,) = tasks.views.tolist()
    assert row[0] == 0
    assert set(row[1:]) < {7, 8, 9}
    assert len(set(row)) == 3


def test_sets_of_the_query_alone_are_all_its_sets_in_any_order():
    query = split(*[(person, camera) for person in (1, 2) for camera in (1, 2) for _ in range(3)])
    gallery = split((1, 1), (1, 2), (2, 1), (2, 2))
    tasks = make_tasks(data("same_camera", query=query, gallery=gallery), views=2, seed=1)
    expected = {frozenset(pair) for start in (0, 3, 6, 9) for pair in combinations(range(start, start + 3), 2)}
    assert {frozenset(row) for row in tasks.views.tolist()} == expected
    assert tasks.split == "query"  # as before there was a choice
    assert set(tasks.as_tasks().labels) == {"identity"}


def test_a_gallery_that_is_the_query_gives_no_second_view():
    """As held-out identities are asked for among themselves."""
    both = split((1, 1), (1, 2), (2, 1), (2, 2))
    alone = data("same_camera", query=both, gallery=both)
    with pytest.raises(DatasetError, match="has no task"):
        make_tasks(alone)
    tasks = tasks_for(alone, views=1, seed=1, limit=None)
    assert (tasks.split, len(tasks), tasks.views.shape[1]) == ("query", 4, 1)


def test_a_single_view_answers_pairs_where_there_are_some_and_else_each_query_image():
    assert tasks_for(data("same_camera"), views=1, seed=1, limit=None).views.shape == (3, 2)
    alone = tasks_for(data("none"), views=1, seed=1, limit=None)
    assert (alone.split, alone.dropped) == ("query", 0)
    assert sorted(alone.views[:, 0].tolist()) == [0, 1, 2, 3, 4]
    orders = {tuple(single_tasks(data("none"), seed=seed).views[:, 0].tolist()) for seed in range(5)}
    assert len(orders) > 2
    assert torch.equal(single_tasks(data("none"), seed=1, limit=2).views, alone.views[:2])
    unanswered = data("none", gallery=split((1, 1), (1, 2), (0, 1)))
    assert (len(single_tasks(unanswered)), single_tasks(unanswered).dropped) == (2, 3)
    nobody = data("none", query=split((3, 1), (2, 1), (2, 2)), gallery=split((3, 1), (9, 1)))
    with pytest.raises(DatasetError, match=r"no query image's person is in the gallery from another camera \(3 query images"):
        single_tasks(nobody)
    for limit in (0, -3):
        with pytest.raises(DatasetError, match="'limit' must be at least 1 or None"):
            tasks_for(data("none"), views=1, seed=1, limit=limit)


@pytest.mark.parametrize(
    ("pairing", "message"),
    [
        (
            "cross_camera",
            r"2 query images of a person from 2 cameras .* \(7 query images, 1 sets .*\); pairing=same_camera gives 3",
        ),
        ("none", r"2 views, as its pairing is 'none'; pairing=same_camera gives 3 tasks \('PATH\?pairing=same_camera'\)\."),
    ],
)
def test_no_pairs_are_refused_with_what_there_is(pairing, message):
    with pytest.raises(DatasetError, match=message):
        Retrieval().tasks(data(pairing), views=2, seed=1, limit=None)


def test_a_set_that_would_list_too_many_sets_is_refused(monkeypatch):
    monkeypatch.setattr(tasks_module, "MOST_SETS", 100)
    query = split(*[(1, camera) for camera in range(16)])
    with pytest.raises(DatasetError, match="has 120 sets of 2 query images of a person, more than the 100"):
        make_tasks(data("cross_camera", query=query))


def test_tasks_of_other_splits_cannot_be_judged():
    clusters = torch.zeros(1).long()
    with pytest.raises(ConfigError, match="tasks of the split 'query', not 'gallery'"):
        TaskSet.of(data("none"), Tasks(split="gallery", views=torch.tensor([[0]]), clusters=clusters))
    with pytest.raises(ConfigError, match="show different people"):
        TaskSet.of(data("none"), Tasks(split=BOTH, views=torch.tensor([[0, 11]]), clusters=clusters))
    again = TaskSet.of(data("same_camera"), make_tasks(data("same_camera"), seed=2).as_tasks())
    assert torch.equal(again.cameras, make_tasks(data("same_camera"), seed=2).cameras)


def test_the_built_in_set_has_the_tasks_it_always_had():
    from hashlib import sha256

    tasks = Retrieval().tasks(load_dataset("synthetic"), views=2, seed=1, limit=1008)
    assert sha256(tasks.views.numpy().tobytes()).hexdigest().startswith("2d3708c1d789")
    assert tasks.split == "query"


def test_a_data_set_joins_its_splits():
    both = data("none").split(BOTH)
    assert len(both) == 16
    assert both.identities.tolist() == QUERY.identities.tolist() + GALLERY.identities.tolist()
    assert both.images[[6, 7, 15], 0, 0, 0].tolist() == [6, 0, 8]
    assert both.names[7] == GALLERY.names[0]
    with pytest.raises(DatasetError, match="no split 'tests'"):
        data("none").split("query+tests")
