"""Walking along the images around a task changes no answer: against the whole comparison."""

import importlib.util

import numpy as np
import pytest
import torch

from hil.goals.retrieval import ranking
from hil.goals.retrieval.neighbours import OPEN, Neighbours, means_of
from hil.goals.retrieval.ranking import Ranker
from tests.unit.goals.retrieval.test_ranking import random_case

WIDTH, IMAGES, TASKS, ANSWERS = 24, 500, 60, 12
needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="without numba no list is walked along")


def answers(noise, *, shift=0.0, views=2, doubled=False):
    """A gallery, tasks, and noisy answers to each around one place near an image."""
    _, _, tasks, gallery = random_case(tasks=TASKS, images=IMAGES, people=40)
    draw = np.random.default_rng(3)
    stored = draw.standard_normal((2, IMAGES, WIDTH)) + shift
    if doubled:
        stored[:, IMAGES // 2 :] = stored[:, : IMAGES // 2]
    middle = stored[:, draw.integers(0, IMAGES, TASKS)].transpose(1, 0, 2) + 0.1 * draw.standard_normal((TASKS, 2, WIDTH))
    index = torch.arange(TASKS).repeat(ANSWERS)
    features = middle[index.numpy()] + noise * draw.standard_normal((len(index), 2, WIDTH))
    stored, features = (torch.from_numpy(one.astype(np.float32)) for one in (stored, features))
    return Ranker(stored, tasks, gallery, views=views), features, index


def both(monkeypatch, ranker, features, index):
    """By shortcuts, and by the whole comparison."""
    monkeypatch.setattr(ranking, "RULED_OUT_FROM", 0)
    quick = ranker.nearest(features, index, 1)[:, 0]
    monkeypatch.setattr(ranking, "RULED_OUT_FROM", 1 << 62)
    return quick, ranker.nearest(features, index, 1)[:, 0]


@pytest.mark.parametrize("shift", [0.0, 1000.0], ids=["about zero", "far from zero"])
@pytest.mark.parametrize("views", [1, 2])
def test_the_nearest_is_that_of_the_whole_comparison_at_any_noise(monkeypatch, views, shift):
    for noise in (0.0, 0.1, 0.5, 3.0):
        ranker, features, index = answers(noise, shift=shift, views=views)
        quick, whole = both(monkeypatch, ranker, features, index)
        assert torch.equal(quick, whole), noise


@needs_numba
def test_lists_tell_of_nearly_all_answers_with_little_noise_and_are_made_anew_where_answers_lie_elsewhere(monkeypatch):
    ranker, features, index = answers(0.1)
    both(monkeypatch, ranker, features, index)
    first = ranker._shortcuts._neighbours
    found = first.nearest(features.numpy(), index.numpy())
    assert (found != OPEN).mean() > 0.99
    both(monkeypatch, ranker, features + 0.01, index)
    assert ranker._shortcuts._neighbours is first  # served again
    elsewhere = features.roll(1, 0)
    quick, whole = both(monkeypatch, ranker, elsewhere, index)
    assert torch.equal(quick, whole)
    assert ranker._shortcuts._neighbours is not first


def test_ties_go_to_the_lower_index(monkeypatch):
    ranker, features, index = answers(0.05, doubled=True)
    quick, whole = both(monkeypatch, ranker, features, index)
    assert torch.equal(quick, whole)
    assert int((quick < IMAGES // 2).sum()) > len(index) * 0.8  # the other one only where the lower one is junk


def test_few_answers_to_each_task_make_no_list(monkeypatch):
    ranker, features, index = answers(0.1)
    quick, whole = both(monkeypatch, ranker, features[: 2 * TASKS], index[: 2 * TASKS])
    assert torch.equal(quick, whole)
    assert ranker._shortcuts._neighbours is None


@needs_numba
def test_a_list_shorter_than_the_gallery_that_counts_is_whole_and_an_unknown_task_stays_open():
    ranker, features, index = answers(5.0)
    tasks, means, spread = means_of(features[index < TASKS - 1], index[index < TASKS - 1])
    images = np.full((len(tasks), 4), -1)
    images[:, :2] = ranker._compared(means, tasks, 2)
    around = Neighbours(ranker._nearness, tasks, means, images, TASKS)  # as if two images counted
    found = around.nearest(features.numpy(), index.numpy())
    row = index.numpy()
    pair = images[np.minimum(row, TASKS - 2), :2]
    apart = np.stack([ranker._nearness.distances(features.numpy(), np.arange(len(row)), pair[:, k]) for k in (0, 1)])
    assert (found[row == TASKS - 1] == OPEN).all()
    known = row < TASKS - 1
    assert np.array_equal(found[known], pair[np.arange(len(row)), apart.argmin(0)][known])
    assert not around.serve(features, index, spread)


def test_means_and_spread_of_a_known_case():
    features = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]], [[5.0, 5.0]], [[5.0, 7.0]]])
    tasks, means, spread = means_of(features, torch.tensor([4, 4, 1, 1]))
    assert tasks.tolist() == [1, 4]
    assert means.tolist() == [[[5.0, 6.0]], [[1.0, 0.0]]]
    assert spread == pytest.approx(np.sqrt(4 / 2))
